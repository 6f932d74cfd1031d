//! The link to core: one frame a message, never waiting, no queue.
//!
//! What is to be said is not stored but derived: a [`Cursor`] for the hello, one [`Reply`] at a time (no frame is read while one
//! is due), and the records with their sent marks. So a full link costs nothing, and a new one starts from the state.

use crate::state::{Change, Kind, State};
use crate::step::Reply;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sysmaster_link::{FDS_MAX, FRAME_MAX, FromInit, encode};

/// Bytes of control data for the most descriptors a message can carry.
const CONTROL_BYTES: usize = rustix::cmsg_space!(ScmRights(FDS_MAX));
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
pub struct Link {
    socket: OwnedFd,
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
        /// Bytes of the buffer that it fills.
        bytes: usize,
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
    /// There is no room now.
    Full,
    /// There is nobody at the other end.
    Dead,
}

impl Link {
    /// A new pair: our end, and the one that becomes core's descriptor 0.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self::restore(ours, Progress { cursor: Cursor::Start, reply: None, closed: false }), theirs))
    }

    /// A link whose descriptor has come through a re-exec.
    #[must_use]
    pub fn restore(socket: OwnedFd, progress: Progress) -> Self {
        Self { socket, progress }
    }

    /// Take one message. `buffer` must be longer than [`FRAME_MAX`].
    ///
    /// # Errors
    /// Those of recvmsg(2), but EAGAIN; ECONNRESET is not an end, as data may be left behind it.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut space = [MaybeUninit::uninit(); CONTROL_BYTES];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let message = match recvmsg(&self.socket, &mut [IoSliceMut::new(buffer)], &mut control, flags) {
            Ok(message) => message,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Received::Empty),
            Err(error) => return Err(error.into()),
        };
        let mut fds = Vec::new();
        for part in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = part {
                fds.extend(received);
            }
        }
        // An empty message looks like the end of the file; only the end has nobody behind it.
        if message.bytes == 0 && fds.is_empty() && self.hung_up() {
            return Ok(Received::Closed);
        }
        let truncated = message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
        Ok(Received::Message { bytes: message.bytes, fds, truncated })
    }

    fn hung_up(&self) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
            && fds.iter().any(|fd| fd.revents().contains(PollFlags::HUP))
    }

    /// Send one frame with these descriptors. A frame that cannot be encoded counts as sent: it would never be otherwise.
    #[must_use]
    pub fn send(&self, frame: &FromInit, fds: &[BorrowedFd<'_>]) -> Sent {
        let Ok(bytes) = encode(frame) else { return Sent::Done };
        let mut space = [MaybeUninit::uninit(); CONTROL_BYTES];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Sent::Done;
        }
        match sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => Sent::Done,
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Sent::Dead,
            Err(_) => Sent::Full,
        }
    }

    /// Whether there is something to say.
    #[must_use]
    pub fn has_more(&self, state: &State) -> bool {
        self.progress.cursor != Cursor::Done || self.progress.reply.is_some() || state.next_unsent().is_some()
    }

    /// Say the next thing; where it was a record, the state is to be told with the change.
    ///
    /// # Errors
    /// [`Sent::Full`] or [`Sent::Dead`]; [`Sent::Done`] if there is nothing to say.
    pub fn say(&mut self, state: &State, store: &BTreeMap<String, OwnedFd>) -> Result<Option<Change>, Sent> {
        if self.progress.cursor != Cursor::Done {
            let (frame, next) = hello(&self.progress.cursor, state);
            if let Some(frame) = frame {
                expect_done(self.send(&frame, &[]))?;
            }
            self.progress.cursor = next;
            return Ok(None);
        }
        if let Some(reply) = self.progress.reply.take() {
            self.progress.reply = match self.answer(&reply, store) {
                Ok(rest) => rest,
                Err(sent) => {
                    self.progress.reply = Some(reply);
                    return Err(sent);
                }
            };
            return Ok(None);
        }
        let Some(kept) = state.next_unsent() else { return Err(Sent::Done) };
        expect_done(self.send(&FromInit::Record(kept.record.clone()), &[]))?;
        Ok(Some(Change::Sent(kept.record.number)))
    }

    /// Send a reply, or the next part of it; what is left of it.
    fn answer(&self, reply: &Reply, store: &BTreeMap<String, OwnedFd>) -> Result<Option<Reply>, Sent> {
        match reply {
            Reply::Refused { why, id, errno } => {
                let frame = FromInit::Refused { why: why.clone(), id: *id, errno: *errno };
                expect_done(self.send(&frame, &[]))?;
                Ok(None)
            }
            Reply::Fds { names } => {
                let now: Vec<&String> = names.iter().take(NAMES_MAX).collect();
                let rest: Vec<String> = names.iter().skip(NAMES_MAX).cloned().collect();
                let here: Vec<(&String, BorrowedFd<'_>)> =
                    now.into_iter().filter_map(|name| store.get(name).map(|fd| (name, fd.as_fd()))).collect();
                let frame = FromInit::Fds {
                    names: here.iter().map(|(name, _)| (*name).clone()).collect(),
                    last: rest.is_empty(),
                };
                let fds: Vec<BorrowedFd<'_>> = here.iter().map(|(_, fd)| *fd).collect();
                expect_done(self.send(&frame, &fds))?;
                Ok(if rest.is_empty() { None } else { Some(Reply::Fds { names: rest }) })
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn expect_done(sent: Sent) -> Result<(), Sent> {
    if sent == Sent::Done { Ok(()) } else { Err(sent) }
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
    /// Nothing more can be said on this link.
    pub fn give_up(&mut self) {
        self.cursor = Cursor::Done;
        self.reply = None;
        self.closed = true;
    }
}

/// The longest message that is read.
pub const BUFFER_BYTES: usize = FRAME_MAX + 1;
