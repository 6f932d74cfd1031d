//! waitid(2) with the pid and the raw number of the signal: the crates give one or the other.

use nix::libc;
use std::io;
use std::mem::MaybeUninit;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// exit(2) with this status.
    Exited(i32),
    /// Killed by this signal.
    Killed(i32),
    /// Killed by this signal, with a core dump.
    Dumped(i32),
}

/// A child that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zombie {
    /// Its pid.
    pub pid: i32,
    /// How it ended.
    pub ending: Ending,
}

/// Which children are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Any.
    Any,
    /// This one.
    Pid(i32),
}

/// Look for a child that has ended, and leave it a zombie. None: all meant are alive. Never waits.
///
/// # Errors
/// ECHILD: there is no such child at all.
pub fn peek(whom: Whom) -> io::Result<Option<Zombie>> {
    wait(whom, libc::WNOWAIT | libc::WNOHANG)
}

/// Take a child that has ended out of the process table. None: it is alive. Never waits.
///
/// # Errors
/// ECHILD: there is no such child.
pub fn reap(pid: i32) -> io::Result<Option<Zombie>> {
    wait(Whom::Pid(pid), libc::WNOHANG)
}

fn wait(whom: Whom, flags: i32) -> io::Result<Option<Zombie>> {
    let (kind, number) = match whom {
        Whom::Any => (libc::P_ALL, 0),
        Whom::Pid(pid) => match libc::id_t::try_from(pid) {
            Ok(number) if number > 0 => (libc::P_PID, number),
            _ => return Err(io::Error::from_raw_os_error(libc::ECHILD)),
        },
    };
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: the kernel writes one siginfo_t into a buffer of that type.
    if unsafe { libc::waitid(kind, number, info.as_mut_ptr(), libc::WEXITED | flags) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed before, and all-zero is a valid siginfo_t.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills the SIGCHLD members, or leaves the zeroes when no child has ended.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let ending = match info.si_code {
        libc::CLD_KILLED => Ending::Killed(status),
        libc::CLD_DUMPED => Ending::Dumped(status),
        _ => Ending::Exited(status),
    };
    Ok(Some(Zombie { pid, ending }))
}
