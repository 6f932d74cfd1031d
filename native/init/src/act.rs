//! Carrying out what step.rs asks for of the world. What comes of an action is noted, and is then the next event.
//!
//! A fault may cut each of these off before its outcome is noted, and then it is done again: docs/adr/0009 says for each why that
//! is the same as doing it once.

use crate::kill;
use crate::process;
use crate::say::say;
use crate::spawn::Started;
use crate::state::Watch;
use crate::step::{Action, Event};
use crate::turn::{Init, Outcome, errno};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

impl Init {
    pub(crate) fn carry_out(&mut self, action: Action) -> Outcome {
        match action {
            Action::Spawn { serial, fds } => self.spawn(serial, &fds),
            Action::StartCore { serial, previous, lower_oom } => self.start_core(serial, previous, lower_oom),
            Action::StartShell { serial } => self.start_own(serial, &crate::core::shell_spec(&self.config)),
            Action::StartUnmount { serial } => self.start_own(serial, &crate::core::unmount_spec()),
            Action::StartCheck { serial, path } => self.start_check(serial, &path),
            Action::Reexec { path } => Event::ReexecFailed { errno: self.reexec(&path) }.into(),
            Action::Kill { id, target, signal } => {
                let killed = kill::kill(&self.state.facts, &target, signal);
                let event = id.map(|id| match killed {
                    Ok(count) => Event::Signalled { id, count },
                    Err(error) => Event::EffectFailed { id, errno: errno(&error) },
                });
                Outcome { event, fds: Vec::new() }
            }
            Action::Watch(watch) => self.watch(watch),
            Action::Accept { id, listener, name } => self.accept(id, &listener, name),
            Action::KillAll { scope, signal } => {
                self.kill_all(scope, signal);
                Outcome::default()
            }
            Action::Finish { last, argument } => {
                self.exit = crate::finish::finish(&self.state.facts, last, &argument);
                Outcome::default()
            }
            Action::Say { level, text } => {
                say(level, &text);
                Outcome::default()
            }
            // These concern the tables only, and are settled there.
            Action::Answer(_) | Action::Store { .. } | Action::Drop { .. } => Outcome::default(),
        }
    }

    fn spawn(&self, serial: u64, names: &[String]) -> Outcome {
        let failed =
            |errno, detail: &str| Outcome::from(Event::ForkFailed { serial, errno, detail: detail.to_owned() });
        let Some(spec) = self.work.fds.front() else { return failed(nix::libc::EBADF, "exec spec") };
        let mut fds = Vec::with_capacity(names.len());
        for name in names {
            match self.tables.store.get(name) {
                Some(fd) => fds.push(fd.as_fd()),
                None => return failed(nix::libc::ENOENT, name),
            }
        }
        started(serial, self.helper.start(spec.as_fd(), &fds, &self.limits), None)
    }

    fn watch(&self, mut watch: Watch) -> Outcome {
        match kill::open_process(watch.pid, watch.start_time) {
            Ok((pidfd, stat)) => {
                watch.start_time = stat.start_time;
                let is_new = !self.tables.pidfds.contains_key(&(watch.pid, watch.start_time));
                Outcome { event: Some(Event::Watching(watch)), fds: is_new.then_some(pidfd).into_iter().collect() }
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => Event::WatchedGone(watch).into(),
            Err(error) => Event::EffectFailed { id: watch.id, errno: errno(&error) }.into(),
        }
    }

    fn accept(&mut self, id: sysmaster_link::EffectId, listener: &str, name: String) -> Outcome {
        let Some(listener) = self.tables.store.get(listener) else {
            return Event::EffectFailed { id, errno: nix::libc::ENOENT }.into();
        };
        let accepted = match self.orphan.take() {
            Some(socket) => crate::accept::describe(socket),
            None => crate::accept::accept(listener.as_fd()),
        };
        match accepted {
            Ok(accepted) => {
                let (peer_pid, peer_uid, peer) = (accepted.peer_pid, accepted.peer_uid, accepted.peer);
                let event = Event::Accepted { id, name, peer_pid, peer_uid, peer };
                Outcome { event: Some(event), fds: vec![accepted.socket] }
            }
            Err(error) => Event::EffectFailed { id, errno: errno(&error) }.into(),
        }
    }
}

/// A child was forked, or not; `link`: our end of the link, if it is core.
pub(crate) fn started(serial: u64, started: io::Result<Started>, link: Option<OwnedFd>) -> Outcome {
    match started {
        Ok(Started { pid, status, gate }) => {
            let event = Event::Forked { serial, pid, start_time: process::start_time(pid) };
            Outcome { event: Some(event), fds: [gate, status].into_iter().chain(link).collect() }
        }
        Err(error) => Event::ForkFailed { serial, errno: errno(&error), detail: "fork".to_owned() }.into(),
    }
}
