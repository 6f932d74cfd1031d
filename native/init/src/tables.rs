//! Which descriptors init has, and what it has in hand. The same code keeps them while init runs (as descriptors) and after a fault
//! (as numbers, until they are all known): what is closed, kept or named follows from events and actions alone.

use crate::link::Link;
use crate::state::{Kind, State};
use crate::step::{Action, Event, step};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;

/// All descriptors that belong to somebody.
#[derive(Debug)]
pub struct Tables<F = OwnedFd> {
    /// The link to core.
    pub link: Option<Link<F>>,
    /// The descriptor store.
    pub store: BTreeMap<String, F>,
    /// Status pipes of children that have not become their program yet, by serial.
    pub statuses: BTreeMap<u64, F>,
    /// Watched processes by pid and start time.
    pub pidfds: BTreeMap<(i32, u64), F>,
}

impl<F> Default for Tables<F> {
    fn default() -> Self {
        Self { link: None, store: BTreeMap::new(), statuses: BTreeMap::new(), pidfds: BTreeMap::new() }
    }
}

/// What init is about: an input, and all that it brings about.
#[derive(Debug)]
pub struct Work<F = OwnedFd> {
    /// When the last thing happened: CLOCK_MONOTONIC, microseconds.
    pub at_us: u64,
    /// What is still to be decided upon.
    pub events: VecDeque<Event>,
    /// What is still to be done; it comes before any further event.
    pub actions: VecDeque<Action>,
    /// Descriptors of the message, but for those that an action has taken.
    pub fds: VecDeque<F>,
}

impl<F> Default for Work<F> {
    fn default() -> Self {
        Self::new(0, VecDeque::new(), VecDeque::new())
    }
}

impl<F> Work<F> {
    /// Begin with these events.
    #[must_use]
    pub const fn new(at_us: u64, events: VecDeque<Event>, fds: VecDeque<F>) -> Self {
        Self { at_us, events, actions: VecDeque::new(), fds }
    }

    /// Whether anything is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.events.is_empty() && self.actions.is_empty()
    }

    /// Let an event be decided, and apply the changes.
    pub fn decide(&mut self, state: &mut State, tables: &mut Tables<F>, event: Event) {
        tables.close_for(state, &event);
        let turn = step(state, self.at_us, event);
        turn.changes.into_iter().for_each(|change| state.apply(change));
        self.actions.extend(turn.actions);
    }
}

impl<F> Tables<F> {
    /// Close what an event makes useless. It has been noted by then.
    fn close_for(&mut self, state: &State, event: &Event) {
        match event {
            Event::Execed { serial } | Event::ExecFailed { serial, .. } => {
                self.statuses.remove(serial);
            }
            Event::Exited { pid, start_time, .. } => {
                if let Some(child) = state.child_of_pid(*pid) {
                    self.statuses.remove(&child.serial);
                    if child.kind == Kind::Core {
                        self.link = None;
                    }
                }
                self.pidfds.remove(&(*pid, *start_time));
            }
            Event::WatchEnded { pid, start_time } => {
                self.pidfds.remove(&(*pid, *start_time));
            }
            _ => {}
        }
    }

    /// Keep what an action has opened: `fds` as the action gives them.
    pub fn keep(&mut self, event: &Event, fds: impl IntoIterator<Item = F>) {
        let mut fds = fds.into_iter();
        match event {
            Event::Forked { serial, .. } => {
                self.statuses.extend(fds.next().map(|status| (*serial, status)));
                if let Some(socket) = fds.next() {
                    self.link = Some(Link::new(socket));
                }
            }
            Event::Watching(watch) => self.pidfds.extend(fds.next().map(|fd| ((watch.pid, watch.start_time), fd))),
            Event::Accepted { name, .. } => self.store.extend(fds.next().map(|fd| (name.clone(), fd))),
            _ => {}
        }
    }

    /// Carry out an action that concerns nothing but these tables.
    ///
    /// # Errors
    /// The action itself, if it concerns the world.
    pub fn settle(&mut self, action: Action, fds: &mut VecDeque<F>) -> Result<Option<Event>, Action> {
        match action {
            Action::Answer(reply) => {
                if let Some(link) = &mut self.link
                    && !link.progress.closed
                {
                    link.progress.reply = Some(reply);
                }
                Ok(None)
            }
            Action::Store { id, names } => {
                self.store.extend(names.iter().cloned().zip(fds.drain(..)));
                Ok(Some(Event::Stored { id, names }))
            }
            Action::Drop { id, names } => {
                names.iter().for_each(|name| drop(self.store.remove(name)));
                Ok(Some(Event::Dropped { id, names }))
            }
            action => Err(action),
        }
    }

    /// The same tables of other descriptors; what `give` has none for is left out.
    pub fn map<G>(self, mut give: impl FnMut(&str, F) -> Option<G>) -> Tables<G> {
        let link = self.link.and_then(|link| {
            let Link { socket, progress } = link;
            Some(Link { socket: give("the link", socket)?, progress })
        });
        let mut of = |what: &str, fd| give(what, fd);
        Tables {
            link,
            store: self.store.into_iter().filter_map(|(name, fd)| of(&name, fd).map(|fd| (name, fd))).collect(),
            statuses: self.statuses.into_iter().filter_map(|(key, fd)| Some((key, of("a status pipe", fd)?))).collect(),
            pidfds: self.pidfds.into_iter().filter_map(|(key, fd)| Some((key, of("a pidfd", fd)?))).collect(),
        }
    }
}
