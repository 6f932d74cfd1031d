//! What has happened since the state was last saved, in memory that outlives a fault: noted before it is acted upon.
//!
//! ```text
//! an input is taken  ->  note  ->  step, changes  ->  an action  ->  note of its outcome  ->  …
//! ```
//!
//! What takes an input away from its source (a frame, a signal, a report of the exec helper) puts it into this memory in the same
//! system call, and a frame that is sent is known to be sent in the same way: that is the *hand*, which is valid until the next
//! note. So between "taken" and "noted" there is nothing. docs/adr/0009 has the reasons, replay.rs the way back.

use crate::fault::point;
use crate::link::BUFFER_BYTES;
use crate::say::say;
use crate::step::Event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use sysmaster_sys::shared::{Place, Shared, Told};

/// Something that happened. Written from what is there (`E`: an event, `B`: bytes, `F`: numbers of descriptors).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note<E = Event, B = Vec<u8>, F = Vec<RawFd>> {
    /// The world has brought this about.
    Event {
        /// CLOCK_MONOTONIC, microseconds.
        at_us: u64,
        /// What.
        event: E,
    },
    /// Core has sent this.
    Message {
        /// CLOCK_MONOTONIC, microseconds.
        at_us: u64,
        /// All of it.
        bytes: B,
        /// Its descriptors.
        fds: F,
        /// Something did not fit.
        truncated: bool,
    },
    /// The action in hand is done, and this came of it.
    Outcome {
        /// CLOCK_MONOTONIC, microseconds.
        at_us: u64,
        /// What; none: nothing that matters.
        event: Option<E>,
        /// What is open now because of it.
        fds: F,
    },
    /// The child that was forked last has been told to go on.
    LetGo,
    /// The next thing that was due on the link has been sent.
    Said,
    /// The last beat.
    Beat {
        /// CLOCK_MONOTONIC, microseconds.
        at_us: u64,
    },
    /// Init has come back from a fault in the middle of its work.
    Fault,
    /// What init had in hand at those faults is not tried again.
    SetAside,
}

/// The same, borrowed.
pub type NoteRef<'a> = Note<&'a Event, &'a [u8], &'a [RawFd]>;

/// What was taken from its source, or sent, and has not been noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Nothing.
    Empty,
    /// A message of core's.
    Message(Vec<u8>, Told),
    /// A signal to init.
    Signal(i32),
    /// What the exec helper of this child has reported.
    Status(u64, Vec<u8>),
    /// The next thing that was due on the link.
    Said,
}

/// The layout begins with the version of it.
const VERSION: u64 = 1;
const AT_VERSION: usize = 0;
/// The saved state that the notes go on from.
const AT_GENERATION: usize = 8;
/// Bytes of notes.
const AT_END: usize = 16;
/// Where the notes ended when the hand was stretched out; it holds nothing once they end elsewhere.
const AT_HAND: usize = 24;
const AT_KIND: usize = 32;
const AT_DETAIL: usize = 40;
/// Not 0: init is at work.
const AT_BUSY: usize = 48;
const IN: Place = Place { header: 64, control: (192, 1088), data: (4096, BUFFER_BYTES) };
const OUT_HEADER: usize = 128;
const OUT_CONTROL: (usize, usize) = (1280, 1088);
/// Signals, and reports of the exec helper.
const SMALL: (usize, usize) = (2368, 1600);
const NOTES: usize = 73_728;
const NOTES_BYTES: usize = 1 << 20;
const BYTES: usize = NOTES + NOTES_BYTES;
/// No input needs more than this with all that comes of it.
const RESERVE: usize = 192 * 1024;
/// Fewer notes than this are never worth the saving of a state.
const NOTES_FEW: usize = 64 * 1024;

const KIND_MESSAGE: u64 = 1;
const KIND_SIGNAL: u64 = 2;
const KIND_STATUS: u64 = 3;
const KIND_SAID: u64 = 4;

/// The memory, and where it is.
#[derive(Debug)]
pub struct Journal {
    shared: Shared,
    memfd: OwnedFd,
    /// It was full: what has happened since is not in it.
    lost: bool,
}

impl Journal {
    /// A new one, which belongs to no saved state yet.
    ///
    /// # Errors
    /// Those of memfd_create(2), ftruncate(2) and mmap(2).
    pub fn new() -> io::Result<Self> {
        let memfd = memfd_create("journal", MemfdFlags::CLOEXEC)?;
        ftruncate(&memfd, BYTES as u64)?;
        let journal = Self { shared: Shared::map(memfd.as_fd(), BYTES)?, memfd, lost: false };
        journal.shared.store(AT_VERSION, VERSION);
        Ok(journal)
    }

    /// The one that an init before has left.
    ///
    /// # Errors
    /// EINVAL if it is none; those of mmap(2).
    pub fn reopen(memfd: OwnedFd) -> io::Result<Self> {
        let journal = Self { shared: Shared::map(memfd.as_fd(), BYTES)?, memfd, lost: false };
        if journal.shared.load(AT_VERSION) != VERSION || journal.used() > NOTES_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(journal)
    }

    /// Its descriptor.
    #[must_use]
    pub fn memfd(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }

    /// Which saved state the notes go on from.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.load(AT_GENERATION)
    }

    /// Begin anew after this saved state, which is in force already.
    pub fn begin(&mut self, generation: u64) {
        // While the numbers differ the notes count for nothing.
        self.shared.store(AT_END, 0);
        self.shared.store(AT_HAND, u64::MAX);
        self.shared.store(AT_BUSY, 0);
        self.shared.store(AT_GENERATION, generation);
        self.lost = false;
    }

    /// Bytes of notes.
    #[must_use]
    pub fn used(&self) -> usize {
        usize::try_from(self.shared.load(AT_END)).unwrap_or(usize::MAX)
    }

    /// Whether the state should be saved before more is taken in; it was so many bytes long. Its writing then costs no more than
    /// that of the notes.
    #[must_use]
    pub fn is_long(&self, saved_bytes: usize) -> bool {
        self.lost || self.used() > saved_bytes.clamp(NOTES_FEW, NOTES_BYTES - RESERVE)
    }

    /// Give the memory of notes and messages that are not needed any more back.
    ///
    /// # Errors
    /// Those of madvise(2).
    pub fn release(&self) -> io::Result<()> {
        self.shared.release(if self.used() == 0 { IN.data.0 } else { NOTES + self.used() })
    }

    /// Note something, and before it a beat, if there was one. All of it is there or nothing: what is in hand is noted with it.
    pub fn note(&mut self, beat: Option<u64>, note: &NoteRef<'_>) {
        point("before a note");
        if let Note::Outcome { fds, .. } | Note::Message { fds, .. } = note
            && let Some(highest) = fds.iter().max()
        {
            sysmaster_sys::fatal::reach(*highest);
        }
        let end = self.used();
        let mut bytes = Vec::new();
        let beat = beat.map(|at_us| NoteRef::Beat { at_us });
        let whole = beat.iter().chain([note]).all(|note| frame(&mut bytes, note));
        if !(self.lost || whole && self.append(end, &bytes)) {
            self.lost = true;
            say(2, "the journal is full: a fault now would cost what happens until the state is saved");
        }
        point("after a note");
    }

    fn append(&self, end: usize, bytes: &[u8]) -> bool {
        let after = end.saturating_add(bytes.len());
        if after > NOTES_BYTES || !self.shared.write(NOTES + end, bytes) {
            return false;
        }
        self.shared.store(AT_END, after as u64);
        true
    }

    /// All notes, oldest first. One that is not understood ends them.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let bytes = self.shared.read(NOTES, self.used());
        let mut rest = bytes.as_slice();
        let mut notes = Vec::new();
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some(note) = tail.get(..length).and_then(decode) else {
                say(2, "the journal holds something that is no note; it ends there");
                break;
            };
            notes.push(note);
            rest = tail.get(length..).unwrap_or_default();
        }
        notes
    }

    /// Init begins to work, or has done it.
    pub fn busy(&self, busy: bool) {
        self.shared.store(AT_BUSY, u64::from(busy));
    }

    /// Whether init was at work.
    #[must_use]
    pub fn was_busy(&self) -> bool {
        self.shared.load(AT_BUSY) != 0
    }

    /// From here on the hand is what it says that it is.
    fn stretch(&self, kind: u64, detail: u64) {
        self.shared.store(AT_HAND, u64::MAX);
        self.shared.forget(IN.header);
        self.shared.forget(OUT_HEADER);
        self.shared.store(AT_KIND, kind);
        self.shared.store(AT_DETAIL, detail);
    }

    fn is_out(&self) {
        self.shared.store(AT_HAND, self.shared.load(AT_END));
    }

    /// Receive one message of core's, without waiting.
    ///
    /// # Errors
    /// Those of recvmsg(2), but EAGAIN and EINTR.
    pub fn receive(&self, link: BorrowedFd<'_>) -> io::Result<Option<(Told, Vec<OwnedFd>)>> {
        self.stretch(KIND_MESSAGE, 0);
        self.is_out();
        point("before a receive");
        let received = self.shared.receive(link, IN)?;
        point("after a receive");
        Ok(received)
    }

    /// The bytes of the message that was received last.
    #[must_use]
    pub fn message(&self, told: &Told) -> Vec<u8> {
        self.shared.read(IN.data.0, told.bytes)
    }

    /// Send one message, without waiting. It is to be noted with [`Note::Said`].
    ///
    /// # Errors
    /// Those of sendmsg(2).
    pub fn send(&self, link: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.stretch(KIND_SAID, 0);
        self.is_out();
        point("before a send");
        let sent = self.shared.send(link, OUT_HEADER, OUT_CONTROL, bytes, fds);
        point("after a send");
        sent
    }

    /// The next signal to init, none if there is none.
    ///
    /// # Errors
    /// Those of read(2), but EAGAIN and EINTR.
    pub fn signal(&self, signals: BorrowedFd<'_>) -> io::Result<Option<i32>> {
        self.read_small(KIND_SIGNAL, 0, signals, sysmaster_sys::signal::INFO_BYTES)
            .map(|bytes| bytes.as_deref().and_then(sysmaster_sys::signal::number_in))
    }

    /// What the exec helper of this child has reported; empty: its end of the pipe is closed. None: nothing yet.
    ///
    /// # Errors
    /// Those of read(2), but EAGAIN and EINTR.
    pub fn status(&self, serial: u64, pipe: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
        self.read_small(KIND_STATUS, serial, pipe, SMALL.1)
    }

    fn read_small(&self, kind: u64, detail: u64, from: BorrowedFd<'_>, most: usize) -> io::Result<Option<Vec<u8>>> {
        self.stretch(kind, detail);
        // A report is written whole, and a read takes all of it: how long it is can be known before.
        let there = match kind {
            KIND_STATUS => usize::try_from(rustix::io::ioctl_fionread(from)?).unwrap_or(usize::MAX).min(most),
            _ => most,
        };
        if there == 0 {
            return Ok(is_closed(from)?.then(Vec::new));
        }
        let clean =
            self.shared.forget_read(SMALL.0) && self.shared.write(SMALL.0 + SMALL.1, &(there as u64).to_le_bytes());
        if !clean {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.is_out();
        point("before a read");
        let read = match self.shared.read_whole(from, SMALL.0, there) {
            Ok(count) => Ok(Some(self.shared.read(SMALL.0, count))),
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::EAGAIN | nix::libc::EINTR)) => Ok(None),
            Err(error) => Err(error),
        };
        point("after a read");
        read
    }

    /// What was in hand at the fault; none: init had not stretched it out, or has noted what it got.
    #[must_use]
    pub fn hand(&self) -> Option<Hand> {
        if self.shared.load(AT_HAND) != self.shared.load(AT_END) {
            return None;
        }
        let small = || {
            let bytes = self.shared.read(SMALL.0 + SMALL.1, 8);
            let length = bytes.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            self.shared.read(SMALL.0, usize::try_from(length).unwrap_or(0).min(SMALL.1))
        };
        Some(match self.shared.load(AT_KIND) {
            KIND_MESSAGE => match self.shared.told(IN) {
                Some(told) => Hand::Message(self.message(&told), told),
                None => Hand::Empty,
            },
            KIND_SIGNAL if self.shared.was_read(SMALL.0) => {
                sysmaster_sys::signal::number_in(&small()).map_or(Hand::Empty, Hand::Signal)
            }
            KIND_STATUS if self.shared.was_read(SMALL.0) => Hand::Status(self.shared.load(AT_DETAIL), small()),
            KIND_SAID if self.shared.sent(OUT_HEADER) => Hand::Said,
            _ => Hand::Empty,
        })
    }
}

/// A note, with its length in front; false if it cannot be written.
fn frame(bytes: &mut Vec<u8>, note: &NoteRef<'_>) -> bool {
    let Ok(note) = postcard::to_allocvec(note) else { return false };
    let Ok(length) = u32::try_from(note.len()) else { return false };
    bytes.extend(length.to_le_bytes());
    bytes.extend(note);
    true
}

/// Whether the other end of a pipe is closed and nothing is left in it.
fn is_closed(pipe: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(pipe, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(fds.iter().all(|fd| fd.revents().contains(PollFlags::HUP) && !fd.revents().contains(PollFlags::IN)))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

#[cfg(test)]
mod tests;
