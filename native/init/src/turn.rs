//! The loop: it turns the world into events, lets step.rs decide, and carries out what that asks for. It decides nothing.
//!
//! One turn: signals, exits (core's first), status pipes and pidfds, frames, then deadlines; after that the link is written to.
//! Each of these is bounded, so that none can keep the others waiting; what is left over makes the next turn begin at once.
//! A panic costs the event: the state is changed only after [`step`] has returned.

use crate::config::Config;
use crate::link::{BUFFER_BYTES, Link, Received, Sent};
use crate::process;
use crate::reexec::Net;
use crate::say::say;
use crate::spawn::Helper;
use crate::state::{Phase, State};
use crate::step::{Event, next_deadline, step};
use nix::libc::{ECHILD, EIO};
use rustix::event::{Timespec, epoll};
use rustix::process::Rlimit;
use rustix::time::{ClockId, clock_gettime};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use sysmaster_link::{Ended, FrameError, StatusReport, ToInit, decode};
use sysmaster_sys::signal::{Signals, rtmin};
use sysmaster_sys::wait::{Ending, Whom, Zombie, peek, reap};

/// Exits taken in one turn.
const EXITS_A_TURN: usize = 256;
/// Frames read in one turn.
const FRAMES_A_TURN: usize = 64;
/// Frames written in one turn.
const SENDS_A_TURN: usize = 512;
/// Messages read from the link of a core that has ended; somebody else may hold its other end and write on for ever.
const DRAIN_MAX: usize = 65_536;
/// Events that one event may bring about.
const FOLLOW_MAX: usize = 1024;

/// How long after something has happened its text is dropped.
const LET_GO_US: u64 = 500_000;
/// Turns in a row that inputs can put off a deadline.
const BUSY_MAX: u32 = 256;

const TOKEN_SIGNALS: u64 = 0;
pub(crate) const TOKEN_LINK: u64 = 1;
/// Plus the serial.
pub(crate) const TOKEN_STATUS: u64 = 1 << 62;
/// Plus the pid.
const TOKEN_WATCH: u64 = 1 << 61;

/// Init, with all it holds.
pub struct Init {
    /// All it knows.
    pub state: State,
    /// What was set.
    pub config: Config,
    /// The descriptor store.
    pub store: BTreeMap<String, OwnedFd>,
    /// The link to core.
    pub link: Option<Link>,
    /// Status pipes of children that have not become their program yet, by serial.
    pub statuses: BTreeMap<u64, OwnedFd>,
    /// Watched processes by pid and start time.
    pub pidfds: BTreeMap<(i32, u64), OwnedFd>,
    /// The exec helper.
    pub helper: Helper,
    /// The limit on descriptors that init was given, and gives on to its children.
    pub limits: Rlimit,
    /// What a fault falls back on.
    pub net: Option<Net>,
    /// The status to exit with, once the loop is to end.
    pub exit: Option<u8>,
    epoll: OwnedFd,
    signals: Signals,
    buffer: Vec<u8>,
    panics: u32,
    busy: u32,
    dirty: bool,
    /// Core is told nothing until the state may be written again.
    held: bool,
    let_go_at_us: Option<u64>,
}

/// CLOCK_MONOTONIC in microseconds.
#[must_use]
pub fn now_us() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0) / 1000)
}

/// The errno of an error, EIO where it has none.
#[must_use]
pub fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(EIO)
}

impl Init {
    /// Put it together.
    ///
    /// # Errors
    /// Those of epoll_create1(2).
    pub fn new(state: State, config: Config, helper: Helper, signals: Signals, limits: Rlimit) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &signals, epoll::EventData::new_u64(TOKEN_SIGNALS), epoll::EventFlags::IN)?;
        Ok(Self {
            state,
            config,
            store: BTreeMap::new(),
            link: None,
            statuses: BTreeMap::new(),
            pidfds: BTreeMap::new(),
            helper,
            limits,
            net: None,
            exit: None,
            epoll,
            signals,
            buffer: vec![0; BUFFER_BYTES],
            panics: 0,
            busy: 0,
            dirty: true,
            held: false,
            let_go_at_us: Some(now_us().saturating_add(LET_GO_US)),
        })
    }

    /// Run until the end; the status to exit with.
    pub fn run(&mut self) -> u8 {
        let mut at_once = true;
        loop {
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(at_once)));
            if let Some(status) = self.exit {
                return status;
            }
            match turn {
                Ok(more) => {
                    at_once = more;
                    self.panics = 0;
                }
                Err(_) => {
                    self.panics = self.panics.saturating_add(1);
                    say(2, &format!("a fault in init itself cost one event ({} in a row)", self.panics));
                    // Never spin on a fault that comes back.
                    std::thread::sleep(std::time::Duration::from_millis(u64::from(self.panics.min(100))));
                    at_once = true;
                }
            }
        }
    }

    /// One turn; true if there is more to do at once.
    fn turn(&mut self, at_once: bool) -> bool {
        let ready = self.wait(at_once);
        let mut more = false;
        if ready.contains(&TOKEN_SIGNALS) {
            self.take_signals();
        }
        more |= self.take_exits();
        for token in &ready {
            match *token {
                token if token & TOKEN_STATUS != 0 => self.take_status(token & !TOKEN_STATUS, false),
                token if token & TOKEN_WATCH != 0 => {
                    self.take_watch(i32::try_from(token & !TOKEN_WATCH).unwrap_or(0));
                }
                _ => {}
            }
        }
        more |= self.take_frames(FRAMES_A_TURN);
        // Inputs come before deadlines: a beat that waits in the link is in time. But no flood puts them off for ever.
        self.busy = if more { self.busy.saturating_add(1) } else { 0 };
        if (!more || self.busy > BUSY_MAX) && next_deadline(&self.state).is_some_and(|at_us| at_us <= now_us()) {
            self.busy = 0;
            self.handle(Event::Tick, Vec::new());
        }
        // What core is told must not be forgotten by a fault right after: so with a large state it is told a little later.
        self.held = self.dirty && self.net_due_us() > now_us();
        if self.held {
            return more;
        }
        if self.dirty {
            self.dirty = false;
            self.refresh_net();
        }
        more |= self.write_link();
        more
    }

    /// Wait until something is ready or due; the tokens of what is ready.
    ///
    /// A while after something has happened the mappings of the program's text are dropped, right before init sleeps on: what
    /// stays is what sleeping needs, and not what a boot or a storm of exits once needed.
    fn wait(&mut self, at_once: bool) -> Vec<u64> {
        self.follow_link();
        let mut events = Vec::<epoll::Event>::with_capacity(128);
        let mut letting_go = false;
        loop {
            let held_until_us = self.held.then(|| self.net_due_us());
            let until_us = next_deadline(&self.state).into_iter().chain(self.let_go_at_us).chain(held_until_us).min();
            let timeout = if at_once { Some(0) } else { until_us.map(|at_us| at_us.saturating_sub(now_us())) };
            let timeout = timeout.map(|us| Timespec {
                tv_sec: i64::try_from(us / 1_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(us % 1_000_000).unwrap_or(0) * 1000,
            });
            // EINTR and the like: whatever is ready is ready in the next turn as well.
            let epoll = &self.epoll;
            let mut sleep = || epoll::wait(epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref());
            if letting_go {
                let (done, _) = sysmaster_sys::memory::let_go_of_text(sleep);
                if let Err(error) = done {
                    say(6, &format!("memory cannot be given back: {error}"));
                }
            } else {
                let _ = sleep();
            }
            letting_go = events.is_empty() && self.let_go_at_us.is_some_and(|at_us| at_us <= now_us());
            if !letting_go {
                break;
            }
            self.let_go_at_us = None;
        }
        if !events.is_empty() && self.let_go_at_us.is_none() {
            self.let_go_at_us = Some(now_us().saturating_add(LET_GO_US));
        }
        events.iter().map(|event| event.data.u64()).collect()
    }

    /// Ask epoll for what the link is waiting for: no frame is read while an answer is due.
    fn follow_link(&mut self) {
        let Some(link) = &self.link else { return };
        let mut flags = epoll::EventFlags::empty();
        if link.progress.reply.is_none() {
            flags |= epoll::EventFlags::IN;
        }
        if !self.held && link.has_more(&self.state) {
            flags |= epoll::EventFlags::OUT;
        }
        if link.progress.closed {
            // Its hang-up would be reported for ever.
            let _ = epoll::delete(&self.epoll, link);
        } else {
            let _ = epoll::modify(&self.epoll, link, epoll::EventData::new_u64(TOKEN_LINK), flags);
        }
    }

    /// Have everything that came through a re-exec watched by the new epoll.
    pub fn watch_everything(&mut self) {
        if let Some(link) = &self.link {
            self.add(link, TOKEN_LINK);
        }
        self.statuses.iter().for_each(|(serial, fd)| self.add(fd, TOKEN_STATUS | serial));
        self.pidfds.iter().for_each(|((pid, _), fd)| self.add(fd, watch_token(*pid)));
    }

    pub(crate) fn add(&self, fd: impl AsFd, token: u64) {
        if let Err(error) = epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), epoll::EventFlags::IN) {
            say(2, &format!("epoll: cannot follow a descriptor: {error}"));
        }
    }

    /// Let an event be decided, apply the changes, carry out the actions; then the events these bring about.
    /// Descriptors that no action has taken are closed at the end.
    pub fn handle(&mut self, event: Event, fds: Vec<OwnedFd>) {
        let mut fds = VecDeque::from(fds);
        let mut events = VecDeque::from([event]);
        for _ in 0..FOLLOW_MAX {
            let Some(event) = events.pop_front() else { return };
            // A beat changes a deadline only, which starts anew after a re-exec.
            let beat = matches!(event, Event::Frame { frame: ToInit::Beat, .. });
            let turn = step(&self.state, now_us(), event);
            self.dirty |= !(beat || turn.changes.is_empty());
            turn.changes.into_iter().for_each(|change| self.state.apply(change));
            for action in turn.actions {
                events.extend(self.carry_out(action, &mut fds));
            }
        }
    }

    fn take_signals(&mut self) {
        for _ in 0..64 {
            match self.signals.next() {
                Ok(Some(nix::libc::SIGCHLD)) => {}
                Ok(Some(signal)) => self.handle(Event::Signal { signal, rtmin: rtmin() }, Vec::new()),
                _ => return,
            }
        }
    }

    /// Take exits in three steps: look, read /proc, reap. True if there are more.
    fn take_exits(&mut self) -> bool {
        if let Some(pid) = self.state.core_pid()
            && let Ok(Some(zombie)) = peek(Whom::Pid(pid))
        {
            self.take_core_exit(zombie);
        }
        for _ in 0..EXITS_A_TURN {
            match peek(Whom::Any) {
                Ok(Some(zombie)) if self.state.core_pid() == Some(zombie.pid) => self.take_core_exit(zombie),
                Ok(Some(zombie)) => self.take_exit(zombie, None),
                Err(error) if error.raw_os_error() == Some(ECHILD) => {
                    if matches!(self.state.phase, Phase::Ending { .. }) && self.is_alone() {
                        self.handle(Event::NobodyLeft, Vec::new());
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
            if let Some(link) = &mut self.link {
                link.progress.give_up();
            }
            if !self.take_frames(1) {
                break;
            }
        }
        self.link = None;
        let black_box = self.take_black_box();
        self.take_exit(zombie, Some(black_box));
    }

    fn take_exit(&mut self, zombie: Zombie, black_box: Option<Option<Vec<u8>>>) {
        let pid = zombie.pid;
        let stat = process::stat(pid);
        let serial = self.state.child_of_pid(pid).map(|child| child.serial);
        // After repeated faults the exit is taken first, lest the same one comes back for ever.
        if self.panics > 2 {
            self.reap(pid);
        }
        if let Some(serial) = serial {
            self.take_status(serial, true);
            self.statuses.remove(&serial);
        }
        let start_time = stat.map_or(0, |stat| stat.start_time);
        let ended = match zombie.ending {
            Ending::Exited(status) => Ended::Exited(status),
            Ending::Killed(signal) => Ended::Killed(signal),
            Ending::Dumped(signal) => Ended::Dumped(signal),
        };
        self.pidfds.remove(&(pid, start_time));
        self.handle(Event::Exited { pid, start_time, ended, black_box: black_box.flatten() }, Vec::new());
        self.reap(pid);
    }

    fn reap(&self, pid: i32) {
        if let Err(error) = reap(pid) {
            say(3, &format!("process {pid}: cannot be reaped: {error}"));
        }
    }

    /// Read a status pipe. Its end means that the program runs, or that the helper has died: the process itself tells which.
    fn take_status(&mut self, serial: u64, dead: bool) {
        let Some(status) = self.statuses.get(&serial) else { return };
        let mut buffer = [0; 2048];
        let event = match rustix::io::read(status, &mut buffer) {
            Ok(0) if !self.is_helper(serial) => Event::Execed { serial },
            Ok(0) | Err(_) if dead => Event::ExecFailed { serial, report: died_early() },
            // A helper that is dying closes its files before it is a zombie: that is next.
            Ok(0) | Err(_) => return,
            Ok(count) => {
                let report = buffer.get(..count).and_then(StatusReport::from_bytes);
                Event::ExecFailed { serial, report: report.unwrap_or_else(died_early) }
            }
        };
        self.statuses.remove(&serial);
        self.handle(event, Vec::new());
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
    fn take_watch(&mut self, pid: i32) {
        let ended: Vec<(i32, u64)> = self.pidfds.keys().filter(|key| key.0 == pid).copied().collect();
        for (pid, start_time) in ended {
            let Some(stat) = process::stat(pid).filter(|stat| stat.start_time == start_time) else {
                self.pidfds.remove(&(pid, start_time));
                self.handle(Event::WatchEnded { pid, start_time }, Vec::new());
                continue;
            };
            if stat.state == 'Z' && stat.parent != self.state.facts.pid {
                self.pidfds.remove(&(pid, start_time));
                self.handle(Event::WatchEnded { pid, start_time }, Vec::new());
            }
        }
    }

    /// Read at most so many frames; true if there may be more.
    fn take_frames(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let Some(link) = &mut self.link else { return false };
            if link.progress.reply.is_some() {
                return false;
            }
            match link.receive(&mut self.buffer) {
                Ok(Received::Empty) => return false,
                Ok(Received::Closed) => {
                    link.progress.give_up();
                    return false;
                }
                Ok(Received::Message { bytes, fds, truncated }) => {
                    let event = match self.buffer.get(..bytes) {
                        _ if truncated => {
                            Event::BadFrame { why: "longer than a frame, or more descriptors than init can hold" }
                        }
                        Some(bytes) => understand(bytes, fds.len()),
                        None => Event::BadFrame { why: "longer than a frame" },
                    };
                    self.handle(event, fds);
                }
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
    fn write_link(&mut self) -> bool {
        for _ in 0..SENDS_A_TURN {
            let Some(link) = &mut self.link else { return false };
            if link.progress.closed {
                return false;
            }
            match link.say(&self.state, &self.store) {
                Ok(change) => {
                    self.dirty = true;
                    change.into_iter().for_each(|change| self.state.apply(change));
                }
                Err(Sent::Dead) => {
                    // What core wrote before is still read: each turn tries, whether or not epoll follows the link.
                    link.progress.give_up();
                    return false;
                }
                Err(Sent::Full | Sent::Done) => return false,
            }
        }
        true
    }
}

pub(crate) fn watch_token(pid: i32) -> u64 {
    TOKEN_WATCH | u64::try_from(pid).unwrap_or(0)
}

fn died_early() -> StatusReport {
    StatusReport { step: 0, errno: ECHILD, detail: "ended before it became its program".to_owned() }
}

/// A frame, or why it is none.
#[must_use]
pub fn understand(bytes: &[u8], fds: usize) -> Event {
    match decode::<ToInit>(bytes) {
        Ok(frame) => Event::Frame { frame, fds },
        Err(FrameError::Short) => Event::BadFrame { why: "shorter than it says" },
        Err(FrameError::Long) => Event::BadFrame { why: "longer than a frame" },
        Err(FrameError::Version(_)) => Event::BadFrame { why: "another version of the protocol" },
        Err(FrameError::Malformed) => Event::BadFrame { why: "not a frame" },
    }
}
