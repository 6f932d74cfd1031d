//! The loop: it turns the world into events, lets step.rs decide, and carries out what that asks for. It decides nothing.
//!
//! One turn: signals, exits (core's first), status pipes and pidfds, frames, then deadlines; after that the link is written to.
//! Each of these is bounded, so that none can keep the others waiting; what is left over makes the next turn begin at once.
//! What is taken in is noted in the journal before it is decided upon, and what came of an action before the next one. After a fault,
//! a panic included, init executes itself anew and goes on from there (reexec.rs).

use crate::config::Config;
use crate::fault::point;
use crate::inputs::understand;
use crate::journal::{Journal, Note, NoteRef};
use crate::reexec::Net;
use crate::say::say;
use crate::spawn::{Helper, let_go};
use crate::state::{Kind, State};
use crate::step::{Action, Event, next_deadline};
use crate::tables::{Tables, Work};
use nix::libc::EIO;
use rustix::event::{Timespec, epoll};
use rustix::process::Rlimit;
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use sysmaster_link::{ToInit, encode};
use sysmaster_sys::signal::Signals;

/// Frames read in one turn.
const FRAMES_A_TURN: usize = 64;
/// Events and actions that one event may bring about.
const WORK_MAX: usize = 4096;

/// How long after something has happened its text is dropped.
const LET_GO_US: u64 = 500_000;
/// Turns in a row that inputs can put off a deadline.
const BUSY_MAX: u32 = 256;

const TOKEN_SIGNALS: u64 = 0;
const TOKEN_LINK: u64 = 1;
/// Plus the serial.
const TOKEN_STATUS: u64 = 1 << 62;
/// Plus the pid.
const TOKEN_WATCH: u64 = 1 << 61;

/// Init, with all it holds.
pub struct Init {
    /// All it knows.
    pub state: State,
    /// What was set.
    pub config: Config,
    /// Its descriptors.
    pub tables: Tables,
    /// What it has in hand.
    pub work: Work,
    /// The exec helper.
    pub helper: Helper,
    /// The limit on descriptors that init was given, and gives on to its children.
    pub limits: Rlimit,
    /// What has happened since the state was saved.
    pub journal: Journal,
    /// The saved state, which a fault falls back on.
    pub net: Option<Net>,
    /// The status to exit with, once the loop is to end.
    pub exit: Option<u8>,
    epoll: OwnedFd,
    pub(crate) signals: Signals,
    panics: u32,
    busy: u32,
    /// The last beat, which is noted only if something else is.
    beat: Option<u64>,
    /// A connection that was accepted right before a fault, and not noted.
    pub(crate) orphan: Option<OwnedFd>,
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
    pub fn new(
        state: State,
        config: Config,
        (helper, limits): (Helper, Rlimit),
        signals: Signals,
        journal: Journal,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &signals, epoll::EventData::new_u64(TOKEN_SIGNALS), epoll::EventFlags::IN)?;
        Ok(Self {
            state,
            config,
            tables: Tables::default(),
            work: Work::default(),
            helper,
            limits,
            journal,
            net: None,
            exit: None,
            epoll,
            signals,
            panics: 0,
            busy: 0,
            beat: None,
            orphan: None,
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
                // There were too many faults, or nothing to go on from: the hook has come back.
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
            self.handle(Event::Tick);
        }
        more |= self.write_link();
        self.save_if_long();
        more
    }

    /// Save the state where the journal has become long; between two inputs only.
    pub(crate) fn save_if_long(&mut self) {
        if self.journal.is_long(self.net.as_ref().map_or(0, Net::saved_bytes)) {
            self.save_state();
        }
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
            let until_us = next_deadline(&self.state).into_iter().chain(self.let_go_at_us).min();
            let timeout = if at_once { Some(0) } else { until_us.map(|at_us| at_us.saturating_sub(now_us())) };
            let timeout = timeout.map(|us| Timespec {
                tv_sec: i64::try_from(us / 1_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(us % 1_000_000).unwrap_or(0) * 1000,
            });
            if letting_go {
                self.rest();
            }
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

    /// Nothing has happened for a while: the notes are not needed any more, nor is their memory.
    fn rest(&mut self) {
        if self.journal.used() > 0 {
            self.save_state();
        }
        if let Err(error) = self.journal.release() {
            say(6, &format!("memory of the journal cannot be given back: {error}"));
        }
        sysmaster_sys::memory::trim_heap();
    }

    /// Ask epoll for what the link is waiting for: no frame is read while an answer is due.
    fn follow_link(&mut self) {
        let Some(link) = &self.tables.link else { return };
        let mut flags = epoll::EventFlags::empty();
        if link.progress.reply.is_none() {
            flags |= epoll::EventFlags::IN;
        }
        if link.has_more(&self.state) {
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
        let tables = &self.tables;
        tables.link.iter().for_each(|link| self.add(link, TOKEN_LINK));
        tables.statuses.iter().for_each(|(serial, fd)| self.add(fd, TOKEN_STATUS | serial));
        tables.pidfds.iter().for_each(|((pid, _), fd)| self.add(fd, watch_token(*pid)));
    }

    fn add(&self, fd: impl AsFd, token: u64) {
        if let Err(error) = epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), epoll::EventFlags::IN) {
            say(2, &format!("epoll: cannot follow a descriptor: {error}"));
        }
    }

    /// What an action has opened is to be heard of.
    fn follow(&self, event: &Event) {
        let tables = &self.tables;
        match event {
            Event::Forked { serial, .. } => {
                tables.statuses.get(serial).into_iter().for_each(|status| self.add(status, TOKEN_STATUS | serial));
                let is_core = self.state.children.get(serial).is_some_and(|child| child.kind == Kind::Core);
                tables.link.iter().filter(|_| is_core).for_each(|link| self.add(link, TOKEN_LINK));
            }
            Event::Watching(watch) => {
                let pidfd = tables.pidfds.get(&(watch.pid, watch.start_time));
                pidfd.into_iter().for_each(|pidfd| self.add(pidfd, watch_token(watch.pid)));
            }
            _ => {}
        }
    }

    pub(crate) fn note(&mut self, note: &NoteRef<'_>) {
        self.journal.note(self.beat.take(), note);
    }

    /// The world has brought this about: note it, decide, act, and so on with what comes of that.
    pub fn handle(&mut self, event: Event) {
        let at_us = now_us();
        self.note(&Note::Event { at_us, event: &event });
        self.work_on(Work::new(at_us, VecDeque::from([event]), VecDeque::new()));
    }

    /// Core has sent this.
    pub(crate) fn handle_message(&mut self, bytes: &[u8], fds: Vec<OwnedFd>, truncated: bool) {
        let at_us = now_us();
        // A beat changes a deadline only.
        if fds.is_empty() && encode(&ToInit::Beat).is_ok_and(|beat| beat == bytes) {
            let beat = Event::Frame { frame: ToInit::Beat, fds: 0 };
            self.beat = Some(at_us);
            return Work::new(at_us, VecDeque::new(), VecDeque::new()).decide(&mut self.state, &mut self.tables, beat);
        }
        let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        self.note(&Note::Message { at_us, bytes, fds: &numbers, truncated });
        let event = understand(bytes, fds.len(), truncated);
        self.work_on(Work::new(at_us, VecDeque::from([event]), fds.into()));
    }

    pub(crate) fn work_on(&mut self, work: Work) {
        self.work = work;
        self.work_off();
    }

    /// Do what is in hand. Descriptors that no action has taken are closed at the end.
    pub(crate) fn work_off(&mut self) {
        self.journal.busy(true);
        for _ in 0..WORK_MAX {
            if let Some(action) = self.work.actions.pop_front() {
                match self.tables.settle(action, &mut self.work.fds) {
                    Ok(event) => self.work.events.extend(event),
                    Err(action) => self.act(action),
                }
            } else if let Some(event) = self.work.events.pop_front() {
                self.work.decide(&mut self.state, &mut self.tables, event);
            } else {
                break;
            }
        }
        self.work = Work::default();
        self.journal.busy(false);
    }

    /// Carry out an action, and note what came of it before anything else is done.
    fn act(&mut self, action: Action) {
        let takes_spec = matches!(action, Action::Spawn { .. });
        point("before an action");
        let Outcome { event, fds } = self.carry_out(action);
        point("after an action");
        self.work.at_us = now_us();
        let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        self.note(&Note::Outcome { at_us: self.work.at_us, event: event.as_ref(), fds: &numbers });
        if takes_spec {
            drop(self.work.fds.pop_front());
        }
        let Some(event) = event else { return };
        let mut fds = fds.into_iter();
        let gate = if matches!(event, Event::Forked { .. }) { fds.next() } else { None };
        self.tables.keep(&event, fds);
        self.follow(&event);
        if let Some(gate) = gate {
            self.open_gate(&gate);
        }
        self.work.events.push_back(event);
    }

    /// A child that is known by now may go on.
    pub(crate) fn open_gate(&mut self, gate: &OwnedFd) {
        let_go(gate);
        point("after a child was let go");
        self.note(&Note::LetGo);
    }
}

/// What came of an action: the next event, and what is open because of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) event: Option<Event>,
    pub(crate) fds: Vec<OwnedFd>,
}

impl From<Event> for Outcome {
    fn from(event: Event) -> Self {
        Self { event: Some(event), fds: Vec::new() }
    }
}

fn watch_token(pid: i32) -> u64 {
    TOKEN_WATCH | u64::try_from(pid).unwrap_or(0)
}
