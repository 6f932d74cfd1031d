//! Taking in what has happened: signals, exits, reports of the exec helper, watched processes, frames; and saying on the link what
//! there is to say. Each is bounded, and noted before it is decided upon.

use crate::fault::point;
use crate::heirs;
use crate::journal::Note;
use crate::link::{Received, Sent};
use crate::process;
use crate::replay::Unreaped;
use crate::say::say;
use crate::state::Phase;
use crate::step::Event;
use crate::tables::Work;
use crate::turn::{Init, now_us};
use nix::libc::ECHILD;
use std::collections::VecDeque;
use std::os::fd::AsFd;
use sysmaster_link::{Ended, FrameError, StatusReport, ToInit, decode};
use sysmaster_sys::signal::rtmin;
use sysmaster_sys::wait::{Ending, Whom, Zombie, peek, reap};

/// Signals taken in one turn.
const SIGNALS_A_TURN: usize = 64;
/// Exits taken in one turn.
const EXITS_A_TURN: usize = 256;
/// Frames written in one turn.
const SENDS_A_TURN: usize = 512;
/// Messages read from the link of a core that has ended; somebody else may hold its other end and write on for ever.
const DRAIN_MAX: usize = 65_536;

impl Init {
    pub(crate) fn take_signals(&mut self) {
        for _ in 0..SIGNALS_A_TURN {
            match self.journal.signal(self.signals.as_fd()) {
                Ok(Some(signal)) => self.take_signal(signal),
                _ => return,
            }
        }
    }

    pub(crate) fn take_signal(&mut self, signal: i32) {
        if signal != nix::libc::SIGCHLD {
            self.handle(Event::Signal { signal, rtmin: rtmin() });
        }
    }

    /// Take exits in four steps: look, read /proc, note, reap. True if there are more.
    pub(crate) fn take_exits(&mut self) -> bool {
        if let Some(pid) = self.state.core_pid()
            && let Ok(Some(zombie)) = peek(Whom::Pid(pid))
        {
            self.take_core_exit(zombie);
        }
        for _ in 0..EXITS_A_TURN {
            self.save_if_long();
            match peek(Whom::Any) {
                Ok(Some(zombie)) if self.state.core_pid() == Some(zombie.pid) => self.take_core_exit(zombie),
                Ok(Some(zombie)) => self.take_exit(zombie, None),
                Err(error) if error.raw_os_error() == Some(ECHILD) => {
                    if matches!(self.state.phase, Phase::Ending { .. }) && self.is_alone() {
                        self.handle(Event::NobodyLeft);
                    }
                    return false;
                }
                _ => return false,
            }
        }
        true
    }

    /// Core has ended: what it still said is carried out before its end is.
    fn take_core_exit(&mut self, zombie: Zombie) {
        for _ in 0..DRAIN_MAX {
            if let Some(link) = &mut self.tables.link {
                link.progress.give_up();
            }
            if !self.take_frames(1) {
                break;
            }
        }
        let black_box = self.black_box();
        self.take_exit(zombie, Some(black_box));
    }

    fn take_exit(&mut self, zombie: Zombie, black_box: Option<Option<Vec<u8>>>) {
        let pid = zombie.pid;
        if let Some(serial) = self.state.child_of_pid(pid).map(|child| child.serial) {
            self.take_status(serial, true);
        }
        let ended = match zombie.ending {
            Ending::Exited(status) => Ended::Exited(status),
            Ending::Killed(signal) => Ended::Killed(signal),
            Ending::Dumped(signal) => Ended::Dumped(signal),
        };
        let (start_time, is_core) = (process::start_time(pid), black_box.is_some());
        let at_us = now_us();
        let left = if heirs::are_asked_for(&self.state, pid, start_time, ended) {
            heirs::of(&self.state, pid)
        } else {
            vec![]
        };
        let event = Event::Exited { pid, start_time, ended, black_box: black_box.flatten(), left };
        point("before an exit is noted");
        self.note(&Note::Event { at_us, event: &event });
        self.lay_to_rest(Unreaped { pid, start_time, is_core });
        self.work_on(Work::new(at_us, VecDeque::from([event]), VecDeque::new()));
    }

    /// A process whose exit is noted goes out of the process table, if it has not; core's black box is emptied.
    pub(crate) fn lay_to_rest(&self, dead: Unreaped) {
        if dead.is_core {
            self.empty_black_box();
        }
        point("before a process is reaped");
        if let Err(error) = reap(dead.pid) {
            say(3, &format!("process {}: cannot be reaped: {error}", dead.pid));
        }
        point("after a process is reaped");
    }

    /// Read a status pipe. Its end means that the program runs, or that the helper has died: the process itself tells which.
    pub(crate) fn take_status(&mut self, serial: u64, dead: bool) {
        let Some(status) = self.tables.statuses.get(&serial) else { return };
        match self.journal.status(serial, status.as_fd()) {
            Ok(Some(bytes)) if !bytes.is_empty() => self.take_report(serial, &bytes),
            Ok(Some(_)) if !self.is_helper(serial) => self.handle(Event::Execed { serial }),
            _ if dead => self.handle(Event::ExecFailed { serial, report: died_early() }),
            // A helper that is dying closes its files before it is a zombie: that is next.
            _ => {}
        }
    }

    pub(crate) fn take_report(&mut self, serial: u64, bytes: &[u8]) {
        let report = StatusReport::from_bytes(bytes).unwrap_or_else(died_early);
        self.handle(Event::ExecFailed { serial, report });
    }

    /// Whether a child has not become its program. One that is dying has no program any more, but keeps its name.
    fn is_helper(&self, serial: u64) -> bool {
        let pid = self.state.children.get(&serial).map_or(0, |child| child.pid);
        match process::program(pid) {
            Some(_) => false,
            None => process::stat(pid).is_some_and(|stat| stat.comm == self.helper.comm()),
        }
    }

    /// A watched process has ended. If it is ours, reaping says how; that comes first.
    pub(crate) fn take_watch(&mut self, pid: i32) {
        let ended: Vec<(i32, u64)> = self.tables.pidfds.keys().filter(|key| key.0 == pid).copied().collect();
        for (pid, start_time) in ended {
            let is_over = match process::stat(pid).filter(|stat| stat.start_time == start_time) {
                Some(stat) => stat.state == 'Z' && stat.parent != self.state.facts.pid,
                None => true,
            };
            if is_over {
                self.handle(Event::WatchEnded { pid, start_time });
            }
        }
    }

    /// Read at most so many frames; true if there may be more.
    pub(crate) fn take_frames(&mut self, most: usize) -> bool {
        for _ in 0..most {
            self.save_if_long();
            let Some(link) = &mut self.tables.link else { return false };
            if link.progress.reply.is_some() {
                return false;
            }
            match link.receive(&self.journal) {
                Ok(Received::Empty) => return false,
                Ok(Received::Closed) => {
                    link.progress.give_up();
                    return false;
                }
                Ok(Received::Message { bytes, fds, truncated }) => self.handle_message(&bytes, fds, truncated),
                // The other end has gone with something unread; what it wrote is still there.
                Err(error) if error.raw_os_error() == Some(nix::libc::ECONNRESET) => {}
                Err(_) => return false,
            }
            if self.exit.is_some() {
                return false;
            }
        }
        true
    }

    /// Say on the link what there is to say; true if there is more and the link would take it.
    pub(crate) fn write_link(&mut self) -> bool {
        for _ in 0..SENDS_A_TURN {
            self.save_if_long();
            let Some(link) = &mut self.tables.link else { return false };
            if link.progress.closed {
                return false;
            }
            match link.say(&self.journal, &self.state, &self.tables.store) {
                Sent::Done => self.take_said(),
                Sent::Dead => {
                    // What core wrote before is still read: each turn tries, whether or not epoll follows the link.
                    link.progress.give_up();
                    return false;
                }
                Sent::Full | Sent::Nothing => return false,
            }
        }
        true
    }

    /// The next thing on the link has been said.
    pub(crate) fn take_said(&mut self) {
        self.note(&Note::Said);
        if let Some(change) = self.tables.link.as_mut().and_then(|link| link.progress.said(&self.state)) {
            self.state.apply(change);
        }
    }
}

fn died_early() -> StatusReport {
    StatusReport { step: 0, errno: ECHILD, detail: "ended before it became its program".to_owned() }
}

/// A frame, or why it is none.
#[must_use]
pub fn understand(bytes: &[u8], fds: usize, truncated: bool) -> Event {
    let bad = |why: &str| Event::BadFrame { why: why.to_owned() };
    if truncated {
        return bad("longer than a frame, or more descriptors than init can hold");
    }
    match decode::<ToInit>(bytes) {
        Ok(frame) => Event::Frame { frame, fds },
        Err(FrameError::Short) => bad("shorter than it says"),
        Err(FrameError::Long) => bad("longer than a frame"),
        Err(FrameError::Version(_)) => bad("another version of the protocol"),
        Err(FrameError::Malformed) => bad("not a frame"),
    }
}
