//! Entering control groups (cgroups(7)).

use crate::failure::{At, Failure};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use sysmaster_link::ExecStep;

/// How often a group that is removed between making and entering it is made again.
const TRIES_MAX: usize = 8;

/// Make the group in each hierarchy, with the groups above it, and move this process there.
pub fn enter_all(directories: &[String]) -> Result<(), Failure> {
    for directory in directories {
        enter(Path::new(directory)).at(ExecStep::Cgroup, directory)?;
    }
    Ok(())
}

fn enter(directory: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
        // "0" is the writing process, whatever pid namespace it is in.
        match fs::OpenOptions::new().write(true).open(directory.join("cgroup.procs")).and_then(|file| write_self(&file))
        {
            // Someone cleaned up an empty group just now: it is not empty from here on.
            Err(error) if gone(&error) && tries < TRIES_MAX => {}
            result => return result,
        }
    }
}

fn write_self(mut file: &fs::File) -> io::Result<()> {
    io::Write::write_all(&mut file, b"0")
}

fn gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(code) if code == rustix::io::Errno::NOENT.raw_os_error() || code == rustix::io::Errno::NODEV.raw_os_error())
}

/// Give the group to a user, so that it may make groups below it (Delegate=, systemd.resource-control(5)).
pub fn delegate(directory: &str, uid: u32, gid: u32) -> Result<(), Failure> {
    let group = Path::new(directory);
    std::os::unix::fs::chown(group, Some(uid), Some(gid)).at(ExecStep::Cgroup, directory)?;
    for name in ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks"] {
        let file = group.join(name);
        match std::os::unix::fs::chown(&file, Some(uid), Some(gid)) {
            // Each hierarchy has some of them only.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result.at(ExecStep::Cgroup, file.display().to_string())?,
        }
    }
    Ok(())
}
