//! One service's pipe: looked at, written down, and only then taken.
//!
//! tee(2) copies what waits into a pipe of our own without taking it, and from there it is read. The records are written to the
//! file, and then exactly their bytes are taken from the service's pipe. Whoever ends this process at whatever point, the bytes
//! are either still in the pipe or in the file, or both; never in neither. A line that has not ended stays in the pipe.

use crate::clock::Moment;
use crate::lines::{self, Tail};
use crate::record::Record;
use crate::store::Store;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice, tee};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// At most this much of one pipe a turn, so that a chatty service delays the others by one turn at most.
pub const TURN_MAX: usize = 64 * 1024;
/// Records are written in batches of about this size: what a turn holds in memory does not depend on how short the lines are.
const BATCH_MAX: usize = 256 * 1024;
/// Wanted size of a service's pipe: a line of LINE_MAX must fit even if the writer fills its pages badly.
const PIPE_SIZE: usize = 256 * 1024;
/// Wanted size of our own: as large as any pipe may be, as it must show all that waits in another.
const OWN_PIPE_SIZE: usize = 1024 * 1024;
/// An unfinished line shorter than this cannot be what fills a pipe.
const FULL_MIN: usize = 4096;

/// What the records of a pipe say of their origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The unit.
    pub unit: String,
    /// Its invocation id.
    pub invocation: String,
    /// SyslogIdentifier=.
    pub identifier: String,
    /// SyslogLevel=, 0..=7.
    pub priority: u8,
    /// SyslogLevelPrefix=.
    pub level_prefix: bool,
}

/// A pipe is the same pipe by device and inode, whoever passes it and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
}

/// The read end of a service's pipe.
pub struct Stream {
    /// The descriptor.
    pub fd: OwnedFd,
    /// Which pipe it is.
    pub identity: Identity,
    /// Whose it is.
    pub origin: Origin,
}

/// What all pipes share: memory for one turn.
pub struct Scratch {
    read: OwnedFd,
    write: OwnedFd,
    null: OwnedFd,
    buffer: Vec<u8>,
    batch: Vec<u8>,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There may be more.
    More,
    /// Nothing, or only an unfinished line.
    Idle,
    /// Nobody will ever write to it again, and all of it is written down.
    Ended,
}

impl Scratch {
    /// A pipe of our own, and /dev/null to throw into what is written down.
    ///
    /// # Errors
    /// Those of pipe2(2) and of opening /dev/null.
    pub fn new() -> io::Result<Self> {
        let (read, write) = own_pipe()?;
        let null = rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { read, write, null, buffer: vec![0; TURN_MAX], batch: Vec::with_capacity(BATCH_MAX) })
    }
}

fn own_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    // Where it may not be that large, long lines in badly filled pages are cut earlier.
    let _ = fcntl_setpipe_size(&write, OWN_PIPE_SIZE);
    Ok((read, write))
}

impl Stream {
    /// Take charge of a pipe.
    ///
    /// # Errors
    /// EINVAL if it is none; those of fstat(2).
    pub fn new(fd: OwnedFd, origin: Origin) -> io::Result<Self> {
        let found = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Fifo {
            return Err(Errno::INVAL.into());
        }
        let present = rustix::pipe::fcntl_getpipe_size(&fd)?;
        if present < PIPE_SIZE {
            // Beyond the user's allowance it stays as it is.
            let _ = fcntl_setpipe_size(&fd, PIPE_SIZE);
        }
        Ok(Self { fd, identity: Identity { device: found.st_dev, inode: found.st_ino }, origin })
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        ioctl_fionread(&self.fd).ok().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
    }

    /// Write down what waits, at most [`TURN_MAX`] bytes of it, and take it from the pipe.
    ///
    /// # Errors
    /// Those of tee(2), read(2) and splice(2): the pipe is of no more use.
    pub fn turn(&self, scratch: &mut Scratch, store: &mut Store) -> io::Result<Turn> {
        // Asked before looking: what came before the last writer went is then in what is looked at.
        let ended = self.has_no_writer()?;
        let Some(length) = self.look(scratch)? else { return Ok(if ended { Turn::Ended } else { Turn::Idle }) };
        let all = length == self.waiting();
        let tail = if ended && all { Tail::Finish } else { Tail::Hold };
        let mut taken = self.write_down(scratch, length, tail, store, true)?;
        if taken == 0 && length >= FULL_MIN && self.is_full() {
            taken = self.write_down(scratch, length, Tail::Cut, store, true)?;
        }
        Ok(if taken > 0 { Turn::More } else { Turn::Idle })
    }

    /// Take everything that waits now, and nothing that comes meanwhile; an unfinished line stays.
    ///
    /// # Errors
    /// As [`Stream::turn`].
    pub fn drain(&self, scratch: &mut Scratch, store: &mut Store) -> io::Result<Turn> {
        let rounds = self.waiting() / (TURN_MAX - lines::LINE_MAX) + 1;
        for _ in 0..rounds {
            match self.turn(scratch, store)? {
                Turn::More => {}
                other => return Ok(other),
            }
        }
        Ok(Turn::More)
    }

    /// Take an unfinished line as well.
    ///
    /// # Errors
    /// As [`Stream::turn`].
    pub fn finish(&self, scratch: &mut Scratch, store: &mut Store) -> io::Result<()> {
        self.drain(scratch, store)?;
        if let Some(length) = self.look(scratch)? {
            self.write_down(scratch, length, Tail::Finish, store, true)?;
        }
        Ok(())
    }

    /// Write down an unfinished line without taking it: whoever comes next will read it again, whole.
    ///
    /// # Errors
    /// As [`Stream::turn`].
    pub fn leave(&self, scratch: &mut Scratch, store: &mut Store) -> io::Result<()> {
        self.drain(scratch, store)?;
        if let Some(length) = self.look(scratch)? {
            self.write_down(scratch, length, Tail::Cut, store, false)?;
        }
        Ok(())
    }

    /// Copy what waits into the buffer without taking it; none if nothing does.
    fn look(&self, scratch: &mut Scratch) -> io::Result<Option<usize>> {
        let length = match rustix::io::retry_on_intr(|| tee(&self.fd, &scratch.write, TURN_MAX, SpliceFlags::NONBLOCK))
        {
            Ok(0) | Err(Errno::AGAIN) => return Ok(None),
            result => result?,
        };
        let mut read = 0;
        while read < length {
            match rustix::io::retry_on_intr(|| rustix::io::read(&scratch.read, &mut scratch.buffer[read..length])) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => read += more,
                Err(error) => {
                    // What is left in our own pipe must not be taken for the next service's.
                    (scratch.read, scratch.write) = own_pipe()?;
                    return Err(error.into());
                }
            }
        }
        Ok(Some(length))
    }

    /// Write the lines among the first `length` bytes of the buffer, batch by batch, and take each batch when it is written.
    fn write_down(
        &self,
        scratch: &mut Scratch,
        length: usize,
        tail: Tail,
        store: &mut Store,
        take: bool,
    ) -> io::Result<usize> {
        let at = Moment::now();
        let (mut count, mut end, mut taken) = (0, 0, 0);
        scratch.batch.clear();
        for line in lines::split(&scratch.buffer[..length], tail) {
            end = line.end;
            let (level, message) = if self.origin.level_prefix { lines::level(line.bytes) } else { (None, line.bytes) };
            // Empty lines say nothing; the journal leaves them out as well.
            if !message.is_empty() {
                let record = Record {
                    at,
                    priority: level.unwrap_or(self.origin.priority),
                    unit: &self.origin.unit,
                    identifier: &self.origin.identifier,
                    invocation: &self.origin.invocation,
                    sender: None,
                    cut: line.cut,
                    message,
                };
                record.write_to(&mut scratch.batch);
                count += 1;
            }
            if scratch.batch.len() >= BATCH_MAX {
                store.append(&self.origin.unit, &scratch.batch, count);
                scratch.batch.clear();
                count = 0;
                if take {
                    self.take(&scratch.null, end - taken)?;
                }
                taken = end;
            }
        }
        if count > 0 {
            store.append(&self.origin.unit, &scratch.batch, count);
        }
        if take {
            self.take(&scratch.null, end - taken)?;
        }
        Ok(end)
    }

    fn take(&self, null: &OwnedFd, length: usize) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            match rustix::io::retry_on_intr(|| splice(&self.fd, None, null, None, left, SpliceFlags::NONBLOCK))? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                taken => left -= taken,
            }
        }
        Ok(())
    }

    fn has_no_writer(&self) -> io::Result<bool> {
        let mut ready = [PollFd::new(&self.fd, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })))?;
        Ok(ready[0].revents().contains(PollFlags::HUP))
    }

    /// Whether a writer would have to wait. Only a write end can tell, so one is opened for a moment.
    fn is_full(&self) -> bool {
        let path = format!("/proc/self/fd/{}", self.fd.as_fd().as_raw_fd());
        let Ok(write) = rustix::fs::open(path, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
        else {
            return true;
        };
        let mut ready = [PollFd::new(&write, PollFlags::OUT)];
        let result = rustix::io::retry_on_intr(|| poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })));
        result.is_ok() && !ready[0].revents().contains(PollFlags::OUT)
    }
}
