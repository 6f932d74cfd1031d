//! Carrying out what step.rs asks for. What comes of an action is the next event.

use crate::kill;
use crate::link::Link;
use crate::process;
use crate::say::say;
use crate::state::Watch;
use crate::step::{Action, Event};
use crate::turn::{Init, TOKEN_LINK, TOKEN_STATUS, errno, watch_token};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

impl Init {
    pub(crate) fn carry_out(&mut self, action: Action, fds: &mut VecDeque<OwnedFd>) -> Option<Event> {
        match action {
            Action::Answer(reply) => {
                if let Some(link) = &mut self.link
                    && !link.progress.closed
                {
                    link.progress.reply = Some(reply);
                }
                None
            }
            Action::Spawn { serial, fds: names } => Some(self.spawn(serial, &names, fds.pop_front())),
            Action::StartCore { serial, previous, lower_oom } => Some(self.start_core(serial, previous, lower_oom)),
            Action::StartShell { serial } => Some(self.start_own(serial, &crate::core::shell_spec(&self.config))),
            Action::StartUnmount { serial } => Some(self.start_own(serial, &crate::core::unmount_spec())),
            Action::StartCheck { serial, path } => Some(self.start_check(serial, &path)),
            Action::Reexec { path } => Some(Event::ReexecFailed { errno: self.reexec(&path) }),
            Action::Kill { id, target, signal } => {
                let killed = kill::kill(&self.state.facts, &target, signal);
                id.map(|id| match killed {
                    Ok(count) => Event::Signalled { id, count },
                    Err(error) => Event::EffectFailed { id, errno: errno(&error) },
                })
            }
            Action::Watch(watch) => Some(self.watch(watch)),
            Action::Accept { id, listener, name } => Some(self.accept(id, &listener, name)),
            Action::Store { id, names } => {
                self.store.extend(names.iter().cloned().zip(fds.drain(..)));
                Some(Event::Stored { id, names })
            }
            Action::Drop { id, names } => {
                names.iter().for_each(|name| drop(self.store.remove(name)));
                Some(Event::Dropped { id, names })
            }
            Action::KillAll { scope, signal } => {
                self.kill_all(scope, signal);
                None
            }
            Action::Finish { last, argument } => {
                self.exit = crate::finish::finish(&self.state.facts, last, &argument);
                None
            }
            Action::Say { level, text } => {
                say(level, &text);
                None
            }
        }
    }

    fn spawn(&mut self, serial: u64, names: &[String], spec: Option<OwnedFd>) -> Event {
        let failed = |errno, detail: &str| Event::ForkFailed { serial, errno, detail: detail.to_owned() };
        let Some(spec) = spec else { return failed(nix::libc::EBADF, "exec spec") };
        let mut fds = Vec::with_capacity(names.len());
        for name in names {
            match self.store.get(name) {
                Some(fd) => fds.push(fd.as_fd()),
                None => return failed(nix::libc::ENOENT, name),
            }
        }
        let started = self.helper.start(spec.as_fd(), &fds, &self.limits);
        self.follow_child(serial, started)
    }

    /// A child was forked, or not.
    pub fn follow_child(&mut self, serial: u64, started: io::Result<crate::spawn::Started>) -> Event {
        match started {
            Ok(started) => {
                let start_time = process::start_time(started.pid);
                self.add(&started.status, TOKEN_STATUS | serial);
                self.statuses.insert(serial, started.status);
                Event::Forked { serial, pid: started.pid, start_time }
            }
            Err(error) => Event::ForkFailed { serial, errno: errno(&error), detail: "fork".to_owned() },
        }
    }

    /// Use this link from now on.
    pub fn adopt_link(&mut self, link: Link) {
        self.add(&link, TOKEN_LINK);
        self.link = Some(link);
    }

    fn watch(&mut self, mut watch: Watch) -> Event {
        match kill::open_process(watch.pid, watch.start_time) {
            Ok((pidfd, stat)) => {
                watch.start_time = stat.start_time;
                let key = (watch.pid, watch.start_time);
                if !self.pidfds.contains_key(&key) {
                    self.add(&pidfd, watch_token(watch.pid));
                    self.pidfds.insert(key, pidfd);
                }
                Event::Watching(watch)
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => Event::WatchedGone(watch),
            Err(error) => Event::EffectFailed { id: watch.id, errno: errno(&error) },
        }
    }

    fn accept(&mut self, id: sysmaster_link::EffectId, listener: &str, name: String) -> Event {
        let Some(listener) = self.store.get(listener) else {
            return Event::EffectFailed { id, errno: nix::libc::ENOENT };
        };
        match crate::accept::accept(listener.as_fd()) {
            Ok(accepted) => {
                self.store.insert(name.clone(), accepted.socket);
                let (peer_pid, peer_uid, peer) = (accepted.peer_pid, accepted.peer_uid, accepted.peer);
                Event::Accepted { id, name, peer_pid, peer_uid, peer }
            }
            Err(error) => Event::EffectFailed { id, errno: errno(&error) },
        }
    }
}
