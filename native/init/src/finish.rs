//! The last calls, and the last step on the file systems.

use crate::ending::Last;
use crate::say::say;
use crate::state::Facts;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::reboot::{RebootMode, reboot};
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use sysmaster_link::Role;

/// How often the mounts are gone through: one that was busy may be free after another is gone.
const ROUNDS_MAX: usize = 8;

/// Do it. None: it has failed, or it is none of ours; otherwise the status to exit with.
#[must_use]
pub fn finish(facts: &Facts, last: Last, argument: &str) -> Option<u8> {
    if let Some(home) = &facts.cgroup_home {
        crate::cgroup::leave(&facts.cgroup_root, home);
    }
    if let Last::Exit(status) = last {
        return Some(status);
    }
    // Told twice, since nothing is dearer to get wrong: only the first process of the machine goes on from here.
    if facts.role != Role::Machine || std::process::id() != 1 {
        say(2, "shutdown: this is not the first process of a machine, which alone may reboot(2)");
        return Some(1);
    }
    let mode = match last {
        Last::PowerOff => RebootMode::RB_POWER_OFF,
        Last::Halt => RebootMode::RB_HALT_SYSTEM,
        Last::Kexec if kexec_is_loaded() => RebootMode::RB_KEXEC,
        _ => RebootMode::RB_AUTOBOOT,
    };
    if last == Last::Restart
        && let Ok(argument) = CString::new(argument)
        && !argument.is_empty()
    {
        let error = sysmaster_sys::machine::restart_with(&argument);
        say(3, &format!("shutdown: cannot restart with an argument: {error}; restarting without"));
    }
    let Err(error) = reboot(mode);
    say(0, &format!("shutdown: reboot: {error}; trying again"));
    None
}

fn kexec_is_loaded() -> bool {
    fs::read_to_string("/sys/kernel/kexec_loaded").is_ok_and(|text| text.trim() == "1")
}

/// Unmount everything that can be, make the rest read-only, and sync. Only for a child of the first process of a machine.
///
/// # Errors
/// Words for a person: what is still mounted for writing.
pub fn unmount_all() -> Result<(), String> {
    let of_init = rustix::process::getppid().is_some_and(|parent| parent.as_raw_nonzero().get() == 1)
        && matches!((fs::read_link("/proc/1/exe"), fs::read_link("/proc/self/exe")), (Ok(first), Ok(own)) if first == own);
    if !of_init || !is_first_namespace() {
        return Err("only the first process of a machine unmounts everything".to_owned());
    }
    rustix::fs::sync();
    let mut left = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let before = left.len();
        left = mount_points();
        if left.is_empty() || left.len() == before {
            break;
        }
        // The newest first: what is mounted on another goes before it.
        for path in left.iter().rev() {
            if umount2(path, MntFlags::UMOUNT_NOFOLLOW).is_err() {
                make_read_only(path);
            }
        }
    }
    let root = Path::new("/");
    make_read_only(root);
    rustix::fs::sync();
    let names: Vec<String> = left.iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() {
        Ok(())
    } else {
        Err(format!("still mounted, made read-only where possible: {}", names.join(" ")))
    }
}

/// Inode of the initial pid namespace (PROC_PID_INIT_INO in the kernel).
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Whether this is the initial pid namespace of the machine.
#[must_use]
pub fn is_first_namespace() -> bool {
    use std::os::linux::fs::MetadataExt;
    fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.st_ino() == INITIAL_PID_NAMESPACE)
}

fn make_read_only(path: &Path) {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    // What cannot be made read-only is reported as still mounted; the sync after it is what saves the data.
    let _ = mount(None::<&str>, path, None::<&str>, flags, None::<&str>);
}

/// Mount points, oldest first, but those of the root and of the kernel's own file systems.
fn mount_points() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape).filter(|path| !is_kept(path)).collect()
}

fn is_kept(path: &Path) -> bool {
    path == Path::new("/")
        || ["/proc", "/sys", "/dev", "/run"].iter().any(|kept| path == Path::new(kept))
        || path.starts_with("/sys")
        || path.starts_with("/proc")
}

/// mountinfo writes blanks and the like as a backslash and three octal digits (proc(5)).
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.filter(|_| *first == b'\\').and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_blanks_are_unescaped() {
        assert_eq!(unescape("/mnt/a\\040b\\134c\\9"), PathBuf::from("/mnt/a b\\c\\9"));
    }

    #[test]
    fn unmounting_everything_is_refused_to_anybody_else() {
        // The parent of a test is never process 1 of a machine with this very program.
        if rustix::process::getppid().is_none_or(|parent| parent.as_raw_nonzero().get() != 1) {
            assert!(unmount_all().is_err());
        }
    }
}
