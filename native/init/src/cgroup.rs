//! The control group everything lives below (cgroups(7), version 2).
//!
//! A machine uses the root of the hierarchy. So does a container that has a control-group namespace of its own. Anybody else
//! gets a fresh group below the one init is in, so that nothing of the host is ever touched.

use crate::kill::{members, subgroups};
use crate::process;
use std::fs;
use std::io;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use sysmaster_link::Role;

/// Inode of the initial control-group namespace (PROC_CGROUP_INIT_INO in the kernel).
const INITIAL_NAMESPACE: u64 = 0xEFFF_FFFB;
/// The group init itself sits in.
const INIT_SCOPE: &str = "init.scope";
/// How many names are tried for a fresh group.
const NAMES_MAX: u32 = 1000;

/// Where the groups are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Absolute path of the directory; empty: there are none to use.
    pub root: String,
    /// Its name in /proc/PID/cgroup, without a slash at the end.
    pub base: String,
    /// Init made it, and came from this one.
    pub home: Option<String>,
}

/// Find the group, make it if it must be made, and move init into `init.scope` below it.
///
/// # Errors
/// Words for a person: why there are no control groups.
pub fn settle(role: Role, wanted: Option<&str>) -> Result<Groups, String> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").map_err(|error| format!("/proc: {error}"))?;
    let (root, home) = match wanted {
        Some(root) => {
            fs::create_dir_all(root).map_err(|error| format!("{root}: cannot be made: {error}"))?;
            (PathBuf::from(root), None)
        }
        None => place(role, &mountinfo)?,
    };
    let scope = root.join(INIT_SCOPE);
    let entered = make(&scope).and_then(|()| fs::write(scope.join("cgroup.procs"), "0"));
    entered.map_err(|error| {
        if home.is_some() {
            remove(&root);
        }
        format!("{}: cannot be entered: {error}", scope.display())
    })?;
    let own = process::cgroup(i32::try_from(std::process::id()).unwrap_or(0)).unwrap_or_default();
    let base = own.strip_suffix(&format!("/{INIT_SCOPE}")).unwrap_or(&own).trim_end_matches('/').to_owned();
    Ok(Groups { root: root.to_string_lossy().into_owned(), base, home: home.map(|home| home.to_string_lossy().into()) })
}

/// Leave the fresh group and remove it with all below.
pub fn leave(root: &str, home: &str) {
    if fs::write(Path::new(home).join("cgroup.procs"), "0").is_ok() {
        remove(Path::new(root));
    }
}

/// Remove a tree of groups, as far as they are empty.
pub fn remove(group: &Path) {
    subgroups(group).iter().for_each(|path| remove(path));
    // A group with a process in it stays; whoever looks finds it by its name.
    if members(group).is_empty() {
        let _ = fs::remove_dir(group);
    }
}

fn make(group: &Path) -> io::Result<()> {
    match fs::create_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        answer => answer,
    }
}

fn place(role: Role, mountinfo: &str) -> Result<(PathBuf, Option<PathBuf>), String> {
    let mounts = mounts(mountinfo);
    let (mount_root, mount) = mounts.first().ok_or("no cgroup2 file system is mounted")?;
    let own = process::cgroup(i32::try_from(std::process::id()).unwrap_or(0));
    let own = own.ok_or("/proc/self/cgroup names no version 2 group")?;
    if role == Role::Machine {
        return Ok((mount.clone(), None));
    }
    let has_namespace =
        fs::metadata("/proc/self/ns/cgroup").is_ok_and(|namespace| namespace.st_ino() != INITIAL_NAMESPACE);
    // Only the real root of the hierarchy has no cgroup.events; it belongs to the machine.
    if role == Role::Container && has_namespace && mount_root == "/" && mount.join("cgroup.events").exists() {
        return Ok((mount.clone(), None));
    }
    let relative = if mount_root == "/" { Some(own.as_str()) } else { own.strip_prefix(mount_root.as_str()) };
    let relative = relative.ok_or_else(|| format!("{}: does not show init's own group {own}", mount.display()))?;
    let home = mount.join(relative.trim_start_matches('/'));
    let pid = std::process::id();
    for number in 0..NAMES_MAX {
        let name = if number == 0 { format!("sysmaster.{pid}") } else { format!("sysmaster.{pid}.{number}") };
        let path = home.join(name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok((path, Some(home))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("{}: cannot be made: {error}", path.display())),
        }
    }
    Err(format!("{}: is full of groups of others", home.display()))
}

/// Root within the hierarchy and mount point of each cgroup2 mount, the usual place first.
fn mounts(mountinfo: &str) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = mountinfo
        .lines()
        .filter_map(|line| {
            let (head, tail) = line.split_once(" - ")?;
            if tail.split(' ').next() != Some("cgroup2") {
                return None;
            }
            let mut fields = head.split(' ').skip(3);
            Some((fields.next()?.to_owned(), PathBuf::from(fields.next()?)))
        })
        .collect();
    found.sort_by_key(|(_, mount)| mount != Path::new("/sys/fs/cgroup"));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_mount_is_preferred_and_the_hybrid_one_found() {
        let hybrid =
            "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n41 31 0:38 /x /sys/fs/cgroup/unified rw - cgroup2 c rw";
        assert_eq!(mounts(hybrid), [("/x".to_owned(), PathBuf::from("/sys/fs/cgroup/unified"))]);
        let both = format!("{hybrid}\n50 23 0:38 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate");
        assert_eq!(mounts(&both).first().map(|mount| mount.1.clone()), Some(PathBuf::from("/sys/fs/cgroup")));
        assert_eq!(mounts("1 2 0:3 / / rw - ext4 /dev/vda rw"), []);
    }
}
