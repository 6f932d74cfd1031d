//! Sets itself up as a unit asks, then becomes the service.
//!
//! Started by init with a handover on descriptor 0 and a status pipe on descriptor 1 (`sysmaster_link`'s handover module says
//! how). `steps` is the table of contents: it carries out the steps of `ExecStep` one after the other. The first that fails is
//! reported on the status pipe, and its exit code is this program's. When all is done the process executes the service, and the
//! status pipe, being close-on-exec, says so by closing.
#![forbid(unsafe_code)]

mod cgroup;
mod descriptors;
mod directories;
mod env_file;
mod environment;
mod failure;
mod handover;
mod limits;
mod privileges;
mod program;
mod scheduling;
mod stdio;
mod steps;
mod substitute;
mod terminal;
mod users;

use failure::{At, Failure};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdout, stderr, stdin, stdout};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use sysmaster_link::ExecStep;

fn main() -> ExitCode {
    let (failure, status) = match take_status_pipe() {
        Ok(mut status) => (run(&mut status), Some(status)),
        Err(failure) => (failure, None),
    };
    let report = failure.report().to_bytes();
    match status {
        // Where nobody listens the exit code has to do.
        Some(status) => drop(rustix::io::write(&status, &report)),
        None => drop(rustix::io::write(stdout(), &report)),
    }
    ExitCode::from(failure.step.exit_code())
}

/// Take the status pipe out of the way of the service's standard output.
fn take_status_pipe() -> Result<OwnedFd, Failure> {
    sysmaster_sys::exec_calls::close_inherited().at(ExecStep::Fds, "inherited descriptors")?;
    let status = fcntl_dupfd_cloexec(stdout(), 3).at(ExecStep::Spec, "status pipe")?;
    dup2_stdout(stderr()).at(ExecStep::Spec, "status pipe")?;
    Ok(status)
}

fn run(status: &mut OwnedFd) -> Failure {
    match handover::receive(stdin()) {
        Ok((spec, passed)) => steps::become_service(&spec, passed, status),
        Err(failure) => failure,
    }
}
