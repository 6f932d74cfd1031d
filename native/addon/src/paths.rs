//! What a path check asks, and its answer: the Condition…= of systemd.unit(5) that are about paths, PIDFile=, and what path units watch.

use crate::raw::{accessible, glob_first};
use crate::watched::{Armed, PathKind, Seen, arm, look, make_directory};
use nix::libc;
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// The most that `read-text` reads.
const TEXT_MAX: u64 = 1024 * 1024;
/// How often, and how far apart, a PID file is looked at for one answer.
const PID_LOOKS: usize = 20;
const PID_LOOKS_APART: std::time::Duration = std::time::Duration::from_millis(50);

/// A batch.
#[derive(Deserialize)]
pub struct Request {
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    kind: Kind,
    path: String,
    #[serde(default)]
    negate: bool,
    /// Of path units: what about the path matters.
    #[serde(default)]
    of: PathKind,
    /// The inotify descriptor that `arm` adds to.
    #[serde(default)]
    inotify: i32,
    /// Of what `make-directory` makes.
    #[serde(default)]
    mode: u32,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Exists,
    Glob,
    Directory,
    Symlink,
    Mountpoint,
    Readwrite,
    DirectoryNotEmpty,
    FileNotEmpty,
    Executable,
    Encrypted,
    ReadText,
    /// Waits a little for a number to stand there.
    PidFile,
    /// Takes the file away; holds if it was there.
    Remove,
    /// Watches a path of a path unit, and what leads to it.
    Arm,
    /// What is there now of a path of a path unit.
    Look,
    /// Makes a directory and those above it; holds if it is there then.
    MakeDirectory,
}

/// One answer: true or false, a file's text (null: it could not be read), a PID file's number and owner (null: none came), or what
/// became of a path unit's path.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer {
    Holds(bool),
    Text(Option<String>),
    Pid(Option<(u32, u32)>),
    Armed(Armed),
    Seen(Seen),
}

/// Answer every check in order. A path that cannot be looked at does not exist.
pub fn evaluate(request: &Request) -> Vec<Answer> {
    request
        .checks
        .iter()
        .map(|check| match check.kind {
            Kind::ReadText => Answer::Text(read_text(&check.path)),
            Kind::PidFile => Answer::Pid(await_pid(&check.path)),
            Kind::Remove => Answer::Holds(fs::remove_file(&check.path).is_ok()),
            Kind::Arm => Answer::Armed(arm(check.inotify, check.of, &check.path)),
            Kind::Look => Answer::Seen(look(check.of, &check.path)),
            Kind::MakeDirectory => Answer::Holds(make_directory(Path::new(&check.path), check.mode)),
            kind => Answer::Holds(holds(kind, &check.path) != check.negate),
        })
        .collect()
}

fn holds(kind: Kind, path: &str) -> bool {
    let followed = || fs::metadata(path);
    match kind {
        Kind::Exists => followed().is_ok(),
        Kind::Glob => CString::new(path).is_ok_and(|pattern| glob_first(&pattern).is_ok_and(|first| first.is_some())),
        Kind::Directory => followed().is_ok_and(|found| found.is_dir()),
        Kind::Symlink => fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()),
        Kind::Mountpoint => is_mountpoint(Path::new(path)),
        Kind::Readwrite => CString::new(path).is_ok_and(|path| accessible(&path, libc::W_OK).is_ok()),
        Kind::DirectoryNotEmpty => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()),
        Kind::FileNotEmpty => followed().is_ok_and(|found| found.is_file() && found.len() > 0),
        Kind::Executable => followed().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0),
        Kind::Encrypted => followed().is_ok_and(|found| is_encrypted(found.dev())),
        Kind::ReadText | Kind::PidFile | Kind::Remove | Kind::Arm | Kind::Look | Kind::MakeDirectory => false,
    }
}

/// A mount point has another mount id than its parent, or is the root; statx(2) STATX_MNT_ID says so even for bind mounts.
fn is_mountpoint(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
    let Ok(real) = fs::canonicalize(path) else { return false };
    let Some(parent) = real.parent() else { return true };
    let mount = |path: &Path| {
        statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, StatxFlags::MNT_ID)
            .map(|found| found.stx_mnt_id)
    };
    matches!((mount(&real), mount(parent)), (Ok(own), Ok(above)) if own != above)
}

/// Is the block device below a file system made by dm-crypt? Its device-mapper name begins with `CRYPT-`.
fn is_encrypted(device: u64) -> bool {
    let (major, minor) = (libc::major(device), libc::minor(device));
    fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/dm/uuid")).is_ok_and(|uuid| uuid.starts_with("CRYPT-"))
}

fn read_text(path: &str) -> Option<String> {
    let file = fs::File::open(path).ok()?;
    let mut bytes = Vec::new();
    file.take(TEXT_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The number in a PID file and the file's owner, waited for as long as a caller likes to wait who can ask again.
fn await_pid(path: &str) -> Option<(u32, u32)> {
    for _ in 0..PID_LOOKS {
        let owner = fs::symlink_metadata(path).ok().map(|found| found.uid());
        let number = read_text(path).and_then(|text| text.trim().parse().ok());
        if let (Some(number), Some(owner)) = (number, owner) {
            return Some((number, owner));
        }
        std::thread::sleep(PID_LOOKS_APART);
    }
    None
}
