//! Descriptors that came from outside: inherited over an execve, or known by number only.

use nix::libc;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Take ownership of an inherited descriptor and mark it close-on-exec.
///
/// Everything this program opens itself is close-on-exec from birth, so a descriptor that is not must have been inherited
/// and has no owner yet; taking it twice fails, as the first time marks it. Descriptors 0 to 2 belong to std and are refused.
///
/// # Errors
/// EBADF if it is not open, EBUSY if it has an owner (fcntl(2), F_GETFD).
pub fn take_fd(number: RawFd) -> io::Result<OwnedFd> {
    if number <= libc::STDERR_FILENO {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    // SAFETY: F_GETFD takes no pointer and changes nothing, whatever the number is.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    // SAFETY: F_SETFD takes an int; the descriptor is open, as F_GETFD has just said.
    if unsafe { libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nothing in this program owns it: what we open is close-on-exec, this was not.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
