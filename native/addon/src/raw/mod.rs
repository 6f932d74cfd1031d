//! The one place of the addon where `unsafe` is allowed: descriptors as numbers, socket options, libc calls without a safe
//! wrapper, a shared mapping, and Node's event loop.

mod map;
mod uv;

pub use map::Mapping;
pub use uv::Watch;

use nix::errno::Errno;
use nix::libc;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Borrow a descriptor that JavaScript named by number, for the length of one call.
pub fn borrow(fd: RawFd) -> nix::Result<BorrowedFd<'static>> {
    if fd < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: the number is not -1, and the borrow is used only within one synchronous call, during which no JavaScript can
    // close it; the one that a checking thread adds watches to (watched.rs) is never closed. A number that is not open gives EBADF
    // from the kernel.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Take ownership of a descriptor that a system call has just made for us (SCM_RIGHTS, accept).
pub fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: callers pass only descriptors that the kernel has just handed to this process and nothing else owns.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// setsockopt(2) with any bytes.
pub fn set_option(fd: BorrowedFd<'_>, level: i32, option: i32, value: &[u8]) -> nix::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the pointer and length describe `value`, which outlives the call; the kernel only reads it.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, value.as_ptr().cast(), length) };
    Errno::result(result).map(drop)
}

/// getsockopt(2) of an `int`.
pub fn get_option(fd: BorrowedFd<'_>, level: i32, option: i32) -> nix::Result<i32> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `value`.
    let result = unsafe { libc::getsockopt(fd.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut length) };
    Errno::result(result).map(|_| value)
}

/// The first name that matches this pattern (glob(7), as glob(3) with GLOB_NOSORT and GLOB_BRACE understands it); none: nothing does.
pub fn glob_first(pattern: &CStr) -> nix::Result<Option<CString>> {
    // SAFETY: glob_t is plain data, for which all zero is the documented initial state without GLOB_DOOFFS.
    let mut found: libc::glob_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pattern is NUL-terminated, `found` is initialised, and no error callback is given.
    let result = unsafe { libc::glob(pattern.as_ptr(), libc::GLOB_NOSORT | libc::GLOB_BRACE, None, &raw mut found) };
    let first = if result == 0 && found.gl_pathc > 0 {
        // SAFETY: glob(3) has answered with that many pointers, each to a NUL-terminated name that lives until globfree.
        Some(unsafe { CStr::from_ptr(*found.gl_pathv) }.to_owned())
    } else {
        None
    };
    // SAFETY: `found` was filled in, or left as zero, by glob.
    unsafe { libc::globfree(&raw mut found) };
    match result {
        0 => Ok(first),
        libc::GLOB_NOMATCH => Ok(None),
        libc::GLOB_NOSPACE => Err(Errno::ENOMEM),
        _ => Err(Errno::EIO),
    }
}

/// access(2) with the effective ids.
pub fn accessible(path: &CStr, mode: i32) -> nix::Result<()> {
    // SAFETY: the path is NUL-terminated and only read.
    Errno::result(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) }).map(drop)
}

/// mq_open(3) for creation; zero in both limits takes the system's defaults.
pub fn message_queue(name: &CStr, mode: u32, max_messages: i64, message_size: i64) -> nix::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_CREAT | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: mq_attr is plain data; fields that are not set are ignored by mq_open(3).
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    attributes.mq_maxmsg = max_messages;
    attributes.mq_msgsize = message_size;
    let given = max_messages > 0 && message_size > 0;
    let pointer = if given { &raw const attributes } else { std::ptr::null() };
    // SAFETY: the name is NUL-terminated; the attributes are null or outlive the call.
    let queue = unsafe { libc::mq_open(name.as_ptr(), flags, mode as libc::mode_t, pointer) };
    // A message queue descriptor is a file descriptor on Linux (mq_overview(7)).
    Errno::result(queue).map(own)
}

/// End the process at once, without waiting for threads that may hang in a system call.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit(2) never returns and touches no memory of ours.
    unsafe { libc::_exit(status) }
}
