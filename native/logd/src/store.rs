//! The files: one a unit, rotated, bounded one by one and together.
//!
//! `UNIT.log` is written, `UNIT.log.1` is what was written before. Records come in whole batches; a batch either is in the file
//! or is counted as dropped, and the first record after a loss says how many there were. What a crash or a full disk left of a
//! batch is cut off at the last whole record: its bytes are still in the pipe, or are counted.

use crate::clock::Moment;
use crate::record::Record;
use rustix::fs::{Mode, OFlags};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// More files than this are not kept open at a time.
const OPEN_MAX: usize = 128;
/// Units whose names are longer get a name with a hash: NAME_MAX is 255, and `.log.1` must fit.
const NAME_MAX: usize = 240;
/// What this program says of itself is filed under this name.
pub const OWN_NAME: &str = "sysmaster-logd";

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one unit's current file before it is rotated.
    pub unit: u64,
    /// Bytes of all files together.
    pub total: u64,
}

/// The directory of log files.
pub struct Store {
    directory: PathBuf,
    limits: Limits,
    open: HashMap<String, Log>,
    /// Records that could not be written, by unit, not yet told of.
    dropped: BTreeMap<String, u64>,
    total: u64,
    uses: u64,
}

struct Log {
    file: File,
    size: u64,
    used: u64,
}

impl Store {
    /// Open the directory, made with mode 0750 if it is not there; `limits` of none: 4 MiB a unit, and together 256 MiB or a
    /// tenth of the file system, whichever is less.
    ///
    /// # Errors
    /// Those of mkdir(2), statvfs(3) and reading the directory.
    pub fn open(directory: &Path, unit: Option<u64>, total: Option<u64>) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
        let system = rustix::fs::statvfs(directory)?;
        let tenth = system.f_blocks.saturating_mul(system.f_frsize) / 10;
        let limits = Limits { unit: unit.unwrap_or(4 << 20), total: total.unwrap_or_else(|| tenth.min(256 << 20)) };
        let mut store = Self {
            directory: directory.to_owned(),
            limits,
            open: HashMap::new(),
            dropped: BTreeMap::new(),
            total: 0,
            uses: 0,
        };
        store.total = store.files()?.iter().map(|file| file.size).sum();
        Ok(store)
    }

    /// Write a batch of `count` records, each with its line break, to a unit's file. Never fails: what cannot be written is counted.
    pub fn append(&mut self, unit: &str, batch: &[u8], count: u64) {
        let lost = self.dropped.get(unit).copied().unwrap_or(0);
        let result = if lost == 0 {
            self.write(&file_name(unit), batch)
        } else {
            self.write(&file_name(unit), &[notice_of_loss(unit, lost), batch.to_vec()].concat())
        };
        match result {
            Ok(()) => {
                self.dropped.remove(unit);
            }
            Err(failure) => {
                // The notice, if it got through, is a record of its own: what follows it counts anew.
                let told = lost > 0 && failure.whole > 0;
                let kept = failure.whole.saturating_sub(u64::from(told));
                let before = if told { 0 } else { lost };
                self.dropped.insert(unit.to_owned(), before + count.saturating_sub(kept));
            }
        }
    }

    /// Try to tell of losses in logs that have been silent since. True: there is something left to tell.
    pub fn tell_losses(&mut self) -> bool {
        let units: Vec<String> = self.dropped.keys().cloned().collect();
        for unit in units {
            self.append(&unit, b"", 0);
        }
        !self.dropped.is_empty()
    }

    /// Records that are lost and not yet told of.
    pub fn untold(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Close a unit's file; it is opened again when something comes.
    pub fn close(&mut self, unit: &str) {
        self.open.remove(&file_name(unit));
    }

    fn write(&mut self, name: &str, batch: &[u8]) -> Result<(), Torn> {
        let length = batch.len() as u64;
        if self.log(name)?.size > 0 && self.log(name)?.size.saturating_add(length) > self.limits.unit {
            self.rotate(name)?;
        }
        if self.total.saturating_add(length) > self.limits.total {
            self.make_room(name, length)?;
        }
        let log = self.log(name)?;
        let before = log.size;
        let result = write_whole(&mut log.file, before, batch);
        let written = match &result {
            Ok(()) => length,
            Err(torn) => torn.bytes,
        };
        log.size = before + written;
        self.total += written;
        if result.is_err() {
            // Whatever is wrong with the file may be right with the next one of this name.
            self.open.remove(name);
        }
        result
    }

    /// The open file of this name.
    fn log(&mut self, name: &str) -> io::Result<&mut Log> {
        self.uses += 1;
        if !self.open.contains_key(name) {
            if self.open.len() >= OPEN_MAX {
                let oldest = self.open.iter().min_by_key(|(_, log)| log.used).map(|(name, _)| name.clone());
                oldest.and_then(|name| self.open.remove(&name));
            }
            let (file, size, cut) = open_log(&self.directory.join(name))?;
            self.total = self.total.saturating_sub(cut);
            self.open.insert(name.to_owned(), Log { file, size, used: 0 });
        }
        let log = self.open.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        log.used = self.uses;
        Ok(log)
    }

    fn rotate(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        let (current, rotated) = (self.directory.join(name), self.directory.join(format!("{name}.1")));
        let replaced = fs::metadata(&rotated).map_or(0, |found| found.size());
        fs::rename(current, rotated)?;
        self.total = self.total.saturating_sub(replaced);
        Ok(())
    }

    /// Delete the oldest rotated files until there is room, then the oldest of the others, and the one to be written last.
    fn make_room(&mut self, name: &str, length: u64) -> io::Result<()> {
        let mut files = self.files()?;
        self.total = files.iter().map(|file| file.size).sum();
        files.sort_by(|one, other| one.age_key(name).cmp(&other.age_key(name)));
        for file in files {
            if self.total.saturating_add(length) <= self.limits.total {
                return Ok(());
            }
            self.open.remove(&file.name);
            match fs::remove_file(self.directory.join(&file.name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.total = self.total.saturating_sub(file.size),
            }
        }
        Ok(())
    }

    fn files(&self) -> io::Result<Vec<Kept>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let rotated = name.ends_with(".log.1");
            if !rotated && !name.ends_with(".log") {
                continue;
            }
            match entry.metadata() {
                Ok(found) if found.is_file() => {
                    let modified = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    files.push(Kept { name, rotated, size: found.size(), modified });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }
}

struct Kept {
    name: String,
    rotated: bool,
    size: u64,
    modified: SystemTime,
}

impl Kept {
    /// The smaller, the sooner it is deleted.
    fn age_key(&self, writing: &str) -> (bool, bool, SystemTime, &str) {
        (self.name == writing, !self.rotated, self.modified, &self.name)
    }
}

/// A batch that did not get through.
#[derive(Debug)]
struct Torn {
    /// Bytes of it that stay in the file: whole records only.
    bytes: u64,
    /// How many records that is.
    whole: u64,
}

impl From<io::Error> for Torn {
    fn from(_: io::Error) -> Self {
        Self { bytes: 0, whole: 0 }
    }
}

/// Write at the end; on failure cut off what is not a whole record.
fn write_whole(file: &mut File, end: u64, batch: &[u8]) -> Result<(), Torn> {
    let mut written = 0;
    while written < batch.len() {
        match file.write(&batch[written..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => {
                let kept = batch[..written].iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
                let whole = batch[..kept].iter().filter(|byte| **byte == b'\n').count() as u64;
                // If even this fails, the torn end is cut off when the file is opened the next time.
                let _ = file.set_len(end + kept as u64);
                return Err(Torn { bytes: kept as u64, whole });
            }
            Ok(more) => written += more,
        }
    }
    Ok(())
}

/// Open for appending, cut off what a crash left of a record, and say how long it is and how much was cut.
fn open_log(path: &Path) -> io::Result<(File, u64, u64)> {
    // Never through a symlink: the directory may be shared with those who are logged.
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = match rustix::fs::open(path, flags, Mode::from_raw_mode(0o640)) {
        Err(rustix::io::Errno::NOENT) => {
            // Someone tidied the directory away.
            path.parent()
                .map_or(Ok(()), |directory| fs::DirBuilder::new().recursive(true).mode(0o750).create(directory))?;
            File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o640))?)
        }
        opened => File::from(opened?),
    };
    let length = file.metadata()?.len();
    let whole = whole_length(&file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    file.seek(SeekFrom::End(0))?;
    Ok((file, whole, length - whole))
}

/// The length up to the last line break.
fn whole_length(file: &File, length: u64) -> io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.read_exact_at(&mut block, start)?;
        if let Some(last) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn notice_of_loss(unit: &str, lost: u64) -> Vec<u8> {
    let mut notice = Vec::new();
    let message = format!("{lost} messages were dropped: they could not be written to the log");
    let record = Record {
        at: Moment::now(),
        priority: 4,
        unit,
        identifier: OWN_NAME,
        invocation: "",
        sender: None,
        cut: false,
        message: message.as_bytes(),
    };
    record.write_to(&mut notice);
    notice
}

/// Whether this is a unit's name: the only characters in it, and nothing that means something in a path.
pub fn is_unit_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(allowed)
}

/// The name of a unit's current file. `-` is for what belongs to no unit.
fn file_name(unit: &str) -> String {
    match unit {
        "-" => "syslog.log".to_owned(),
        _ if unit.len() <= NAME_MAX => format!("{unit}.log"),
        // `~` occurs in no unit's name, so this is nobody else's file.
        _ => format!("{}~{:016x}.log", &unit[..200], fnv1a(unit.as_bytes())),
    }
}

/// FNV-1a, 64 bits: the same on every machine and in every version.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(unit: u64, total: u64) -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("logs"), Some(unit), Some(total)).unwrap();
        (directory, store)
    }

    fn names(store: &Store) -> Vec<String> {
        let mut names: Vec<String> = store.files().unwrap().into_iter().map(|file| file.name).collect();
        names.sort_unstable();
        names
    }

    fn text(store: &Store, name: &str) -> String {
        fs::read_to_string(store.directory.join(name)).unwrap()
    }

    #[test]
    fn a_file_is_rotated_before_it_grows_too_large_and_one_rotated_file_is_kept() {
        let (_directory, mut store) = store(10, 1000);
        for batch in ["1234\n", "5678\n", "9\n", "abcdefg\n", "h\n"] {
            store.append("a.service", batch.as_bytes(), 1);
        }
        assert_eq!(
            (text(&store, "a.service.log").as_str(), text(&store, "a.service.log.1").as_str()),
            ("h\n", "9\nabcdefg\n")
        );
        assert_eq!(names(&store).len(), 2);
        assert_eq!(store.total, 12);
    }

    #[test]
    fn a_batch_larger_than_a_file_may_be_is_kept_whole() {
        let (_directory, mut store) = store(4, 1000);
        store.append("a.service", b"longer than four\n", 1);
        assert_eq!(text(&store, "a.service.log"), "longer than four\n");
    }

    #[test]
    fn the_oldest_rotated_files_make_room_first_and_then_the_oldest_of_the_others() {
        let (_directory, mut store) = store(10, 40);
        let now = SystemTime::now();
        for (age, name) in [(50, "old.log"), (40, "b.log.1"), (30, "a.log.1"), (20, "new.log")] {
            fs::write(store.directory.join(name), "123456789\n").unwrap();
            let file = File::options().write(true).open(store.directory.join(name)).unwrap();
            file.set_modified(now - std::time::Duration::from_secs(age)).unwrap();
        }
        store.total = 40;
        store.append("x", b"1\n", 1);
        assert_eq!(names(&store), ["a.log.1", "new.log", "old.log", "x.log"]);
        store.append("x", b"234567\n", 1);
        store.append("x", b"8\n", 1);
        assert_eq!(names(&store), ["new.log", "old.log", "x.log", "x.log.1"]);
        for batch in 0..20 {
            store.append(&format!("unit{batch}"), b"123456789\n", 1);
            assert!(store.files().unwrap().iter().map(|file| file.size).sum::<u64>() <= 40);
        }
        assert_eq!(store.untold(), 0);
    }

    #[test]
    fn what_a_crash_left_of_a_record_is_cut_off() {
        let (_directory, mut store) = store(1000, 1000);
        fs::write(store.directory.join("a.log"), "whole\ntor").unwrap();
        fs::write(store.directory.join("b.log"), "x".repeat(200_000)).unwrap();
        store.append("a", b"next\n", 1);
        store.append("b", b"next\n", 1);
        assert_eq!((text(&store, "a.log").as_str(), text(&store, "b.log").as_str()), ("whole\nnext\n", "next\n"));
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_told_of_afterwards() {
        let (_directory, mut store) = store(1000, 1000);
        // A directory in its place: nobody can write to that, root included.
        fs::create_dir(store.directory.join("a.log")).unwrap();
        store.append("a", b"1\n2\n", 2);
        store.append("a", b"3\n", 1);
        assert_eq!(store.untold(), 3);
        assert!(store.tell_losses());
        fs::remove_dir(store.directory.join("a.log")).unwrap();
        store.append("a", b"4\n", 1);
        let text = text(&store, "a.log");
        assert!(text.contains("\"msg\":\"3 messages were dropped") && text.ends_with("\n4\n"), "{text}");
        assert_eq!(store.untold(), 0);
    }

    #[test]
    fn a_loss_is_told_of_even_where_nothing_more_is_written() {
        let (_directory, mut store) = store(1000, 1000);
        fs::create_dir(store.directory.join("a.log")).unwrap();
        store.append("a", b"1\n", 1);
        fs::remove_dir(store.directory.join("a.log")).unwrap();
        assert!(!store.tell_losses());
        assert!(text(&store, "a.log").contains("\"msg\":\"1 messages were dropped"));
    }

    #[test]
    fn a_symlink_is_not_written_through() {
        let (directory, mut store) = store(1000, 1000);
        fs::write(directory.path().join("victim"), "").unwrap();
        std::os::unix::fs::symlink("../victim", store.directory.join("a.log")).unwrap();
        store.append("a", b"1\n", 1);
        assert_eq!((fs::read_to_string(directory.path().join("victim")).unwrap().as_str(), store.untold()), ("", 1));
    }

    #[test]
    fn a_directory_that_was_removed_is_made_again() {
        let (_directory, mut store) = store(1000, 1000);
        store.append("a", b"1\n", 1);
        store.close("a");
        fs::remove_dir_all(&store.directory).unwrap();
        store.append("a", b"2\n", 1);
        assert_eq!(text(&store, "a.log"), "2\n");
    }

    #[test]
    fn unit_names_become_file_names_one_to_one() {
        for bad in ["", "a/b", "..", ".hidden", "a b", "a\n", "é", "-/", &"x".repeat(256)] {
            assert!(!is_unit_name(bad), "{bad:?}");
        }
        let long = "x".repeat(255);
        assert!(is_unit_name("a-b\\x2d@c:d_e.service") && is_unit_name(&long));
        let other = format!("{}y", &long[..254]);
        assert!(file_name(&long).len() < 250 && file_name(&long) != file_name(&other));
        assert_eq!((file_name("a.service").as_str(), file_name("-").as_str()), ("a.service.log", "syslog.log"));
    }

    #[test]
    fn no_more_files_stay_open_than_needed() {
        let (_directory, mut store) = store(1000, 1 << 20);
        for unit in 0..OPEN_MAX + 10 {
            store.append(&format!("unit{unit}"), b"1\n", 1);
        }
        assert_eq!(store.open.len(), OPEN_MAX);
        store.append("unit0", b"2\n", 1);
        assert_eq!(text(&store, "unit0.log"), "1\n2\n");
    }
}
