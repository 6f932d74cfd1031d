//! What process 1 does when it has faulted: run itself again on its last saved state, or stand still. It must never end.
//!
//! The handler calls nothing but fcntl, execve, write and pause, all async-signal-safe (signal-safety(7)), and reads memory
//! that was laid out beforehand and is never freed.

use nix::libc;
use std::ffi::CString;
use std::io;
use std::mem::zeroed;
use std::os::fd::RawFd;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};

/// The signals of a fault.
const FAULTS: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];
/// How many saved states the caller writes in turn.
pub const SLOTS: usize = 2;

/// Descriptors above the highest that was told which may be open as well: what one operation opens before it is noted.
const MARGIN: RawFd = 1024;

/// One prepared execve: NUL-terminated arrays of NUL-terminated strings.
struct Prepared {
    programs: [CString; 2],
    argv: [Vec<*const libc::c_char>; SLOTS],
    envp: Vec<*const libc::c_char>,
    // The arrays point into these.
    _strings: Vec<CString>,
}

static PREPARED: AtomicPtr<Prepared> = AtomicPtr::new(null_mut());
/// The slot with the last complete state; [`SLOTS`]: none yet.
static SLOT: AtomicUsize = AtomicUsize::new(SLOTS);
/// The highest descriptor the next program is to inherit.
static HIGHEST: AtomicI32 = AtomicI32::new(2);

/// What to run after a fault: the very program that runs now, whatever has taken its place meanwhile, or where that cannot be
/// named the one at this path; its arguments for each slot, its environment.
///
/// Without arguments a fault makes the process stand still. May be called again; the old plan is leaked on purpose,
/// for a handler may be reading it.
///
/// # Errors
/// Those of sigaction(2).
pub fn arm(program: CString, argv: [Vec<CString>; SLOTS], envp: Vec<CString>) -> io::Result<()> {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    // A CString's bytes stay where they are when the CString itself moves.
    let arrays = [pointers(&argv[0]), pointers(&argv[1])];
    let environment = pointers(&envp);
    let strings = argv.into_iter().flatten().chain(envp).collect();
    let programs = [c"/proc/self/exe".to_owned(), program];
    let plan = Box::new(Prepared { programs, argv: arrays, envp: environment, _strings: strings });
    PREPARED.store(Box::into_raw(plan), Ordering::SeqCst);
    install()
}

/// The slot that holds the last complete state, and the highest descriptor it names.
pub fn saved(slot: usize, highest: RawFd) {
    HIGHEST.store(highest, Ordering::SeqCst);
    SLOT.store(slot, Ordering::SeqCst);
}

/// The next program is to inherit this descriptor as well.
pub fn reach(descriptor: RawFd) {
    HIGHEST.fetch_max(descriptor, Ordering::SeqCst);
}

/// Do what is done after a fault. Comes back if nothing is prepared, or if it has failed.
pub fn again() {
    execute();
}

fn install() -> io::Result<()> {
    for signal in FAULTS {
        // SAFETY: all-zero is a valid sigaction with an empty mask.
        let mut action: libc::sigaction = unsafe { zeroed() };
        action.sa_sigaction = handle as extern "C" fn(libc::c_int) as usize;
        // On the alternate stack, which std has set up for the main thread: the fault may be a stack overflow.
        action.sa_flags = libc::SA_ONSTACK;
        // SAFETY: the action is complete, the handler is async-signal-safe, the old action is not asked for.
        if unsafe { libc::sigaction(signal, &raw const action, null_mut()) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn handle(_: libc::c_int) {
    let words = b"sysmaster-init: a fault in init; it runs itself again on its last state\n";
    // SAFETY: a buffer of that length; a failed write changes nothing for what follows.
    unsafe { libc::write(libc::STDERR_FILENO, words.as_ptr().cast(), words.len()) };
    execute();
    loop {
        // The services run on, and a person can still see what is there.
        // SAFETY: no arguments.
        unsafe { libc::pause() };
    }
}

/// Comes back only if it has failed. Async-signal-safe.
fn execute() {
    let plan = PREPARED.load(Ordering::SeqCst);
    let slot = SLOT.load(Ordering::SeqCst);
    // SAFETY: what was stored there came from Box::into_raw and is never freed.
    if let Some(plan) = unsafe { plan.as_ref() }
        && let Some(argv) = plan.argv.get(slot).filter(|argv| argv.len() > 1)
    {
        for descriptor in 3..=HIGHEST.load(Ordering::SeqCst).saturating_add(MARGIN) {
            // SAFETY: F_SETFD on a number that is not open is EBADF and nothing else.
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
        }
        for program in &plan.programs {
            // SAFETY: NUL-terminated string and arrays, as laid out by `arm`.
            unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), plan.envp.as_ptr()) };
        }
    }
}
