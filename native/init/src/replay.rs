//! The way back after a fault: from the saved state and the notes since then to the point at which init faulted. Pure.
//!
//! What was noted is decided upon anew, and comes out the same, since deciding is pure. What an action brought about stands in the
//! notes; the first action that has no outcome there is the point at which init goes on, and does it: perhaps again. An action
//! may therefore be cut off anywhere before its outcome is noted (docs/adr/0009 goes through them).

use crate::inputs::understand;
use crate::journal::Note;
use crate::state::State;
use crate::step::{Action, Event};
use crate::tables::{Tables, Work};
use std::collections::VecDeque;
use std::os::fd::RawFd;

/// A process whose exit is noted and that may not be reaped yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreaped {
    /// Its pid.
    pub pid: i32,
    /// Clock ticks since boot.
    pub start_time: u64,
    /// It was core.
    pub is_core: bool,
}

/// Where init was when it faulted.
#[derive(Debug, Default)]
pub struct Frontier {
    /// What it was about.
    pub work: Work<RawFd>,
    /// A child that may still wait to be told to go on.
    pub gate: Option<RawFd>,
    /// A process that may still be a zombie.
    pub unreaped: Option<Unreaped>,
}

/// How often a fault has come since anything else was noted.
#[must_use]
pub fn faults_at_the_end(notes: &[Note]) -> usize {
    notes.iter().rev().take_while(|note| **note == Note::Fault).count()
}

/// Go through the notes.
#[must_use]
pub fn replay(state: &mut State, tables: &mut Tables<RawFd>, notes: Vec<Note>) -> Frontier {
    let mut replay = Replay { state, tables, notes: notes.into(), frontier: Frontier::default() };
    while replay.next() {}
    replay.frontier
}

struct Replay<'a> {
    state: &'a mut State,
    tables: &'a mut Tables<RawFd>,
    notes: VecDeque<Note>,
    frontier: Frontier,
}

impl Replay<'_> {
    /// One thing more; false at the frontier.
    fn next(&mut self) -> bool {
        self.skip();
        let work = &mut self.frontier.work;
        if let Some(action) = work.actions.pop_front() {
            return match self.tables.settle(action, &mut work.fds) {
                Ok(event) => {
                    work.events.extend(event);
                    true
                }
                Err(action) => self.outcome(action),
            };
        }
        if let Some(event) = work.events.pop_front() {
            work.decide(self.state, self.tables, event);
            return true;
        }
        let Some(note) = self.notes.pop_front() else { return false };
        (self.frontier.gate, self.frontier.unreaped) = (None, None);
        match note {
            Note::Event { at_us, event } => {
                if let Event::Exited { pid, start_time, .. } = event {
                    let is_core = self.state.core_pid() == Some(pid);
                    self.frontier.unreaped = Some(Unreaped { pid, start_time, is_core });
                }
                self.begin(at_us, event, Vec::new());
            }
            Note::Message { at_us, bytes, fds, truncated } => {
                let event = understand(&bytes, fds.len(), truncated);
                self.begin(at_us, event, fds);
            }
            Note::Beat { at_us } => {
                let beat = Event::Frame { frame: sysmaster_link::ToInit::Beat, fds: 0 };
                self.begin(at_us, beat, Vec::new());
            }
            Note::Said => {
                if let Some(change) = self.tables.link.as_mut().and_then(|link| link.progress.said(self.state)) {
                    self.state.apply(change);
                }
            }
            // An outcome of nothing: its action was set aside.
            Note::Outcome { .. } | Note::LetGo | Note::Fault | Note::SetAside => {}
        }
        true
    }

    fn begin(&mut self, at_us: u64, event: Event, fds: Vec<RawFd>) {
        let events = if self.take_aside() { VecDeque::new() } else { VecDeque::from([event]) };
        self.frontier.work = Work::new(at_us, events, fds.into());
    }

    /// The outcome of an action, if it is noted; false at the frontier.
    fn outcome(&mut self, action: Action) -> bool {
        let Some(Note::Outcome { at_us, event, fds }) = self.notes.front().cloned() else {
            self.frontier.work.actions.push_front(action);
            // Notes that do not follow from each other: init goes on from where it still understands them.
            return false;
        };
        self.notes.pop_front();
        (self.frontier.gate, self.frontier.unreaped) = (None, None);
        let aside = self.take_aside();
        let work = &mut self.frontier.work;
        work.at_us = at_us;
        if matches!(action, Action::Spawn { .. }) {
            work.fds.pop_front();
        }
        if let Some(event) = event {
            let mut fds = fds.into_iter();
            if matches!(event, Event::Forked { .. }) {
                self.frontier.gate = fds.next();
            }
            self.tables.keep(&event, fds);
            work.events.push_back(event);
        }
        if aside {
            *work = Work::default();
        }
        true
    }

    /// Notes that only say something about others.
    fn skip(&mut self) {
        while let Some(Note::Fault | Note::LetGo) = self.notes.front() {
            if self.notes.pop_front() == Some(Note::LetGo) {
                self.frontier.gate = None;
            }
        }
    }

    /// Whether what comes of the note before was set aside.
    fn take_aside(&mut self) -> bool {
        let before = self.notes.iter().take_while(|note| matches!(note, Note::Fault | Note::LetGo)).count();
        if self.notes.get(before) != Some(&Note::SetAside) {
            return false;
        }
        self.notes.drain(..=before);
        true
    }
}

#[cfg(test)]
mod tests;
