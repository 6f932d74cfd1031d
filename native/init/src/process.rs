//! What /proc says of processes (proc(5)). A process may go at any time: none is an answer, not an error.

use std::fs::{self, File};
use std::io::Read;

/// The parts of /proc/PID/stat that init needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its pid.
    pub pid: i32,
    /// The name of its program, at most 15 bytes.
    pub comm: String,
    /// R, S, D, Z, T …
    pub state: char,
    /// Its parent.
    pub parent: i32,
    /// Clock ticks since boot.
    pub start_time: u64,
}

/// The stat of one process.
#[must_use]
pub fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&read_small(&format!("/proc/{pid}/stat"))?)
}

/// Its start time, 0 where /proc does not say it.
#[must_use]
pub fn start_time(pid: i32) -> u64 {
    stat(pid).map_or(0, |stat| stat.start_time)
}

/// The program a process runs; none if it is ending, or not ours to look at.
#[must_use]
pub fn program(pid: i32) -> Option<std::path::PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The v2 control group of a process, relative to the root of the hierarchy, with a leading slash.
#[must_use]
pub fn cgroup(pid: i32) -> Option<String> {
    own_group(&read_small(&format!("/proc/{pid}/cgroup"))?)
}

/// The v2 line of a /proc/PID/cgroup.
#[must_use]
pub fn own_group(text: &str) -> Option<String> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(path.strip_suffix(" (deleted)").unwrap_or(path).to_owned())
}

/// Every process there is, as far as /proc shows them; at most 65,536.
#[must_use]
pub fn all() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    pids.take(65_536).filter_map(stat).collect()
}

/// The descendants of a process among these, itself not included, zombies not either.
#[must_use]
pub fn descendants(root: i32, all: &[Stat]) -> Vec<Stat> {
    let mut children = std::collections::BTreeMap::<i32, Vec<&Stat>>::new();
    for stat in all {
        children.entry(stat.parent).or_default().push(stat);
    }
    let mut found = Vec::new();
    let mut todo = vec![root];
    while let Some(parent) = todo.pop() {
        for stat in children.remove(&parent).unwrap_or_default() {
            todo.push(stat.pid);
            if stat.state != 'Z' {
                found.push(stat.clone());
            }
        }
    }
    found
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name may hold anything, parentheses and blanks included; the last one closes it.
    let (head, tail) = text.rsplit_once(')')?;
    let (pid, comm) = head.split_once('(')?;
    let mut fields = tail.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22 of all: the 18th after the parent.
    let start_time = fields.nth(17)?.parse().ok()?;
    Some(Stat { pid: pid.trim().parse().ok()?, comm: comm.to_owned(), state, parent, start_time })
}

/// A file of /proc, up to 4 KiB, by one read.
fn read_small(path: &str) -> Option<String> {
    let mut buffer = [0; 4096];
    let count = File::open(path).ok()?.read(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(buffer.get(..count)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_confuse_the_fields() {
        let text = "42 (a) b ( c)) Z 7 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 987654 0 0";
        let expected = Stat { pid: 42, comm: "a) b ( c)".to_owned(), state: 'Z', parent: 7, start_time: 987_654 };
        assert_eq!(parse_stat(text), Some(expected));
        assert_eq!(parse_stat(""), None);
        assert_eq!(parse_stat("42 (x) Z"), None);
    }

    #[test]
    fn this_process_has_a_start_time_and_a_group() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(start_time(pid) > 0);
        assert!(all().iter().any(|stat| stat.pid == pid));
    }

    #[test]
    fn the_group_of_a_zombie_in_a_removed_group_is_still_read() {
        assert_eq!(own_group("1:cpu:/x\n0::/a/b (deleted)\n").as_deref(), Some("/a/b"));
        assert_eq!(own_group("1:cpu:/x\n"), None);
    }

    #[test]
    fn descendants_are_found_through_their_parents_and_zombies_left_out() {
        let stat = |pid, parent, state| Stat { pid, comm: String::new(), state, parent, start_time: 1 };
        let all = [stat(2, 1, 'S'), stat(3, 2, 'Z'), stat(4, 3, 'S'), stat(5, 9, 'S'), stat(9, 0, 'S')];
        let found: Vec<i32> = descendants(1, &all).iter().map(|stat| stat.pid).collect();
        assert_eq!(found, [2, 4]);
    }
}
