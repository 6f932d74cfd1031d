//! Core's places in the file system, before core is there. What stands in one of them and is not ours is never followed and never
//! written to: it is given another name. Whatever goes wrong here is a sentence for core, and no reason not to start it.

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, open, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};

/// Names that are tried for what is put aside.
const ASIDE_MAX: u32 = 100;
const WRITABLE_TO_OTHERS: u32 = 0o022;

/// The directory to use: `path`, or `PATH.own` where `path` cannot be made ours; made if missing, and writable to nobody else.
/// `tell` gets what was found.
pub fn directory(path: &str, tell: &mut impl FnMut(String)) -> String {
    let second = format!("{path}.own");
    for one in [path, &second] {
        match own_directory(one, tell) {
            Ok(()) => return one.to_owned(),
            Err(why) => tell(format!("{one}: {why}")),
        }
    }
    path.to_owned()
}

fn own_directory(path: &str, tell: &mut impl FnMut(String)) -> Result<(), String> {
    if let Some(why) = fs::symlink_metadata(path).ok().and_then(|found| strange(&found, Metadata::is_dir)) {
        tell(put_aside(path, &why)?);
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    let found = made.and_then(|()| fs::symlink_metadata(path)).map_err(|error| error.to_string())?;
    let mode = found.mode() & 0o7777;
    if mode & WRITABLE_TO_OTHERS != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        tell(format!("{path}: others could write to it ({mode:04o}); now 0755"));
    }
    Ok(())
}

/// A file of ours to append to, begun anew if it is longer than `max`; none: there can be none now.
pub fn file(path: &str, max: u64, tell: &mut impl FnMut(String)) -> Option<OwnedFd> {
    let opened = match open_own(path, OFlags::empty()) {
        Err(Refused::Strange(why)) => put_aside(path, &why).and_then(|said| {
            tell(said);
            open_own(path, OFlags::EXCL).map_err(|refused| refused.words())
        }),
        opened => opened.map_err(|refused| refused.words()),
    };
    let shortened = opened.and_then(|file| {
        let long = file.metadata().is_ok_and(|found| found.len() > max);
        let done = if long { file.set_len(0) } else { Ok(()) };
        done.map(|()| file).map_err(|error| error.to_string())
    });
    shortened.map(OwnedFd::from).map_err(|why| tell(format!("{path}: {why}"))).ok()
}

enum Refused {
    /// Something else stands there.
    Strange(String),
    Error(io::Error),
}

impl Refused {
    fn words(self) -> String {
        match self {
            Self::Strange(why) => why,
            Self::Error(error) => error.to_string(),
        }
    }
}

/// Never waiting for a pipe, and never following a link.
fn open_own(path: &str, more: OFlags) -> Result<File, Refused> {
    let how = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
    let safely = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = open(path, how | safely | more, Mode::from_raw_mode(0o640)).map(File::from);
    let found = match &opened {
        Ok(file) => file.metadata(),
        Err(_) => fs::symlink_metadata(path),
    };
    match found.ok().and_then(|found| strange_file(&found)) {
        Some(why) => Err(Refused::Strange(why)),
        None => opened.map_err(|error| Refused::Error(error.into())),
    }
}

fn strange_file(found: &Metadata) -> Option<String> {
    strange(found, Metadata::is_file).or_else(|| {
        let mode = found.mode() & 0o7777;
        let shared = (found.nlink() > 1).then(|| format!("it has {} names", found.nlink()));
        shared.or_else(|| (mode & WRITABLE_TO_OTHERS != 0).then(|| format!("others may write to it ({mode:04o})")))
    })
}

/// Why this is not of the kind that is wanted, or not ours.
fn strange(found: &Metadata, of_kind: impl Fn(&Metadata) -> bool) -> Option<String> {
    if found.is_symlink() {
        return Some("a symbolic link, which is not followed".to_owned());
    }
    if !of_kind(found) {
        return Some(if found.is_dir() { "a directory" } else { "not a plain file or directory of ours" }.to_owned());
    }
    let own = rustix::process::geteuid().as_raw();
    (found.uid() != own).then(|| format!("it belongs to uid {}", found.uid()))
}

/// Give what stands there another name; the answer says which.
fn put_aside(path: &str, why: &str) -> Result<String, String> {
    for number in 1..=ASIDE_MAX {
        let aside = format!("{path}.aside-{number}");
        match renameat_with(CWD, path, CWD, &aside, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(format!("{path}: {why}; not used, and named {aside} now")),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(format!("{why}; it cannot be put aside: {error}")),
        }
    }
    Err(format!("{why}; it cannot be put aside: {ASIDE_MAX} others are; remove {path}.aside-*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{FileType, mknodat};
    use std::os::unix::fs::symlink;

    fn place(name: &str) -> String {
        let path = std::env::temp_dir().join(format!("sysmaster-place-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Whether there is a file to write to, and what was said.
    fn try_file(path: &str) -> (bool, Vec<String>) {
        let mut said = Vec::new();
        let opened = file(path, 10, &mut |what| said.push(what));
        (opened.is_some(), said)
    }

    fn try_directory(path: &str) -> (String, Vec<String>) {
        let mut said = Vec::new();
        let used = directory(path, &mut |what| said.push(what));
        (used, said)
    }

    #[test]
    fn what_is_ours_or_missing_is_used_without_a_word() {
        let at = place("ours");
        let (path, below) = (format!("{at}/file"), format!("{at}/one/below"));
        assert_eq!(try_file(&path), (true, vec![]));
        fs::write(&path, "mine").unwrap();
        assert_eq!(try_file(&path), (true, vec![]));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        fs::write(&path, "longer than ten").unwrap();
        assert_eq!(try_file(&path), (true, vec![]));
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        for _ in 0..2 {
            assert_eq!(try_directory(&below), (below.clone(), vec![]));
        }
        fs::remove_dir_all(at).unwrap();
    }

    #[test]
    fn whatever_else_stands_in_the_place_of_a_file_is_put_aside_and_not_touched() {
        let at = place("files");
        let (path, precious) = (format!("{at}/file"), format!("{at}/precious"));
        fs::write(&precious, "precious, and longer than ten").unwrap();
        type Plant<'a> = (&'a str, &'a dyn Fn());
        let plants: [Plant; 5] = [
            ("symbolic link", &|| symlink(&precious, &path).unwrap()),
            ("2 names", &|| fs::hard_link(&precious, &path).unwrap()),
            ("directory", &|| fs::create_dir(&path).unwrap()),
            ("not a plain", &|| mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap()),
            ("others may write", &|| {
                fs::write(&path, "").unwrap();
                fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
            }),
        ];
        for (why, plant) in plants {
            let _ = fs::remove_file(&path);
            plant();
            let (opened, said) = try_file(&path);
            assert!(opened && said.len() == 1 && said[0].contains(why), "{why}: {said:?}");
            assert!(fs::symlink_metadata(&path).unwrap().is_file());
        }
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious, and longer than ten");
        fs::remove_dir_all(at).unwrap();
    }

    #[test]
    fn a_place_that_cannot_be_freed_is_said_and_left() {
        let at = place("full");
        let path = format!("{at}/run");
        for number in 1..=ASIDE_MAX {
            fs::create_dir(format!("{path}.aside-{number}")).unwrap();
        }
        symlink(&at, &path).unwrap();
        let (opened, said) = try_file(&path);
        assert!(!opened && said[0].contains("cannot be put aside"), "{said:?}");
        let (used, said) = try_directory(&path);
        assert_eq!(used, format!("{path}.own"));
        assert!(said[0].contains("cannot be put aside"), "{said:?}");
        assert!(fs::symlink_metadata(used).unwrap().is_dir());
        fs::remove_dir_all(at).unwrap();
    }

    #[test]
    fn a_directory_that_all_may_write_to_is_shut_and_a_file_or_a_link_to_one_is_put_aside() {
        let at = place("directories");
        let path = format!("{at}/run");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        let (used, said) = try_directory(&path);
        assert!(used == path && said[0].contains("0777"), "{said:?}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
        fs::remove_dir(&path).unwrap();
        for plant in [|path: &str| symlink("/", path).unwrap(), |path: &str| fs::write(path, "").unwrap()] {
            plant(&path);
            let (used, said) = try_directory(&path);
            assert!(used == path && said[0].contains(".aside-"), "{said:?}");
            assert!(fs::symlink_metadata(&path).unwrap().is_dir());
            fs::remove_dir(&path).unwrap();
        }
        fs::remove_dir_all(at).unwrap();
    }
}
