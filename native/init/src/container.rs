//! A complete small init for one command: `sysmaster-init -- CMD`. It runs the command, passes signals on, reaps whatever
//! is left behind, and exits with the command's status (128 + the signal that killed it). No link, no core, no files.

use crate::core::own_program;
use crate::early;
use crate::kill::kill_own;
use crate::say::say;
use crate::turn::now_us;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, getpgrp, set_child_subreaper};
use rustix::stdio::stdin;
use rustix::termios::{isatty, tcgetpgrp, tcsetpgrp};
use std::ffi::CString;
use std::os::unix::process::CommandExt;
use std::process::Command;
use sysmaster_link::Role;
use sysmaster_sys::signal::{Signals, kill_child, kill_everybody_else};
use sysmaster_sys::wait::{Ending, Whom, peek, reap};

/// How long what the command leaves behind has between SIGTERM and SIGKILL.
const GRACE_US: u64 = 5_000_000;
/// How often SIGKILL is repeated, every tenth of a second.
const KILL_TRIES: u32 = 50;
/// Shells say so of a command that is not there, or cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

/// Run the command to its end; the status to exit with.
///
/// # Errors
/// Words for a person: it could not even be begun.
pub fn run(command: &[String]) -> Result<u8, String> {
    if command.is_empty() {
        return Err("there is no command after --; name one".to_owned());
    }
    let signals = Signals::open().map_err(|error| format!("signals: {error}"))?;
    let role = early::role();
    early::mount_apis(role);
    if role == Role::Subreaper {
        if !early::proc_is_ours() {
            return Err("/proc: not of this pid namespace; mount it before init is started".to_owned());
        }
        set_child_subreaper(Pid::from_raw(1)).map_err(|error| format!("cannot become a child subreaper: {error}"))?;
    }
    // The terminal's foreground group is the command's own, so that Ctrl-C reaches it once, and job control works in it.
    let child = Command::new(own_program()).arg("--become").args(command).process_group(0).spawn();
    let main = match child {
        Ok(child) => i32::try_from(child.id()).unwrap_or(0),
        Err(error) => return Err(format!("{}: cannot be started: {error}", command.join(" "))),
    };
    let status = supervise(&signals, main);
    if isatty(stdin()) {
        // (Through nix: the own group's leader may be outside of the pid namespace, and then its number is 0.)
        // The terminal goes back to whoever had it; where it is closed by now nobody wants it.
        let _ = nix::unistd::tcsetpgrp(stdin(), nix::unistd::getpgrp());
    }
    end_others(&signals, role);
    Ok(status)
}

/// Pass signals on and reap until the command has ended; its status.
fn supervise(signals: &Signals, main: i32) -> u8 {
    loop {
        wait_for_signal(signals, None);
        while let Ok(Some(signal)) = signals.next() {
            match signal {
                // A stop of ours for touching the terminal means nothing to the command.
                nix::libc::SIGCHLD | nix::libc::SIGTTIN | nix::libc::SIGTTOU => {}
                signal => {
                    if let Err(error) = kill_child(main, signal) {
                        say(4, &format!("signal {signal}: cannot be passed on: {error}"));
                    }
                }
            }
        }
        while let Ok(Some(zombie)) = peek(Whom::Any) {
            if reap(zombie.pid).is_err() {
                break;
            }
            if zombie.pid == main {
                return status_of(zombie.ending);
            }
        }
    }
}

fn status_of(ending: Ending) -> u8 {
    match ending {
        Ending::Exited(status) => u8::try_from(status & 0xff).unwrap_or(u8::MAX),
        Ending::Killed(signal) | Ending::Dumped(signal) => u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX),
    }
}

/// End what the command has left behind: in a container everything, otherwise descendants only.
fn end_others(signals: &Signals, role: Role) {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let signal_all = |signal: i32| {
        if role == Role::Subreaper {
            kill_own(own, None, signal);
        } else if let Err(error) = kill_everybody_else(signal)
            && error.raw_os_error() != Some(nix::libc::ESRCH)
        {
            say(3, &format!("the remaining processes: cannot be signalled: {error}"));
        }
    };
    if !reap_all() {
        signal_all(nix::libc::SIGTERM);
        signal_all(nix::libc::SIGCONT);
        let until_us = now_us().saturating_add(GRACE_US);
        while !reap_all() && now_us() < until_us {
            wait_for_signal(signals, Some(until_us.saturating_sub(now_us())));
            while let Ok(Some(_)) = signals.next() {}
        }
    }
    for _ in 0..KILL_TRIES {
        if reap_all() {
            return;
        }
        signal_all(nix::libc::SIGKILL);
        wait_for_signal(signals, Some(100_000));
        while let Ok(Some(_)) = signals.next() {}
    }
    say(3, "some processes do not die; going without them");
}

/// Reap what has ended; true if no child is left.
fn reap_all() -> bool {
    loop {
        match peek(Whom::Any) {
            Ok(Some(zombie)) => {
                if reap(zombie.pid).is_err() {
                    return false;
                }
            }
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

fn wait_for_signal(signals: &Signals, us: Option<u64>) {
    let timeout = us.map(|us| Timespec {
        tv_sec: i64::try_from(us / 1_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(us % 1_000_000).unwrap_or(0) * 1000,
    });
    let mut fds = [PollFd::new(signals, PollFlags::IN)];
    // An error means looking at once, which is never wrong.
    let _ = poll(&mut fds, timeout.as_ref());
}

/// What the child does before it is the command (`--become`): take the terminal, reset the signals, execute.
/// Comes back with a status only if that failed.
#[must_use]
pub fn become_command(words: &[String]) -> u8 {
    let interactive = isatty(stdin()) && tcgetpgrp(stdin()).is_ok();
    if interactive {
        // SIGTTOU stops whoever takes a terminal from the background; blocked, as here, it does not.
        let all = nix::sys::signal::SigSet::all();
        let blocked = all.thread_block().is_ok() && tcsetpgrp(stdin(), getpgrp()).is_ok();
        if !blocked {
            say(4, "the terminal: cannot be handed to the command");
        }
    }
    if let Err(error) = nix::sys::signal::SigSet::empty().thread_set_mask() {
        say(4, &format!("signal mask: {error}"));
    }
    let c_words: Vec<CString> = words.iter().filter_map(|word| CString::new(word.as_str()).ok()).collect();
    let Some(program) = c_words.first() else { return NOT_RUN };
    let Err(error) = nix::unistd::execvp(program, &c_words);
    say(3, &format!("{}: cannot be run: {error}", words.first().map_or("", String::as_str)));
    if error == nix::errno::Errno::ENOENT { NOT_FOUND } else { NOT_RUN }
}
