//! Messages for people: never waiting, and never through a descriptor that could make init wait.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LogTarget {
    /// Descriptor 2.
    Stderr = 0,
    /// /dev/console, opened for each message.
    Console = 1,
    /// /dev/kmsg, opened for each message.
    Kmsg = 2,
    /// Nowhere.
    Null = 3,
}

static TARGET: AtomicU8 = AtomicU8::new(LogTarget::Stderr as u8);
/// The longest message; a pipe that is ready takes as much without waiting (pipe(7), PIPE_BUF).
const MESSAGE_MAX: usize = 4096;

/// Choose where messages go from now on.
pub fn set_target(target: LogTarget) {
    TARGET.store(target as u8, Ordering::Relaxed);
}

/// Say something; `level` as in syslog(3). What cannot be said now is lost: init does not wait for a reader.
pub fn say(level: u8, text: &str) {
    let mut line = format!("sysmaster-init: {}", text.replace('\n', " "));
    let mut end = line.len().min(MESSAGE_MAX - 8);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    match TARGET.load(Ordering::Relaxed) {
        target if target == LogTarget::Console as u8 => open_and_write("/dev/console", &format!("{line}\r\n")),
        target if target == LogTarget::Kmsg as u8 => open_and_write("/dev/kmsg", &format!("<{level}>{line}")),
        target if target == LogTarget::Stderr as u8 => to_stderr(&format!("{line}\n")),
        _ => {}
    }
}

fn open_and_write(path: &str, line: &str) {
    let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
    if let Ok(mut file) = OpenOptions::new().write(true).custom_flags(flags).open(path) {
        // There is nobody left to tell that telling has failed.
        let _ = file.write(line.as_bytes());
    }
}

fn to_stderr(line: &str) {
    let stderr = std::io::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let ready = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    if ready.is_ok_and(|count| count > 0) {
        let _ = rustix::io::write(&stderr, line.as_bytes());
    }
}
