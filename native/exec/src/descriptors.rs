//! Passed descriptors: out of each other's way, and the listening ones at 3, 4, … (sd_listen_fds(3)).

use crate::failure::{At, Failure};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use sysmaster_link::{ExecSpec, ExecStep};

/// SD_LISTEN_FDS_START.
const LISTEN_START: RawFd = 3;

/// The descriptors init passed, all close-on-exec and above those that the service will get.
pub struct Passed(Vec<OwnedFd>);

impl Passed {
    /// The passed descriptor with this number in the spec's count.
    pub fn get(&self, number: u32) -> Option<BorrowedFd<'_>> {
        self.0.get(usize::try_from(number).ok()?).map(AsFd::as_fd)
    }
}

/// The descriptors a service finds at 3 and on. They hold their numbers, close-on-exec until [`Listening::open`].
pub struct Listening(Vec<OwnedFd>);

/// Move everything above the numbers that LISTEN_FDS needs, then put those in place.
pub fn place(spec: &ExecSpec, passed: Vec<OwnedFd>, status: &mut OwnedFd) -> Result<(Passed, Listening), Failure> {
    let first_free = first_free(spec)?;
    if status.as_raw_fd() < first_free {
        *status = fcntl_dupfd_cloexec(&*status, first_free).at(ExecStep::Fds, "status pipe")?;
    }
    let mut moved = Vec::with_capacity(passed.len());
    for fd in passed {
        let high = fd.as_raw_fd() >= first_free;
        moved.push(if high {
            fd
        } else {
            fcntl_dupfd_cloexec(&fd, first_free).at(ExecStep::Fds, "passed descriptor")?
        });
    }
    let passed = Passed(moved);
    let mut listening = Vec::with_capacity(spec.listen_fds.len());
    for (wanted, number) in (LISTEN_START..).zip(&spec.listen_fds) {
        let fd = passed.get(*number).ok_or_else(|| no_such(*number))?;
        let placed = fcntl_dupfd_cloexec(fd, wanted).at(ExecStep::Fds, format!("descriptor {wanted}"))?;
        if placed.as_raw_fd() != wanted {
            return Err(Failure::new(ExecStep::Fds, Errno::BUSY, format!("descriptor {wanted}")));
        }
        let stored = usize::try_from(spec.stored_fds).unwrap_or(usize::MAX);
        if listening.len() < spec.listen_fds.len().saturating_sub(stored) {
            set_nonblocking(&placed, spec.non_blocking).at(ExecStep::Fds, format!("descriptor {wanted}"))?;
        }
        listening.push(placed);
    }
    Ok((passed, Listening(listening)))
}

fn first_free(spec: &ExecSpec) -> Result<RawFd, Failure> {
    RawFd::try_from(spec.listen_fds.len())
        .ok()
        .and_then(|count| count.checked_add(LISTEN_START))
        .ok_or_else(|| Failure::new(ExecStep::Fds, Errno::INVAL, "listen_fds"))
}

/// The failure for a number that the spec counts and init did not pass.
pub fn no_such(number: u32) -> Failure {
    Failure::new(ExecStep::Fds, Errno::BADF, format!("passed descriptor {number}"))
}

/// Set or clear O_NONBLOCK. The flag belongs to the open file, so every process that shares it sees the change.
pub fn set_nonblocking(fd: impl AsFd, nonblocking: bool) -> rustix::io::Result<()> {
    let flags = fcntl_getfl(&fd)?;
    let wanted = if nonblocking { flags | OFlags::NONBLOCK } else { flags - OFlags::NONBLOCK };
    if wanted == flags { Ok(()) } else { fcntl_setfl(&fd, wanted) }
}

impl Listening {
    /// Let them through execve, and nothing else above standard error. They are the next program's from here on.
    pub fn open(self, spec: &ExecSpec) -> Result<(), Failure> {
        sysmaster_sys::exec_calls::cloexec_from(first_free(spec)?).at(ExecStep::Fds, "close-on-exec")?;
        for fd in self.0 {
            fcntl_setfd(&fd, FdFlags::empty()).at(ExecStep::Fds, format!("descriptor {}", fd.as_raw_fd()))?;
            let _kept_open = fd.into_raw_fd();
        }
        Ok(())
    }
}
