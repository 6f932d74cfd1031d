//! Terminals: StandardInput=tty and TTYPath=, TTYReset=, TTYVHangup= (systemd.exec(5)).

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, inotify, open};
use rustix::io::Errno;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, QueueSelector, SpecialCodeIndex, tcflush,
    tcgetattr, tcsetattr,
};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Duration;
use sysmaster_link::{ExecSpec, Stdio, TtyAcquire};
use sysmaster_sys::exec_calls;

/// A terminal that is being hung up answers EIO for a moment.
const OPEN_TRIES_MAX: usize = 20;
const OPEN_RETRY: Duration = Duration::from_millis(50);

/// The terminal a spec is about, if any.
pub fn path(spec: &ExecSpec) -> Option<&str> {
    [&spec.stdin, &spec.stdout, &spec.stderr].into_iter().find_map(|stream| match stream {
        Stdio::Tty { path, .. } => Some(path.as_str()),
        _ => None,
    })
}

/// Hang up and reset the terminal, as the spec asks. Best effort, as in systemd: the service may well do without.
pub fn prepare(spec: &ExecSpec) {
    let Some(path) = path(spec) else { return };
    if spec.tty_vhangup
        && let Ok(terminal) = open_terminal(path, OFlags::RDWR)
    {
        let _ = exec_calls::hang_up_terminal(&terminal);
    }
    if spec.tty_reset
        && let Ok(terminal) = open_terminal(path, OFlags::RDWR | OFlags::NONBLOCK)
    {
        let _ = reset(&terminal);
    }
}

/// TERM for programs on this terminal: `linux` on a virtual console, `vt220` on anything else.
pub fn term(path: &str) -> &'static str {
    let name = path.strip_prefix("/dev/").unwrap_or(path);
    let active = if name == "console" { std::fs::read_to_string("/sys/class/tty/console/active").ok() } else { None };
    // The kernel lists all consoles; the last one is what /dev/console stands for.
    let name = active.as_deref().and_then(|list| list.split_whitespace().next_back()).unwrap_or(name);
    let number = name.strip_prefix("tty").unwrap_or("");
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) { "linux" } else { "vt220" }
}

/// Open a terminal to write to; it never becomes the controlling one.
pub fn open_for_output(path: &str) -> io::Result<OwnedFd> {
    Ok(open_terminal(path, OFlags::WRONLY)?)
}

/// Open a terminal and make it the controlling one in the manner asked for.
pub fn acquire(path: &str, how: TtyAcquire) -> io::Result<OwnedFd> {
    if how == TtyAcquire::None {
        return Ok(open_terminal(path, OFlags::RDWR)?);
    }
    // Taking a terminal by force sends SIGHUP to its session; its last user may also hang it up under us.
    exec_calls::ignore_hangup()?;
    let watch = if how == TtyAcquire::Wait { Some(watch(path)?) } else { None };
    loop {
        if let Some(watch) = &watch {
            forget_events(watch)?; // the last round's own close among them
        }
        let terminal = open_terminal(path, OFlags::RDWR)?;
        match (exec_calls::acquire_terminal(&terminal, how == TtyAcquire::Force), &watch) {
            (Ok(()), _) => {
                // What the last user left behind must not reach the next one; a terminal that cannot be reset still works.
                let _ = reset(&terminal);
                return Ok(terminal);
            }
            (Err(error), Some(watch)) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
                // Held until then, or our own close would be the event; dropped then, since the owner's end may have hung it up.
                wait_for_close(watch)?;
                drop(terminal);
            }
            (Err(error), _) => return Err(error),
        }
    }
}

fn open_terminal(path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let mut tries = 0;
    loop {
        tries += 1;
        match open(path, flags | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::IO) if tries < OPEN_TRIES_MAX => std::thread::sleep(OPEN_RETRY),
            Ok(fd) if !rustix::termios::isatty(&fd) => return Err(Errno::NOTTY),
            result => return result,
        }
    }
}

fn watch(path: &str) -> rustix::io::Result<OwnedFd> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, path, inotify::WatchFlags::CLOSE)?;
    Ok(watch)
}

/// Take all events that are there now.
fn forget_events(watch: &OwnedFd) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); 4096];
    loop {
        match rustix::io::read(watch, &mut space) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Wait for someone to close the terminal. No deadline here: the unit's start time-out ends this process.
fn wait_for_close(watch: &OwnedFd) -> rustix::io::Result<()> {
    let mut ready = [PollFd::new(watch, PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut ready, None)).map(|_| ())
}

/// Bring line discipline and control characters into the state in which a person can log in.
fn reset(terminal: &OwnedFd) -> rustix::io::Result<()> {
    const CONTROL: [(SpecialCodeIndex, u8); 15] = [
        (SpecialCodeIndex::VINTR, 0o003),
        (SpecialCodeIndex::VQUIT, 0o034),
        (SpecialCodeIndex::VERASE, 0o177),
        (SpecialCodeIndex::VKILL, 0o025),
        (SpecialCodeIndex::VEOF, 0o004),
        (SpecialCodeIndex::VSTART, 0o021),
        (SpecialCodeIndex::VSTOP, 0o023),
        (SpecialCodeIndex::VSUSP, 0o032),
        (SpecialCodeIndex::VLNEXT, 0o026),
        (SpecialCodeIndex::VWERASE, 0o027),
        (SpecialCodeIndex::VREPRINT, 0o022),
        (SpecialCodeIndex::VEOL, 0),
        (SpecialCodeIndex::VEOL2, 0),
        (SpecialCodeIndex::VTIME, 0),
        (SpecialCodeIndex::VMIN, 1),
    ];
    let mut modes = tcgetattr(terminal)?;
    modes.input_modes -= InputModes::IGNBRK
        | InputModes::BRKINT
        | InputModes::ISTRIP
        | InputModes::INLCR
        | InputModes::IGNCR
        | InputModes::IUCLC;
    modes.input_modes |= InputModes::ICRNL | InputModes::IMAXBEL | InputModes::IUTF8;
    modes.output_modes |= OutputModes::ONLCR | OutputModes::OPOST;
    modes.control_modes |= ControlModes::CREAD;
    modes.local_modes = LocalModes::ISIG
        | LocalModes::ICANON
        | LocalModes::IEXTEN
        | LocalModes::ECHO
        | LocalModes::ECHOE
        | LocalModes::ECHOK
        | LocalModes::ECHOCTL
        | LocalModes::ECHOKE;
    for (index, value) in CONTROL {
        modes.special_codes[index] = value;
    }
    tcsetattr(terminal, OptionalActions::Now, &modes)?;
    tcflush(terminal, QueueSelector::IOFlush)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_consoles_are_linux_terminals_and_serial_lines_are_not() {
        assert_eq!(term("/dev/tty1"), "linux");
        assert_eq!(term("/dev/ttyS0"), "vt220");
        assert_eq!(term("/dev/pts/3"), "vt220");
    }
}
