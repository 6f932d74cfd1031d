//! RuntimeDirectory= and its kin (systemd.exec(5)): made, owned and named to the service.

use crate::failure::{At, Failure};
use crate::users::Identity;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};
use sysmaster_link::{DirectoryKind, ExecSpec, ExecStep, ManagedDirectories};

/// A tree deeper than this is not walked to change its owner.
const DEPTH_MAX: usize = 128;

/// Make all of them, for whoever the service will be.
pub fn make_all(spec: &ExecSpec, identity: &Identity) -> Result<(), Failure> {
    let uid = Uid::from_raw(identity.uid.unwrap_or(0));
    let gid = Gid::from_raw(identity.gid.unwrap_or(0));
    for directories in &spec.directories {
        let step = step(directories.kind);
        let root = root(directories);
        for path in sorted(directories) {
            let full = below(root, &path).at(step, &path)?;
            make_one(&full, directories, uid, gid).at(step, full.display().to_string())?;
        }
        for directory in &directories.paths {
            let target = below(root, &directory.path).at(step, &directory.path)?;
            for link in &directory.symlinks {
                let link = below(root, link).at(step, link)?;
                make_symlink(&target, &link).at(step, link.display().to_string())?;
            }
        }
    }
    Ok(())
}

const fn step(kind: DirectoryKind) -> ExecStep {
    match kind {
        DirectoryKind::Runtime => ExecStep::RuntimeDirectory,
        DirectoryKind::State => ExecStep::StateDirectory,
        DirectoryKind::Cache => ExecStep::CacheDirectory,
        DirectoryKind::Logs => ExecStep::LogsDirectory,
        DirectoryKind::Configuration => ExecStep::ConfigurationDirectory,
    }
}

/// The variable that names the directories to the service.
pub const fn variable(kind: DirectoryKind) -> &'static str {
    match kind {
        DirectoryKind::Runtime => "RUNTIME_DIRECTORY",
        DirectoryKind::State => "STATE_DIRECTORY",
        DirectoryKind::Cache => "CACHE_DIRECTORY",
        DirectoryKind::Logs => "LOGS_DIRECTORY",
        DirectoryKind::Configuration => "CONFIGURATION_DIRECTORY",
    }
}

fn root(directories: &ManagedDirectories) -> &str {
    match directories.kind {
        _ if !directories.root.is_empty() => &directories.root,
        DirectoryKind::Runtime => "/run",
        DirectoryKind::State => "/var/lib",
        DirectoryKind::Cache => "/var/cache",
        DirectoryKind::Logs => "/var/log",
        DirectoryKind::Configuration => "/etc",
    }
}

/// The variable's value: full paths, parents first, joined by `:`.
pub fn joined(directories: &ManagedDirectories) -> String {
    let root = root(directories).trim_end_matches('/');
    let paths: Vec<String> = sorted(directories).into_iter().map(|path| format!("{root}/{path}")).collect();
    paths.join(":")
}

/// Parents before what lies in them, so that each gets its own mode and owner; otherwise by name, as in systemd.
fn sorted(directories: &ManagedDirectories) -> Vec<String> {
    let mut paths: Vec<String> = directories.paths.iter().map(|directory| directory.path.clone()).collect();
    paths.sort_by(|one, other| Path::new(one).components().cmp(Path::new(other).components()));
    paths
}

/// A path below the root. EINVAL if it would leave it.
fn below(root: &str, path: &str) -> io::Result<PathBuf> {
    let inside = !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if inside { Ok(Path::new(root).join(path)) } else { Err(Errno::INVAL.into()) }
}

fn make_one(path: &Path, directories: &ManagedDirectories, uid: Uid, gid: Gid) -> io::Result<()> {
    make_parents(path)?;
    match fs::DirBuilder::new().mode(directories.mode).create(path) {
        // One that exists may hold what an administrator put there: it keeps its mode and owner.
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists && directories.kind == DirectoryKind::Configuration =>
        {
            return if path.is_dir() { Ok(()) } else { Err(Errno::NOTDIR.into()) };
        }
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let directory = open_directory(rustix::fs::CWD, path)?;
    set_mode(&directory, Mode::from_raw_mode(directories.mode))?;
    let found = rustix::fs::fstat(&directory)?;
    // What has the right owner at the top is taken to have it all the way down.
    if found.st_uid == uid.as_raw() && found.st_gid == gid.as_raw() {
        return Ok(());
    }
    give_tree(directory, uid, gid, 0)?;
    Ok(())
}

fn make_parents(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => fs::DirBuilder::new().recursive(true).mode(0o755).create(parent),
        None => Ok(()),
    }
}

/// Open a directory itself, never what a symlink leads to.
fn open_directory(at: impl std::os::fd::AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, path, flags, Mode::empty())
}

fn set_mode(file: &OwnedFd, mode: Mode) -> rustix::io::Result<()> {
    rustix::fs::fchmod(file, mode)
}

/// Give a directory and everything in it to a user and group: contents first, so that an interrupted walk is taken up again.
fn give_tree(directory: OwnedFd, uid: Uid, gid: Gid, depth: usize) -> rustix::io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(Errno::LOOP);
    }
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        // Pinned first, so that it cannot be exchanged for something else in between.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let pinned = match rustix::fs::openat(&directory, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => continue, // gone by itself
            result => result?,
        };
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&pinned)?.st_mode);
        if kind == FileType::Directory {
            give_tree(open_directory(&pinned, c".")?, uid, gid, depth + 1)?;
        } else {
            give(&pinned, uid, gid)?;
        }
    }
    give(&directory, uid, gid)
}

/// Change the owner of one file and keep its mode, which chown(2) may strip of set-user-ID; its access lists go.
fn give(file: &OwnedFd, uid: Uid, gid: Gid) -> rustix::io::Result<()> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mode = rustix::fs::fstat(file)?.st_mode;
    let symlink = FileType::from_raw_mode(mode) == FileType::Symlink;
    if !symlink {
        for name in ["system.posix_acl_access", "system.posix_acl_default"] {
            match rustix::fs::removexattr(&path, name) {
                Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOENT | Errno::ACCESS) => {}
                Err(error) => return Err(error),
            }
        }
    }
    rustix::fs::chownat(file, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    if !symlink && mode & 0o6000 != 0 {
        rustix::fs::chmod(&path, Mode::from_raw_mode(mode & 0o7777))?;
    }
    Ok(())
}

/// Make a relative symlink. One that already leads there is left alone; anything else in its place is EEXIST.
fn make_symlink(target: &Path, link: &Path) -> io::Result<()> {
    make_parents(link)?;
    let relative = relative_to(target, link.parent().unwrap_or(Path::new("/")));
    match std::os::unix::fs::symlink(&relative, link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs::read_link(link) {
            Ok(existing) if existing == relative || existing == target => Ok(()),
            _ => Err(error),
        },
        result => result,
    }
}

fn relative_to(target: &Path, from: &Path) -> PathBuf {
    let (target, from): (Vec<_>, Vec<_>) = (target.components().collect(), from.components().collect());
    let common = target.iter().zip(&from).take_while(|(one, other)| one == other).count();
    let up = from[common..].iter().map(|_| Component::ParentDir);
    up.chain(target[common..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use sysmaster_link::ManagedDirectory;

    fn managed(kind: DirectoryKind, root: &Path, paths: &[&str], mode: u32) -> ManagedDirectories {
        let paths = paths.iter().map(|path| ManagedDirectory { path: (*path).into(), symlinks: vec![] }).collect();
        ManagedDirectories { kind, paths, mode, root: root.to_str().unwrap().into() }
    }

    /// Whoever runs the tests: giving away to oneself is always allowed.
    fn own() -> Identity {
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        Identity { uid: Some(uid), gid: Some(gid), ..Identity::default() }
    }

    fn make(directories: ManagedDirectories) -> Result<(), Failure> {
        make_all(&ExecSpec { directories: vec![directories], ..ExecSpec::default() }, &own())
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn parents_are_open_to_all_and_the_last_part_has_the_mode() {
        let root = tempfile::tempdir().unwrap();
        make(managed(DirectoryKind::State, root.path(), &["a/b"], 0o700)).unwrap();
        assert_eq!((mode(&root.path().join("a")), mode(&root.path().join("a/b"))), (0o755, 0o700));
    }

    #[test]
    fn an_existing_directory_gets_the_mode_unless_it_holds_configuration() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("x")).unwrap();
        fs::set_permissions(root.path().join("x"), fs::Permissions::from_mode(0o711)).unwrap();
        make(managed(DirectoryKind::Configuration, root.path(), &["x"], 0o750)).unwrap();
        assert_eq!(mode(&root.path().join("x")), 0o711);
        make(managed(DirectoryKind::Cache, root.path(), &["x"], 0o750)).unwrap();
        assert_eq!(mode(&root.path().join("x")), 0o750);
    }

    #[test]
    fn paths_that_would_leave_the_root_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "", "a/../../x"] {
            let failure = make(managed(DirectoryKind::Logs, root.path(), &[path], 0o755)).unwrap_err();
            assert_eq!((failure.step, failure.errno), (ExecStep::LogsDirectory, Errno::INVAL.raw_os_error()), "{path}");
        }
    }

    #[test]
    fn a_file_in_the_way_fails_the_step_of_its_kind() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("x"), "").unwrap();
        for (kind, step) in [
            (DirectoryKind::Runtime, ExecStep::RuntimeDirectory),
            (DirectoryKind::State, ExecStep::StateDirectory),
            (DirectoryKind::Cache, ExecStep::CacheDirectory),
            (DirectoryKind::Logs, ExecStep::LogsDirectory),
            (DirectoryKind::Configuration, ExecStep::ConfigurationDirectory),
        ] {
            assert_eq!(make(managed(kind, root.path(), &["x"], 0o755)).unwrap_err().step, step);
        }
    }

    #[test]
    fn a_symlink_in_place_of_the_directory_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", root.path().join("x")).unwrap();
        make(managed(DirectoryKind::State, root.path(), &["x"], 0o700)).unwrap_err();
        assert_eq!(mode(&root.path().join("elsewhere")) & 0o077, 0o055);
    }

    #[test]
    fn symlinks_are_relative_and_making_them_twice_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let mut directories = managed(DirectoryKind::Runtime, root.path(), &["a/b"], 0o755);
        directories.paths[0].symlinks = vec!["c/d".into(), "e".into()];
        make(directories.clone()).unwrap();
        make(directories).unwrap();
        assert_eq!(fs::read_link(root.path().join("c/d")).unwrap(), Path::new("../a/b"));
        assert_eq!(fs::read_link(root.path().join("e")).unwrap(), Path::new("a/b"));
    }

    #[test]
    fn the_variable_names_full_paths_with_parents_first() {
        let directories = managed(DirectoryKind::State, Path::new("/x"), &["b/a", "b", "a-b", "a/c"], 0o755);
        assert_eq!(joined(&directories), "/x/a/c:/x/a-b:/x/b:/x/b/a");
        let standard = ManagedDirectories { root: String::new(), ..directories };
        assert!(joined(&standard).starts_with("/var/lib/a/c:"));
    }
}
