//! Whom a process leaves behind in its control group as it ends: processes that have become init's by then.
//!
//! It is looked between the end of a process and its reaping. One that the others have outlived by no more than a moment is still
//! there as well, as a zombie: children are reaped in the order in which init has got them. How they end is noted in the report of
//! them while that is kept (docs/adr/0013).

use crate::kill::members;
use crate::process;
use crate::state::{Kind, Orphan, State};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use sysmaster_link::{Ended, Heir, LEAVES, LEFT_MAX, Report};
use sysmaster_sys::wait::{Whom, peek};

/// Whether anybody wants to know: a child with such a tag, or the last of a line that may go on.
#[must_use]
pub fn are_asked_for(state: &State, pid: i32, start_time: u64, ended: Ended) -> bool {
    match state.child_of_pid(pid).map(|child| &child.kind) {
        Some(Kind::Unit { tag, .. }) => tag.ends_with(LEAVES),
        Some(_) => false,
        None => {
            ended == Ended::Exited(0)
                && state.records.iter().any(|kept| continues_line(&kept.record.what, pid, start_time))
        }
    }
}

/// Pids, rising, with start times: one more than are told at most.
#[must_use]
pub fn of(state: &State, dead: i32) -> Vec<(i32, u64)> {
    let facts = &state.facts;
    let Some(kernel_path) = process::cgroup(dead).filter(|_| !facts.cgroup_root.is_empty()) else { return Vec::new() };
    let Some(path) = below(&kernel_path, &facts.cgroup_base) else { return Vec::new() };
    let alive: BTreeSet<i32> =
        members(&Path::new(&facts.cgroup_root).join(path.trim_start_matches('/'))).into_iter().collect();
    let is_zombie_of_it = |pid: i32| {
        peek(Whom::Pid(pid)).is_ok_and(|zombie| zombie.is_some())
            && process::cgroup(pid).is_some_and(|other| below(&other, &kernel_path).is_some())
    };
    let mut heirs: Vec<i32> = match children(facts.pid) {
        Some(all) => all.into_iter().filter(|pid| alive.contains(pid) || is_zombie_of_it(*pid)).collect(),
        None => {
            let is_ours = |pid: &i32| process::stat(*pid).is_some_and(|stat| stat.parent == facts.pid);
            alive.into_iter().filter(is_ours).collect()
        }
    };
    heirs.retain(|pid| *pid != dead && state.child_of_pid(*pid).is_none());
    heirs.sort_unstable();
    heirs.into_iter().take(LEFT_MAX + 1).map(|pid| (pid, process::start_time(pid))).collect()
}

/// What comes behind the path of a group: empty, or with a slash in front; none: it is not that group, and not below it.
fn below<'a>(path: &'a str, group: &str) -> Option<&'a str> {
    path.strip_prefix(group).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The children of init, zombies too; none where the kernel does not tell (CONFIG_PROC_CHILDREN).
fn children(own: i32) -> Option<Vec<i32>> {
    let text = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).ok()?;
    Some(text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect())
}

/// The heirs that a report names, and how each has ended: see [`State::heir_end`].
pub fn ends(what: &Report) -> impl Iterator<Item = (&Heir, Option<Ended>)> {
    let (line, heirs) = match what {
        Report::Left { line, heirs, .. } => (*line, heirs.as_slice()),
        _ => (false, [].as_slice()),
    };
    heirs.iter().enumerate().map(move |(at, heir)| {
        let last = heirs.iter().skip(at).rev().find_map(|later| later.ended).filter(|_| line && heir.ended.is_some());
        (heir, last.or(heir.ended))
    })
}

/// Whether a process that ends with status 0 continues the line of a report: it is the last one there, and its end is not known yet.
#[must_use]
pub fn continues_line(what: &Report, pid: i32, start_time: u64) -> bool {
    let Report::Left { line: true, heirs, .. } = what else { return false };
    heirs.len() < LEFT_MAX
        && heirs.last().is_some_and(|heir| heir.pid == pid && heir.start_time == start_time && heir.ended.is_none())
}

/// Note how an heir has ended, and in a line whom it has left behind.
pub fn note_end(what: &mut Report, ended: &Orphan, next: Option<(i32, u64)>) {
    let continues = ended.ended == Ended::Exited(0) && continues_line(what, ended.pid, ended.start_time);
    let Report::Left { heirs, .. } = what else { return };
    for heir in heirs.iter_mut().filter(|heir| heir.pid == ended.pid && heir.start_time == ended.start_time) {
        heir.ended.get_or_insert(ended.ended);
    }
    if let Some((pid, start_time)) = next
        && continues
        && heirs.try_reserve(1).is_ok()
    {
        heirs.push(Heir { pid, start_time, ended: None });
    }
}
