//! PID 1: spawns, reaps, keeps core alive, keeps descriptors, ends the system.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use sysmaster_init::config::{HELP, Instead, arguments};
use sysmaster_init::say::say;
use sysmaster_init::{container, early, finish, reexec, start, userspace};
use sysmaster_link::Role;

fn main() -> ExitCode {
    userspace::began_us();
    sysmaster_sys::stdio::ensure();
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let arguments = arguments(words);
    let status = match &arguments.instead {
        Some(Instead::Version) => {
            println!("sysmaster-init {}", env!("CARGO_PKG_VERSION"));
            Ok(0)
        }
        Some(Instead::Help) => {
            print!("{HELP}");
            Ok(0)
        }
        Some(Instead::Check) => Ok(u8::from(!reexec::check())),
        Some(Instead::Unmount) => finish::unmount_all().map(|()| 0),
        Some(Instead::Become(words)) => Ok(container::become_command(words)),
        None => match &arguments.command {
            Some(command) => container::run(command),
            None => start::start(&arguments).map(|mut init| init.run()),
        },
    };
    match status {
        Ok(status) => ExitCode::from(status),
        Err(why) => fail(&why),
    }
}

/// Init cannot work. Anywhere but on a machine that is the end; there, ending is a panic of the kernel, so that it gives a
/// person a shell, again and again.
fn fail(why: &str) -> ExitCode {
    say(0, why);
    if early::role() != Role::Machine {
        return ExitCode::from(1);
    }
    loop {
        start::last_shell();
    }
}
