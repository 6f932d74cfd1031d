//! The steps from a process of init's to the service, in the order of [`ExecStep`].

use crate::descriptors::{self, Passed};
use crate::environment::Environment;
use crate::failure::{At, Failure};
use crate::users::Identity;
use crate::{
    cgroup, directories, env_file, limits, privileges, program, scheduling, stdio, substitute, terminal, users,
};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{chdir, chroot, umask};
use std::os::fd::OwnedFd;
use sysmaster_link::{ExecSpec, ExecStep};
use sysmaster_sys::exec_calls;

/// UMask= where the unit says nothing.
pub const UMASK_DEFAULT: u32 = 0o022;

/// Carry them all out. Returns only if one failed.
pub fn become_service(spec: &ExecSpec, passed: Vec<OwnedFd>, status: &mut OwnedFd) -> Failure {
    match prepare(spec, passed, status) {
        Ok(ready) => program::execute(&ready.path, &ready.argv, &ready.environment),
        Err(failure) => failure,
    }
}

/// What is left to do when all is set up.
struct Ready {
    path: String,
    argv: Vec<String>,
    environment: Environment,
}

fn prepare(spec: &ExecSpec, passed: Vec<OwnedFd>, status: &mut OwnedFd) -> Result<Ready, Failure> {
    // Every mode below is written out; the service's own mask comes when all files are made.
    umask(Mode::empty());
    cgroup::enter_all(&spec.cgroups)?;
    let (passed, listening) = descriptors::place(spec, passed, status)?;
    start_session(spec)?;
    set_up_streams(spec, &passed)?;
    scheduling::apply(spec)?;
    let files = env_file::read_all(&spec.environment_files)?;
    let identity = users::find(spec)?;
    hand_over(spec, &identity)?;
    directories::make_all(spec, &identity)?;
    let environment = Environment::assemble(spec, &identity, files);
    umask(Mode::from_raw_mode(spec.umask.unwrap_or(UMASK_DEFAULT)));
    limits::set_all(&spec.rlimits)?;
    change_root(spec)?;
    let path = program::find(spec)?;
    privileges::take_on(spec, &identity)?;
    change_directory(spec, &identity)?;
    if spec.no_new_privileges {
        rustix::thread::set_no_new_privs(true).at(ExecStep::NoNewPrivileges, "")?;
    }
    let argv = if spec.expand { substitute::substitute(&spec.argv, &environment) } else { spec.argv.clone() };
    exec_calls::reset_signals(spec.ignore_sigpipe).at(ExecStep::SignalMask, "")?;
    listening.open(spec)?;
    Ok(Ready { path, argv, environment })
}

fn start_session(spec: &ExecSpec) -> Result<(), Failure> {
    if spec.keep_session {
        return Ok(());
    }
    match rustix::process::setsid() {
        // A leader already: whoever started this process made it one. (Asked through nix: the leader may be outside
        // of the pid namespace, and then its number is 0, which rustix cannot hold.)
        Err(Errno::PERM) if nix::unistd::getsid(None) == Ok(nix::unistd::getpid()) => Ok(()),
        result => result.map(|_| ()).at(ExecStep::Setsid, ""),
    }
}

fn set_up_streams(spec: &ExecSpec, passed: &Passed) -> Result<(), Failure> {
    terminal::prepare(spec);
    stdio::set_up(spec, passed)
}

/// Give the user what it will work with: the terminal it reads from, and the control group it may divide.
fn hand_over(spec: &ExecSpec, identity: &Identity) -> Result<(), Failure> {
    let Some(uid) = identity.uid else { return Ok(()) };
    let input = rustix::stdio::stdin();
    if matches!(spec.stdin, sysmaster_link::Stdio::Tty { .. }) && rustix::termios::isatty(input) {
        rustix::fs::fchown(input, Some(rustix::fs::Uid::from_raw(uid)), None)
            .at(ExecStep::Stdin, "owner of the terminal")?;
        rustix::fs::fchmod(input, Mode::from_raw_mode(0o620)).at(ExecStep::Stdin, "mode of the terminal")?;
    }
    match (spec.delegate, spec.cgroups.first(), identity.gid) {
        (true, Some(group), Some(gid)) => cgroup::delegate(group, uid, gid),
        _ => Ok(()),
    }
}

fn change_root(spec: &ExecSpec) -> Result<(), Failure> {
    if spec.root_directory.is_empty() {
        return Ok(());
    }
    chroot(spec.root_directory.as_str()).at(ExecStep::Chroot, &spec.root_directory)?;
    // A working directory outside would be a way out.
    chdir("/").at(ExecStep::Chroot, &spec.root_directory)
}

fn change_directory(spec: &ExecSpec, identity: &Identity) -> Result<(), Failure> {
    let directory = match spec.working_directory.as_str() {
        "" => "/",
        "~" => identity.home.as_deref().ok_or_else(|| Failure::new(ExecStep::Chdir, Errno::NXIO, "~"))?,
        directory => directory,
    };
    match chdir(directory) {
        Err(_) if spec.working_directory_optional => chdir("/").at(ExecStep::Chdir, "/"),
        result => result.at(ExecStep::Chdir, directory),
    }
}
