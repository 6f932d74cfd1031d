//! Signals to processes, without ever hitting a stranger.

use crate::process::{self, Stat};
use crate::state::Facts;
use crate::step::Target;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use sysmaster_sys::signal::{kill_child, kill_pidfd};

/// How deep groups are followed.
const DEPTH_MAX: usize = 64;
/// How many processes of a group are signalled in one round.
const GROUP_MAX: usize = 65_536;
/// How often a group is gone through for SIGKILL where the kernel cannot do it in one.
const ROUNDS_MAX: usize = 16;
const SIGKILL: i32 = nix::libc::SIGKILL;
const ESRCH: i32 = nix::libc::ESRCH;

/// Signal a target; how many processes it reached.
///
/// # Errors
/// EPERM and the like, if nobody was reached because of it. That a process or a group is gone is 0, not an error.
pub fn kill(facts: &Facts, target: &Target, signal: i32) -> io::Result<u32> {
    match target {
        Target::Child { pid } => found(kill_child(*pid, signal)),
        Target::Process { pid, start_time } => found(kill_process(*pid, *start_time, signal)),
        Target::Group { .. } if facts.cgroup_root.is_empty() => {
            Err(io::Error::from_raw_os_error(nix::libc::EOPNOTSUPP))
        }
        Target::Group { path, except } => {
            let kernel_path = format!("{}/{path}", facts.cgroup_base);
            kill_group(&Path::new(&facts.cgroup_root).join(path), &kernel_path, except, signal)
        }
    }
}

/// Open a process and make sure that it is the one with this start time (0: whichever there is).
///
/// # Errors
/// ESRCH if it is gone; those of pidfd_open(2).
pub fn open_process(pid: i32, start_time: u64) -> io::Result<(OwnedFd, Stat)> {
    let gone = || io::Error::from_raw_os_error(ESRCH);
    let pidfd = pidfd_open(Pid::from_raw(pid).ok_or_else(gone)?, PidfdFlags::empty())?;
    let stat = process::stat(pid).ok_or_else(gone)?;
    if start_time != 0 && stat.start_time != start_time {
        return Err(gone());
    }
    Ok((pidfd, stat))
}

/// Every process in a group and the groups below it.
#[must_use]
pub fn members(group: &Path) -> Vec<i32> {
    let mut pids = Vec::new();
    let mut todo: Vec<(PathBuf, usize)> = vec![(group.to_owned(), 0)];
    while let Some((path, depth)) = todo.pop() {
        if let Ok(text) = fs::read_to_string(path.join("cgroup.procs")) {
            // A 0 is a process outside this pid namespace.
            pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
        }
        if pids.len() > GROUP_MAX {
            pids.truncate(GROUP_MAX);
            return pids;
        }
        if depth < DEPTH_MAX {
            todo.extend(subgroups(&path).into_iter().map(|path| (path, depth + 1)));
        }
    }
    pids
}

/// The groups right below one.
#[must_use]
pub fn subgroups(group: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(group) else { return Vec::new() };
    let is_dir = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.flatten().filter(is_dir).map(|entry| entry.path()).collect()
}

/// Signal every descendant of init, and every process in its groups but init.
pub fn kill_own(pid: i32, root: Option<&str>, signal: i32) -> usize {
    let mut targets: Vec<(i32, u64)> =
        process::descendants(pid, &process::all()).iter().map(|stat| (stat.pid, stat.start_time)).collect();
    if let Some(root) = root {
        targets.extend(members(Path::new(root)).into_iter().filter(|member| *member != pid).map(|member| (member, 0)));
    }
    targets.sort_unstable();
    targets.dedup_by_key(|target| target.0);
    targets.into_iter().filter(|(pid, start_time)| kill_process(*pid, *start_time, signal).is_ok()).count()
}

fn kill_process(pid: i32, start_time: u64, signal: i32) -> io::Result<()> {
    let (pidfd, _) = open_process(pid, start_time)?;
    kill_pidfd(pidfd.as_fd(), signal)
}

fn found(done: io::Result<()>) -> io::Result<u32> {
    match done {
        Ok(()) => Ok(1),
        Err(error) if error.raw_os_error() == Some(ESRCH) => Ok(0),
        Err(error) => Err(error),
    }
}

fn kill_group(group: &Path, kernel_path: &str, except: &[(i32, u64)], signal: i32) -> io::Result<u32> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    if signal == SIGKILL && except.is_empty() {
        let here = members(group);
        if here.is_empty() {
            return Ok(0);
        }
        if !here.contains(&own) && fs::write(group.join("cgroup.kill"), "1").is_ok() {
            return Ok(u32::try_from(here.len()).unwrap_or(u32::MAX));
        }
    }
    let mut reached = std::collections::BTreeSet::new();
    let mut refused = None;
    // New members may be forked while the list is read: SIGKILL goes round until there is nobody new.
    for _ in 0..if signal == SIGKILL { ROUNDS_MAX } else { 1 } {
        let before = reached.len();
        for pid in members(group) {
            if pid == own || reached.contains(&pid) {
                continue;
            }
            match kill_member(kernel_path, pid, except, signal) {
                Ok(true) => {
                    reached.insert(pid);
                }
                Ok(false) => {}
                Err(error) if error.raw_os_error() == Some(ESRCH) => {}
                Err(error) => refused = Some(error),
            }
        }
        if reached.len() == before {
            break;
        }
    }
    match refused {
        Some(error) if reached.is_empty() => Err(error),
        _ => Ok(u32::try_from(reached.len()).unwrap_or(u32::MAX)),
    }
}

/// Signal a process if it is still in the group once it is held by a pidfd; false if it is to be left alone.
fn kill_member(kernel_path: &str, pid: i32, except: &[(i32, u64)], signal: i32) -> io::Result<bool> {
    let (pidfd, stat) = open_process(pid, 0)?;
    if except.iter().any(|(other, start_time)| *other == pid && [0, stat.start_time].contains(start_time)) {
        return Ok(false);
    }
    let inside = process::cgroup(pid).is_some_and(|path| {
        path.strip_prefix(kernel_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if !inside {
        return Ok(false);
    }
    kill_pidfd(pidfd.as_fd(), signal)?;
    Ok(true)
}
