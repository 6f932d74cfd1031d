//! The paths of path units (systemd.path(5)): watched with all that leads to them, and looked at.
//!
//! Every directory from the root on gets a watch of its own, and so does the path; the last one that is there tells when the next
//! component comes. Symbolic links are watched themselves, and so is what they lead to.

use crate::error::name;
use crate::raw::{borrow, glob_first};
use nix::errno::Errno;
use rustix::fs::inotify::{self, WatchFlags};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// Entries of a directory that are looked at for its stamp; of more only the directory itself counts.
const ENTRIES_MAX: usize = 65_536;

/// What about a path matters: the names of the settings.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
pub enum PathKind {
    #[default]
    PathExists,
    PathExistsGlob,
    PathChanged,
    PathModified,
    DirectoryNotEmpty,
}

/// One watch that was set.
#[derive(Serialize)]
pub struct Watch {
    watch: i32,
    /// IN_ bits that matter of it.
    mask: u32,
    /// It is on the path itself.
    own: bool,
    /// The one entry of a directory that matters; null: all.
    entry: Option<String>,
}

/// The watches of a path, or the errno by name that stood in the way, and on what.
#[derive(Serialize)]
pub struct Armed {
    watches: Vec<Watch>,
    errno: Option<String>,
    about: String,
}

/// What is there.
#[derive(Serialize)]
pub struct Seen {
    /// There is something of that name (of a directory that must not be empty: something in it).
    there: bool,
    /// The name that matches a pattern; else the path.
    path: String,
    /// Another one whenever something was changed; null: nothing is there, or nobody asks.
    stamp: Option<String>,
}

/// What tells that the path itself has changed, or may be there by now.
fn own_mask(of: PathKind) -> WatchFlags {
    let gone = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ATTRIB;
    let changed = gone
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO;
    match of {
        PathKind::PathExists | PathKind::PathExistsGlob => gone,
        PathKind::PathChanged => changed,
        PathKind::PathModified => changed | WatchFlags::MODIFY,
        PathKind::DirectoryNotEmpty => gone | WatchFlags::CREATE | WatchFlags::MOVED_TO,
    }
}

/// Watch a path and what leads to it, as far as it is there.
pub fn arm(inotify: i32, of: PathKind, path: &str) -> Armed {
    let mut watches = Vec::new();
    let done = borrow(inotify)
        .map_err(|errno| (errno, "inotify".to_string()))
        .and_then(|inotify| walk(inotify, of, Path::new(path), &mut watches));
    match done {
        Ok(()) => Armed { watches, errno: None, about: String::new() },
        Err((errno, about)) => Armed { watches, errno: Some(name(errno)), about },
    }
}

type Fault = (Errno, String);

fn walk(inotify: BorrowedFd, of: PathKind, path: &Path, watches: &mut Vec<Watch>) -> Result<(), Fault> {
    let awaiting = WatchFlags::MOVE_SELF
        | WatchFlags::DELETE_SELF
        | WatchFlags::ATTRIB
        | WatchFlags::CREATE
        | WatchFlags::MOVED_TO;
    let mut here = PathBuf::new();
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let above = here.clone();
        here.push(component);
        let is_own = components.peek().is_none();
        // A directory that is gone over to another name, or may not be searched any more, leads elsewhere.
        let mask = if is_own { own_mask(of) } else { WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF };
        if add(inotify, &here, mask, is_own, None, watches)? {
            continue;
        }
        if above.as_os_str().is_empty() {
            return Ok(());
        }
        let entry = match component {
            Component::Normal(entry) if !(is_own && of == PathKind::PathExistsGlob) => {
                Some(entry.to_string_lossy().into_owned())
            }
            _ => None,
        };
        // Only now is the one above watched for it: it may have come meanwhile.
        if !add(inotify, &above, awaiting, false, entry, watches)? || !add(inotify, &here, mask, is_own, None, watches)?
        {
            return Ok(());
        }
    }
    Ok(())
}

/// False: it is not there, or must not be reached yet.
fn add(
    inotify: BorrowedFd,
    path: &Path,
    mask: WatchFlags,
    own: bool,
    entry: Option<String>,
    watches: &mut Vec<Watch>,
) -> Result<bool, Fault> {
    let mut link = None;
    for follow in [WatchFlags::DONT_FOLLOW, WatchFlags::empty()] {
        match inotify::add_watch(inotify, path, mask | follow | WatchFlags::MASK_ADD) {
            // Of a symbolic link only what it leads to is the path's own: that it leads elsewhere is looked at.
            Ok(watch) if link.replace(watch).is_none() => {
                watches.push(Watch { watch, mask: mask.bits(), own: false, entry: entry.clone() });
            }
            Ok(watch) => {
                if watches.last().is_some_and(|before| before.watch == watch) {
                    watches.pop();
                }
                watches.push(Watch { watch, mask: mask.bits(), own, entry: entry.clone() });
            }
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::ACCESS) => return Ok(false),
            Err(errno) => return Err((Errno::from_raw(errno.raw_os_error()), path.display().to_string())),
        }
    }
    Ok(true)
}

/// What is there now.
pub fn look(of: PathKind, path: &str) -> Seen {
    let seen = |there, stamp| Seen { there, path: path.to_string(), stamp };
    match of {
        PathKind::PathExists => seen(fs::metadata(path).is_ok(), None),
        PathKind::PathExistsGlob => {
            let first = CString::new(path).ok().and_then(|pattern| glob_first(&pattern).ok().flatten());
            match first {
                Some(first) => Seen { there: true, path: first.to_string_lossy().into_owned(), stamp: None },
                None => seen(false, None),
            }
        }
        PathKind::DirectoryNotEmpty => seen(has_entries(path), None),
        PathKind::PathChanged | PathKind::PathModified => {
            let stamp = stamp(Path::new(path));
            seen(fs::metadata(path).is_ok(), stamp)
        }
    }
}

/// Hidden files, and those that editors and package managers leave behind, are no entries.
fn has_entries(path: &str) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => {
            entries.any(|entry| entry.is_ok_and(|entry| !is_hidden_or_backup(&entry.file_name().to_string_lossy())))
        }
        Err(why) => !matches!(why.raw_os_error(), Some(nix::libc::ENOENT | nix::libc::ENOTDIR)),
    }
}

fn is_hidden_or_backup(name: &str) -> bool {
    const NAMES: [&str; 3] = ["lost+found", "aquota.user", "aquota.group"];
    const ENDS: [&str; 17] = [
        "rpmnew",
        "rpmsave",
        "rpmorig",
        "dpkg-old",
        "dpkg-new",
        "dpkg-tmp",
        "dpkg-dist",
        "dpkg-bak",
        "dpkg-backup",
        "dpkg-remove",
        "ucf-new",
        "ucf-old",
        "ucf-dist",
        "swp",
        "bak",
        "old",
        "new",
    ];
    name.starts_with('.')
        || name.ends_with('~')
        || NAMES.contains(&name)
        || name.rsplit_once('.').is_some_and(|(_, end)| ENDS.contains(&end))
}

/// Of the link, of what it leads to, and of what is in a directory.
fn stamp(path: &Path) -> Option<String> {
    let link = fs::symlink_metadata(path).ok()?;
    let mut text = identity(&link);
    if let Ok(found) = fs::metadata(path) {
        if link.is_symlink() {
            text.push(' ');
            text.push_str(&identity(&found));
        }
        if found.is_dir() {
            text.push(' ');
            text.push_str(&entries(path).to_string());
        }
    }
    Some(text)
}

fn identity(of: &Metadata) -> String {
    let (dev, ino, size) = (of.dev(), of.ino(), of.size());
    format!("{dev}:{ino}:{size}:{}.{}:{}.{}", of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec())
}

/// The entries of a directory, whatever their order: a sum of hashes.
fn entries(path: &Path) -> u64 {
    let Ok(all) = fs::read_dir(path) else { return 0 };
    let mut sum = 0_u64;
    for entry in all.flatten().take(ENTRIES_MAX) {
        let mut hasher = DefaultHasher::new();
        entry.file_name().hash(&mut hasher);
        if let Ok(found) = entry.metadata() {
            // What happens in a directory below is nothing that is told of this one.
            if found.is_dir() {
                (found.ino(), found.mode(), found.uid(), found.gid()).hash(&mut hasher);
            } else {
                identity(&found).hash(&mut hasher);
            }
        }
        sum = sum.wrapping_add(hasher.finish());
    }
    sum
}

/// Make a directory and those above it, each with this mode whatever the umask is. True: it is there.
pub fn make_directory(path: &Path, mode: u32) -> bool {
    if path.is_dir() {
        return true;
    }
    if path.parent().is_some_and(|above| !make_directory(above, mode)) {
        return false;
    }
    match fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)).is_ok(),
        Err(_) => path.is_dir(),
    }
}
