//! System calls of the exec helper: what a process does to itself before it becomes a service.
//!
//! All of them act on the calling process only. None is async-signal-safe or thread-safe by intention: the helper has one thread.

use nix::errno::Errno;
use nix::libc;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The highest signal number of Linux, SIGRTMAX included.
const SIGNAL_MAX: i32 = 64;
/// The size of the kernel's own signal set: one bit a signal.
const KERNEL_SIGSET_BYTES: usize = 8;

/// Set every signal to its default disposition, SIGPIPE to ignored where asked for, and unblock them all.
///
/// Unlike `std::os::unix::process::CommandExt::exec`, which leaves ignored signals ignored and always takes SIGPIPE back.
///
/// # Errors
/// Those of sigaction(2) and sigprocmask(2), except for the signals that nobody can change.
pub fn reset_signals(ignore_sigpipe: bool) -> io::Result<()> {
    // What the kernel calls a sigaction is smaller than this; all zero it says: default, no flags, nothing blocked.
    let default = [0_u64; 8];
    for signal in 1..=SIGNAL_MAX {
        // SAFETY: the kernel reads one of its sigactions from `default`, writes nothing, and runs no code of this process.
        // The C library's sigaction will not touch the two signals that it uses itself, and a parent may ignore those as well.
        let result = unsafe {
            let old: *mut u8 = std::ptr::null_mut();
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), old, KERNEL_SIGSET_BYTES)
        };
        match Errno::result(result) {
            // KILL and STOP.
            Ok(_) | Err(Errno::EINVAL) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    if ignore_sigpipe {
        ignore(nix::sys::signal::Signal::SIGPIPE)?;
    }
    let none = nix::sys::signal::SigSet::empty();
    nix::sys::signal::sigprocmask(nix::sys::signal::SigmaskHow::SIG_SETMASK, Some(&none), None)?;
    Ok(())
}

/// Close every descriptor above standard error: what a forgetful parent let through must not occupy a number that a
/// service's socket needs. The first call of a process that has opened nothing yet; a second call does nothing.
///
/// # Errors
/// Those of close_range(2), except that a kernel before 5.9 has none, and then nothing is closed.
pub fn close_inherited() -> io::Result<()> {
    static CALLED: AtomicBool = AtomicBool::new(false);
    if CALLED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    // SAFETY: nobody owns these numbers: the caller has opened nothing, and the standard library opens none above 2 by itself.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    match Errno::result(result) {
        Ok(_) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Mark every descriptor from `first` on close-on-exec, known or not: what this process inherited goes no further.
///
/// # Errors
/// Those of close_range(2); on kernels before 5.11 the descriptors are marked one by one.
pub fn cloexec_from(first: RawFd) -> io::Result<()> {
    let first = libc::c_uint::try_from(first).map_err(|_| io::Error::from(Errno::EINVAL))?;
    // SAFETY: nothing is closed now; the descriptors only gain a flag that matters at execve.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    match Errno::result(result) {
        Ok(_) => Ok(()),
        Err(Errno::EINVAL | Errno::ENOSYS) => cloexec_one_by_one(first),
        Err(errno) => Err(errno.into()),
    }
}

fn cloexec_one_by_one(first: libc::c_uint) -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse::<libc::c_uint>().ok()) else {
            continue;
        };
        if number < first {
            continue;
        }
        // SAFETY: F_SETFD changes a flag of a number; a number that is closed by now (that of read_dir) gives EBADF.
        unsafe { libc::fcntl(number.cast_signed(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

/// Set policy and priority (sched_setscheduler(2)); `policy` is SCHED_OTHER, SCHED_BATCH …
///
/// # Errors
/// EINVAL: no such policy, or a priority that it does not have. EPERM: not allowed.
pub fn set_scheduler(policy: i32, priority: i32, reset_on_fork: bool) -> io::Result<()> {
    let policy = if reset_on_fork { policy | libc::SCHED_RESET_ON_FORK } else { policy };
    // SAFETY: sched_param is plain data, and zero is the default of what else it may hold.
    let mut parameter: libc::sched_param = unsafe { std::mem::zeroed() };
    parameter.sched_priority = priority;
    // SAFETY: the pointer is to a local of the right type; pid 0 is this process.
    Errno::result(unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) })?;
    Ok(())
}

/// Set I/O class (0 none, 1 realtime, 2 best-effort, 3 idle) and level 0..7 (ioprio_set(2)).
///
/// # Errors
/// EINVAL: out of range. EPERM: not allowed.
pub fn set_io_priority(class: u8, level: u8) -> io::Result<()> {
    const WHO_PROCESS: libc::c_int = 1;
    const CLASS_SHIFT: u32 = 13;
    if level > 7 {
        return Err(Errno::EINVAL.into());
    }
    let value = (libc::c_int::from(class) << CLASS_SHIFT) | libc::c_int::from(level);
    // SAFETY: three integers; who 0 is this process.
    Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, value) })?;
    Ok(())
}

/// Set the execution domain (personality(2)): 0 is PER_LINUX, 8 is PER_LINUX32.
///
/// # Errors
/// EINVAL where the kernel has no such domain.
pub fn set_personality(domain: u32) -> io::Result<()> {
    // SAFETY: one integer, and it concerns this process only.
    Errno::result(unsafe { libc::personality(libc::c_ulong::from(domain)) })?;
    Ok(())
}

/// Make a terminal the controlling one (TIOCSCTTY in ioctl_tty(2)); `steal` takes it from another session.
///
/// # Errors
/// EPERM: not a session leader, has one already, or the terminal has another owner.
pub fn acquire_terminal(terminal: impl AsFd, steal: bool) -> io::Result<()> {
    // SAFETY: the argument of TIOCSCTTY is an integer.
    Errno::result(unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCSCTTY, libc::c_int::from(steal)) })?;
    Ok(())
}

/// Ignore SIGHUP from now on (acquiring a terminal by force may raise it); [`reset_signals`] takes it back.
///
/// # Errors
/// Those of sigaction(2).
pub fn ignore_hangup() -> io::Result<()> {
    ignore(nix::sys::signal::Signal::SIGHUP)
}

fn ignore(signal: nix::sys::signal::Signal) -> io::Result<()> {
    // SAFETY: to ignore a signal runs no code.
    unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn)? };
    Ok(())
}

/// Hang up a terminal: all who have it open lose it (TIOCVHANGUP).
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN, ENOTTY if it is no terminal.
pub fn hang_up_terminal(terminal: impl AsFd) -> io::Result<()> {
    const TIOCVHANGUP: libc::Ioctl = 0x5437;
    // SAFETY: TIOCVHANGUP takes no argument.
    Errno::result(unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), TIOCVHANGUP) })?;
    Ok(())
}

/// Become another program (execve(2)), with dispositions and mask as they are. Returns only on failure.
#[must_use]
pub fn execve(path: &CString, argv: &[CString], environment: &[CString]) -> io::Error {
    match nix::unistd::execve(path, argv, environment) {
        Ok(never) => match never {},
        Err(errno) => errno.into(),
    }
}
