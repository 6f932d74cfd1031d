//! Signals by number. The crates know the classic ones only; an init also gets and sends the real-time ones.

use nix::libc;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The first real-time signal that programs may use (signal(7)).
#[must_use]
pub fn rtmin() -> i32 {
    libc::SIGRTMIN()
}

/// Every signal that can be blocked, blocked in this thread, and readable as a descriptor (signalfd(2)).
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// Block all signals but those of a fault in this very program, and open the descriptor, non-blocking.
    ///
    /// # Errors
    /// Those of signalfd(2).
    pub fn open() -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset initialises the set it is given; sigdelset gets an initialised set and valid numbers.
        let set = unsafe {
            libc::sigfillset(set.as_mut_ptr());
            for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP] {
                libc::sigdelset(set.as_mut_ptr(), fault);
            }
            set.assume_init()
        };
        // SAFETY: the set is initialised; the old mask is not asked for.
        if unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the set is initialised; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nothing else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

impl Signals {
    /// The next pending signal's number, none if there is none.
    ///
    /// # Errors
    /// Those of read(2), but EAGAIN and EINTR.
    pub fn next(&self) -> io::Result<Option<i32>> {
        let mut info = [0; INFO_BYTES];
        match rustix::io::read(&self.0, &mut info) {
            Ok(count) => Ok(info.get(..count).and_then(number_in)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Bytes that one read of [`Signals`] gives for one signal (signalfd(2)).
pub const INFO_BYTES: usize = size_of::<libc::signalfd_siginfo>();

/// The number of the signal in what was read; none if that is no signal.
#[must_use]
pub fn number_in(bytes: &[u8]) -> Option<i32> {
    if bytes.len() < INFO_BYTES {
        return None;
    }
    // The number stands first (signalfd(2), ssi_signo).
    bytes.first_chunk::<4>().map(|number| i32::from_ne_bytes(*number)).filter(|number| *number > 0)
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Signal one process by its pid. Only for a child that has not been reaped: its pid cannot have been reused.
///
/// # Errors
/// EINVAL for a pid that is not positive (kill(2) would take it for a group); those of kill(2).
pub fn kill_child(pid: i32, signal: i32) -> io::Result<()> {
    if pid <= 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: two integers, no memory.
    answer(unsafe { libc::kill(pid, signal) })
}

/// Signal every other process of this pid namespace (kill(2) with pid -1).
///
/// # Errors
/// EPERM unless the caller is process 1 of its namespace, so that no other process can ever do this by mistake.
pub fn kill_everybody_else(signal: i32) -> io::Result<()> {
    if std::process::id() != 1 {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    // SAFETY: two integers, no memory.
    answer(unsafe { libc::kill(-1, signal) })
}

/// Signal the process a pidfd stands for (pidfd_send_signal(2)).
///
/// # Errors
/// ESRCH if it is gone.
pub fn kill_pidfd(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: a borrowed, open descriptor, no siginfo, no flags.
    let done = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0_u32,
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn answer(done: libc::c_int) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
