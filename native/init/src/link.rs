//! The link to core: one frame a message, never waiting, no queue.
//!
//! What is to be said is not stored but derived: a [`Cursor`] for the hello, one [`Reply`] at a time (no frame is read while one
//! is due), and the records with their sent marks. So a full link costs nothing, and a new one starts from the state. That
//! something was sent and what that changes are two things: the journal is told in between.

use crate::journal::Journal;
use crate::state::{Change, Kind, State};
use crate::step::Reply;
use nix::libc::{ECONNRESET, ENOTCONN, EPIPE};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sysmaster_link::{FRAME_MAX, FromInit, encode};

/// Most names in one frame, so that 255 bytes each fit [`FRAME_MAX`].
const NAMES_MAX: usize = 200;

/// How far the hello is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// Nothing sent.
    Start,
    /// Children up to this serial are sent.
    Children(u64),
    /// Names up to this one are sent.
    Names(String),
    /// All of it is sent.
    Done,
}

/// What survives a re-exec of a link, apart from its descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How far the hello is.
    pub cursor: Cursor,
    /// An answer that is due.
    pub reply: Option<Reply>,
    /// Core has closed its end.
    pub closed: bool,
}

/// The link to the present core.
#[derive(Debug)]
pub struct Link<F = OwnedFd> {
    /// Our end of it.
    pub socket: F,
    /// How far everything is.
    pub progress: Progress,
}

/// What came of a receive.
#[derive(Debug)]
pub enum Received {
    /// Nothing there.
    Empty,
    /// Core has closed its end, and nothing is left.
    Closed,
    /// A message, with its descriptors.
    Message {
        /// All of it.
        bytes: Vec<u8>,
        /// Its descriptors.
        fds: Vec<OwnedFd>,
        /// It was longer than any frame, or had more descriptors than init can take.
        truncated: bool,
    },
}

/// What came of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Done,
    /// There was nothing to say.
    Nothing,
    /// There is no room now.
    Full,
    /// There is nobody at the other end.
    Dead,
}

impl<F> Link<F> {
    /// A link on which nothing has been said.
    #[must_use]
    pub const fn new(socket: F) -> Self {
        Self { socket, progress: Progress { cursor: Cursor::Start, reply: None, closed: false } }
    }
}

impl Link {
    /// A new pair: our end, and the one that becomes core's descriptor 0.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
        Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
    }

    /// Take one message.
    ///
    /// # Errors
    /// Those of recvmsg(2), but EAGAIN; ECONNRESET is not an end, as data may be left behind it.
    pub fn receive(&self, journal: &Journal) -> io::Result<Received> {
        let Some((told, fds)) = journal.receive(self.as_fd())? else { return Ok(Received::Empty) };
        let bytes = journal.message(&told);
        // An empty message looks like the end of the file; only the end has nobody behind it.
        if bytes.is_empty() && fds.is_empty() && self.hung_up() {
            return Ok(Received::Closed);
        }
        Ok(Received::Message { bytes, fds, truncated: told.truncated })
    }

    /// Whether nobody is at the other end any more.
    #[must_use]
    pub fn hung_up(&self) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
            && fds.iter().any(|fd| fd.revents().contains(PollFlags::HUP))
    }

    /// Send one frame with these descriptors. A frame that cannot be encoded counts as sent: it would never be otherwise.
    fn send(&self, journal: &Journal, frame: &FromInit, fds: &[BorrowedFd<'_>]) -> Sent {
        let Ok(bytes) = encode(frame) else { return Sent::Done };
        match journal.send(self.as_fd(), &bytes, fds) {
            Ok(()) => Sent::Done,
            Err(error) => match error.raw_os_error() {
                Some(EPIPE | ECONNRESET | ENOTCONN) => Sent::Dead,
                _ => Sent::Full,
            },
        }
    }

    /// Whether there is something to say.
    #[must_use]
    pub fn has_more(&self, state: &State) -> bool {
        self.progress.cursor != Cursor::Done || self.progress.reply.is_some() || state.next_unsent().is_some()
    }

    /// Send the next thing there is to say; [`Progress::said`] has what follows from it.
    #[must_use]
    pub fn say(&self, journal: &Journal, state: &State, store: &BTreeMap<String, OwnedFd>) -> Sent {
        if self.progress.cursor != Cursor::Done {
            return match hello(&self.progress.cursor, state).0 {
                Some(frame) => self.send(journal, &frame, &[]),
                None => Sent::Done,
            };
        }
        match (&self.progress.reply, state.next_unsent()) {
            (Some(Reply::Refused { why, id, errno }), _) => {
                self.send(journal, &FromInit::Refused { why: why.clone(), id: *id, errno: *errno }, &[])
            }
            (Some(Reply::Fds { names }), _) => {
                let here =
                    names.iter().take(NAMES_MAX).filter_map(|name| Some((name.clone(), store.get(name)?.as_fd())));
                let (sent, fds): (Vec<String>, Vec<BorrowedFd<'_>>) = here.unzip();
                let last = names.len() <= NAMES_MAX;
                self.send(journal, &FromInit::Fds { names: sent, last }, &fds)
            }
            (None, Some(kept)) => self.send(journal, &FromInit::Record(kept.record.clone()), &[]),
            (None, None) => Sent::Nothing,
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The next frame of the hello, and where it is then. Pure. Without a frame the cursor just moves on.
#[must_use]
pub fn hello(cursor: &Cursor, state: &State) -> (Option<FromInit>, Cursor) {
    match cursor {
        Cursor::Start => {
            let facts = &state.facts;
            let stopping = match &state.phase {
                crate::state::Phase::Up => None,
                crate::state::Phase::Stopping { order, .. } | crate::state::Phase::Ending { order, .. } => {
                    Some(order.kind)
                }
            };
            let frame = FromInit::Hello {
                role: facts.role,
                pid: facts.pid,
                epoch: state.epoch,
                cgroup_root: facts.cgroup_root.clone(),
                cores: state.core.started.saturating_sub(1),
                safe_mode: state.core.level > crate::state::Level::Normal,
                stopping,
                deaths: state.core.deaths.clone(),
                can_set_uid: facts.can_set_uid,
            };
            (Some(frame), Cursor::Children(0))
        }
        Cursor::Children(after) => {
            let rest = state.children.range(after.saturating_add(1)..).map(|(_, child)| child);
            let next = rest.filter(|child| child.pid > 0).find_map(|child| match &child.kind {
                Kind::Unit { id, tag } => Some((child, *id, tag.clone())),
                _ => None,
            });
            match next {
                Some((child, id, tag)) => {
                    let (serial, pid, start_time, execed) = (child.serial, child.pid, child.start_time, child.execed);
                    let frame = FromInit::HelloChild { id, tag, serial, pid, start_time, execed };
                    (Some(frame), Cursor::Children(serial))
                }
                None => (None, Cursor::Names(String::new())),
            }
        }
        Cursor::Names(after) => {
            let rest = state.names.iter().skip_while(|name| *name <= after);
            let names: Vec<String> = rest.take(NAMES_MAX).cloned().collect();
            match names.last().cloned() {
                Some(last) => (Some(FromInit::HelloFds { names }), Cursor::Names(last)),
                None => {
                    let records = u32::try_from(state.records.len()).unwrap_or(u32::MAX);
                    let frame = FromInit::HelloEnd { orphans_dropped: state.orphans_dropped, records };
                    (Some(frame), Cursor::Done)
                }
            }
        }
        Cursor::Done => (None, Cursor::Done),
    }
}

impl Progress {
    /// The next thing has been sent: how far everything is now. Where it was a record, the state is to be told.
    #[must_use]
    pub fn said(&mut self, state: &State) -> Option<Change> {
        if self.cursor != Cursor::Done {
            self.cursor = hello(&self.cursor, state).1;
            return None;
        }
        match self.reply.take() {
            Some(Reply::Fds { names }) if names.len() > NAMES_MAX => {
                let names = names.into_iter().skip(NAMES_MAX).collect();
                self.reply = Some(Reply::Fds { names });
                None
            }
            Some(_) => None,
            None => state.next_unsent().map(|kept| Change::Sent(kept.record.number)),
        }
    }

    /// Nothing more can be said on this link.
    pub fn give_up(&mut self) {
        self.cursor = Cursor::Done;
        self.reply = None;
        self.closed = true;
    }
}

/// The longest message that is read.
pub const BUFFER_BYTES: usize = FRAME_MAX + 1;
