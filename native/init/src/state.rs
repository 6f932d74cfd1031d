//! All that init knows, as plain data: what [`crate::step`] reads, and what it may change.
//!
//! Nothing in here is a descriptor or a clock; the loop around it (turn.rs) holds those. The whole of it fits a memfd,
//! which is how a re-exec keeps everything. Tables are bounded: what would not fit is refused before it is begun.

use crate::ending::Order;
use crate::heirs::{ends, note_end};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use sysmaster_link::{BlackBox, EffectId, Ended, Heir, Record, Report, Role};

/// The version of [`State`] in a memfd; another version is refused by `--check`.
pub const STATE_VERSION: u16 = 2;
/// Most children at a time.
pub const CHILDREN_MAX: usize = 16_384;
/// Most watched processes at a time.
pub const WATCHES_MAX: usize = 16_384;
/// Most records kept for core at a time, those reserved for the children's further reports included.
pub const RECORDS_MAX: usize = 131_072;
/// Most exits of processes nobody asked about that are remembered.
pub const RING_MAX: usize = 4_096;
/// Records one child can still cause: forked, execed or spawn-failed, left, exited.
const RECORDS_PER_CHILD: usize = 4;

/// What does not change while init runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Where init stands.
    pub role: Role,
    /// Its own pid.
    pub pid: i32,
    /// Absolute path of the group that everything lives below; empty: none.
    pub cgroup_root: String,
    /// The same group as /proc/PID/cgroup names it, without a slash at the end.
    pub cgroup_base: String,
    /// The group was made by init, which goes back into this one at the end and removes it; none: it was there before.
    pub cgroup_home: Option<String>,
    /// Other uids and gids can be taken on.
    pub can_set_uid: bool,
    /// A lowered OOM score can be given to core.
    pub can_lower_oom: bool,
}

/// What a person can set (config.rs has the keys).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Core is hung when it has not beaten for this long; 0: never.
    pub watchdog_us: u64,
    /// The same until core has said `ready`; a third of it for one that follows a core which has left by itself.
    pub start_us: u64,
    /// More failures than this in a period, and the next remedy is taken; those that say less of core weigh less.
    pub intensity: u32,
    /// That period.
    pub period_us: u64,
    /// There is a core to fall back to.
    pub has_previous: bool,
    /// There is a core at all.
    pub has_core: bool,
    /// Most names in the descriptor store.
    pub store_max: usize,
    /// Most children: fewer than [`CHILDREN_MAX`] where descriptors are short.
    pub children_max: usize,
    /// How long what is left has between SIGTERM and SIGKILL at the end.
    pub grace_us: u64,
}

/// What a child is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Core asked for it.
    Unit {
        /// The spawn.
        id: EffectId,
        /// Core's name for it.
        tag: String,
    },
    /// Core itself.
    Core,
    /// The emergency shell.
    Shell,
    /// The helper that unmounts and syncs.
    Unmount,
    /// A new init, looking at our state before we become it.
    Check {
        /// Its program.
        path: String,
    },
}

/// One live child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Never reused.
    pub serial: u64,
    /// What it is for.
    pub kind: Kind,
    /// 0: not forked yet.
    pub pid: i32,
    /// Clock ticks since boot.
    pub start_time: u64,
    /// Its program runs.
    pub execed: bool,
    /// CLOCK_MONOTONIC, microseconds.
    pub since_us: u64,
}

/// A process whose exit core wants to hear of though init did not spawn it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The watch.
    pub id: EffectId,
    /// Core's name for it.
    pub tag: String,
    /// Its pid.
    pub pid: i32,
    /// Clock ticks since boot.
    pub start_time: u64,
}

/// An exit nobody had asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// Its pid.
    pub pid: i32,
    /// Clock ticks since boot.
    pub start_time: u64,
    /// How it ended.
    pub ended: Ended,
}

/// A record, and whether the present core has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The record.
    pub record: Record,
    /// The effect it answers, directly or as the end of its child.
    pub id: Option<EffectId>,
    /// Written to the present link.
    pub sent: bool,
}

/// What is remembered of an effect: enough never to do it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The highest record that answers it; 0: none yet.
    pub last: u64,
    /// Its child, if it is a spawn and the child lives.
    pub child: Option<u64>,
    /// It is a watch whose process lives.
    pub watching: bool,
}

/// How far the remedies for a core that keeps dying have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// From the checkpoint.
    Normal,
    /// Without the checkpoint.
    Safe,
    /// The previous core, without the checkpoint.
    Previous,
    /// Nothing helped: a shell for a person, and a try now and then.
    Emergency,
}

/// Whether core runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Run {
    /// To be started at this time.
    Waiting {
        /// CLOCK_MONOTONIC, microseconds.
        at_us: u64,
    },
    /// Started.
    Up {
        /// Its serial.
        serial: u64,
        /// When it was started.
        since_us: u64,
        /// It has said so.
        ready: bool,
        /// Hung if it has not beaten by then; none: no limit.
        beat_by_us: Option<u64>,
        /// What has been done about a hang.
        hang: Hang,
    },
    /// Not wanted any more: the system ends.
    Off,
}

/// What has been done about a hang of core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hang {
    /// It beats.
    No,
    /// It has had SIGABRT, and gets SIGKILL then.
    Aborted {
        /// CLOCK_MONOTONIC, microseconds.
        kill_at_us: u64,
    },
    /// It has had SIGKILL.
    Killed,
}

/// All about core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    /// Whether it runs.
    pub run: Run,
    /// Remedy in use.
    pub level: Level,
    /// Times of failures in the present period, oldest first; each as often as it weighs (see keeper).
    pub failures: VecDeque<u64>,
    /// Failures since a core was last ready.
    pub unready: u32,
    /// How many have been started.
    pub started: u32,
    /// It has said that it will exit on purpose.
    pub planned: bool,
    /// Its OOM score cannot be lowered here.
    pub oom_denied: bool,
    /// Newest first, at most three.
    pub deaths: Vec<BlackBox>,
}

/// Where the system is on its way to the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Up.
    Up,
    /// Core stops the units; init takes over at the deadline.
    Stopping {
        /// What for.
        order: Order,
        /// CLOCK_MONOTONIC, microseconds.
        deadline_us: u64,
    },
    /// Init ends what is left.
    Ending {
        /// What for.
        order: Order,
        /// How far.
        stage: Stage,
        /// When the next stage begins at the latest.
        until_us: u64,
    },
}

/// The stages of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// SIGTERM was sent.
    Term,
    /// SIGKILL was sent, so many times.
    Kill(u8),
    /// The unmounting child works.
    Unmount,
    /// Nothing is left to do but the last call.
    Last,
}

/// All that init knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What does not change.
    pub facts: Facts,
    /// What a person can set.
    pub policy: Policy,
    /// Live children by serial.
    pub children: BTreeMap<u64, Child>,
    /// Serials by pid, of those that have one.
    pub by_pid: BTreeMap<i32, u64>,
    /// The serial the next child gets.
    pub next_serial: u64,
    /// Records not yet acknowledged, by rising number without gaps.
    pub records: VecDeque<Kept>,
    /// The number the next record gets; the first is 1.
    pub next_record: u64,
    /// Every record below this one has been sent.
    pub unsent_from: u64,
    /// Effects that may not be done again.
    pub effects: BTreeMap<EffectId, Known>,
    /// The highest epoch seen.
    pub epoch: u32,
    /// Watched processes.
    pub watches: BTreeMap<EffectId, Watch>,
    /// Exits nobody asked about, oldest first.
    pub ring: VecDeque<Orphan>,
    /// How many fell out of the ring.
    pub orphans_dropped: u64,
    /// Names in the descriptor store.
    pub names: BTreeSet<String>,
    /// All about core.
    pub core: Core,
    /// Where the system is on its way to the end.
    pub phase: Phase,
}

/// One change to [`State`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An epoch was seen.
    Epoch(u32),
    /// A child is about to be forked; it gets `next_serial`.
    AddChild {
        /// What for.
        kind: Kind,
        /// CLOCK_MONOTONIC, microseconds.
        since_us: u64,
    },
    /// It has a pid.
    Forked {
        /// Which.
        serial: u64,
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
    },
    /// Its program runs.
    Execed(u64),
    /// It was killed for taking too long, and its time is not looked at again.
    Overdue(u64),
    /// It is gone.
    RemoveChild(u64),
    /// A record; it gets `next_record`.
    Report {
        /// CLOCK_MONOTONIC, microseconds.
        at_us: u64,
        /// The effect it answers.
        id: Option<EffectId>,
        /// What happened.
        what: Report,
    },
    /// The record with this number was written to the link.
    Sent(u64),
    /// There is a new link: nothing has been sent on it.
    UnsendAll,
    /// An effect was asked for again: its kept records are due once more.
    Unsend(EffectId),
    /// Core has committed every record up to this one.
    Ack(u64),
    /// A process is watched from now on.
    AddWatch(Watch),
    /// No longer.
    RemoveWatch(EffectId),
    /// An exit nobody asked about.
    Remember(Orphan),
    /// A process that somebody has left behind has ended; told where that stands.
    HeirEnded {
        /// Which, and how.
        heir: Orphan,
        /// The one process that it has left behind in turn; pid and start time.
        next: Option<(i32, u64)>,
    },
    /// A descriptor is in the store.
    Name(String),
    /// No longer.
    Unname(String),
    /// All about core, anew.
    Core(Core),
    /// Another phase.
    Phase(Phase),
}

impl State {
    /// The state at the beginning.
    #[must_use]
    pub fn new(facts: Facts, policy: Policy) -> Self {
        Self {
            facts,
            policy,
            children: BTreeMap::new(),
            by_pid: BTreeMap::new(),
            next_serial: 1,
            records: VecDeque::new(),
            next_record: 1,
            unsent_from: 1,
            effects: BTreeMap::new(),
            epoch: 0,
            watches: BTreeMap::new(),
            ring: VecDeque::new(),
            orphans_dropped: 0,
            names: BTreeSet::new(),
            core: Core {
                run: Run::Waiting { at_us: 0 },
                level: Level::Normal,
                failures: VecDeque::new(),
                unready: 0,
                started: 0,
                planned: false,
                oom_denied: false,
                deaths: Vec::new(),
            },
            phase: Phase::Up,
        }
    }

    /// The live child with this pid.
    #[must_use]
    pub fn child_of_pid(&self, pid: i32) -> Option<&Child> {
        self.by_pid.get(&pid).and_then(|serial| self.children.get(serial))
    }

    /// The pid of core, if it runs.
    #[must_use]
    pub fn core_pid(&self) -> Option<i32> {
        match self.core.run {
            Run::Up { serial, .. } => self.children.get(&serial).map(|child| child.pid).filter(|pid| *pid > 0),
            _ => None,
        }
    }

    /// Whether there is room for one more effect, with all it may still report.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let reserved = self.children.len().saturating_mul(RECORDS_PER_CHILD).saturating_add(self.watches.len());
        self.records.len().saturating_add(reserved).saturating_add(8) < RECORDS_MAX
    }

    /// The first record that has not been sent on the present link.
    #[must_use]
    pub fn next_unsent(&self) -> Option<&Kept> {
        let first = self.records.front()?.record.number;
        let skip = usize::try_from(self.unsent_from.saturating_sub(first)).ok()?;
        self.records.iter().skip(skip).find(|kept| !kept.sent)
    }

    /// Carry out one change. Total: what does not fit the state changes nothing.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Epoch(epoch) => self.epoch = self.epoch.max(epoch),
            Change::AddChild { kind, since_us } => self.add_child(kind, since_us),
            Change::Forked { serial, pid, start_time } => {
                if let Some(child) = self.children.get_mut(&serial) {
                    child.pid = pid;
                    child.start_time = start_time;
                    self.by_pid.insert(pid, serial);
                }
            }
            Change::Execed(serial) => {
                if let Some(child) = self.children.get_mut(&serial) {
                    child.execed = true;
                }
            }
            Change::Overdue(serial) => {
                if let Some(child) = self.children.get_mut(&serial) {
                    child.since_us = u64::MAX;
                }
            }
            Change::RemoveChild(serial) => self.remove_child(serial),
            Change::Report { at_us, id, what } => self.report(at_us, id, what),
            Change::Sent(number) => {
                if let Some(kept) = self.kept_mut(number) {
                    kept.sent = true;
                }
                // It was the first unsent one: that is the order they are sent in.
                self.unsent_from = number.saturating_add(1);
            }
            Change::UnsendAll => {
                self.records.iter_mut().for_each(|kept| kept.sent = false);
                self.unsent_from = 0;
            }
            Change::Unsend(id) => {
                for kept in self.records.iter_mut().filter(|kept| kept.id == Some(id)) {
                    kept.sent = false;
                    self.unsent_from = self.unsent_from.min(kept.record.number);
                }
            }
            Change::Ack(through) => self.ack(through),
            Change::AddWatch(watch) => {
                let known = self.effects.entry(watch.id).or_insert(Known { last: 0, child: None, watching: true });
                known.watching = true;
                self.watches.insert(watch.id, watch);
            }
            Change::RemoveWatch(id) => {
                self.watches.remove(&id);
                self.settle(id, |known| known.watching = false);
            }
            Change::Remember(orphan) => self.remember(orphan),
            Change::HeirEnded { heir, next } => {
                self.records.iter_mut().for_each(|kept| note_end(&mut kept.record.what, &heir, next));
            }
            Change::Name(name) => {
                self.names.insert(name);
            }
            Change::Unname(name) => {
                self.names.remove(&name);
            }
            Change::Core(core) => self.core = core,
            Change::Phase(phase) => self.phase = phase,
        }
    }

    fn add_child(&mut self, kind: Kind, since_us: u64) {
        let serial = self.next_serial;
        self.next_serial = serial.saturating_add(1);
        if let Kind::Unit { id, .. } = &kind {
            let known = self.effects.entry(*id).or_insert(Known { last: 0, child: None, watching: false });
            known.child = Some(serial);
        }
        self.children.insert(serial, Child { serial, kind, pid: 0, start_time: 0, execed: false, since_us });
    }

    fn remove_child(&mut self, serial: u64) {
        let Some(child) = self.children.remove(&serial) else { return };
        if self.by_pid.get(&child.pid) == Some(&serial) {
            self.by_pid.remove(&child.pid);
        }
        if let Kind::Unit { id, .. } = child.kind {
            self.settle(id, |known| known.child = None);
        }
    }

    /// Change what is known of an effect, and forget it when nothing is left to answer with.
    fn settle(&mut self, id: EffectId, change: impl FnOnce(&mut Known)) {
        let oldest = self.records.front().map_or(self.next_record, |kept| kept.record.number);
        if let Some(known) = self.effects.get_mut(&id) {
            change(known);
            if known.child.is_none() && !known.watching && known.last < oldest {
                self.effects.remove(&id);
            }
        }
    }

    fn report(&mut self, at_us: u64, id: Option<EffectId>, what: Report) {
        // Room was reserved when the effect was admitted. Were there none now, running on without this record beats ending.
        if self.records.try_reserve(1).is_err() {
            return;
        }
        let number = self.next_record;
        self.next_record = number.saturating_add(1);
        self.records.push_back(Kept { record: Record { number, at_us, what }, id, sent: false });
        if let Some(id) = id {
            self.effects.entry(id).or_insert(Known { last: 0, child: None, watching: false }).last = number;
        }
    }

    fn remember(&mut self, orphan: Orphan) {
        if self.ring.len() >= RING_MAX {
            self.ring.pop_front();
            self.orphans_dropped = self.orphans_dropped.saturating_add(1);
        }
        if self.ring.try_reserve(1).is_ok() {
            self.ring.push_back(orphan);
        } else {
            self.orphans_dropped = self.orphans_dropped.saturating_add(1);
        }
    }

    /// How a process that somebody has left behind has ended, while that is not acknowledged: in a line as the last of it that has.
    #[must_use]
    pub fn heir_end(&self, pid: i32, start_time: u64) -> Option<Ended> {
        let matches = |heir: &Heir| heir.pid == pid && (start_time == 0 || heir.start_time == start_time);
        self.records.iter().rev().find_map(|kept| ends(&kept.record.what).find(|(heir, _)| matches(heir))?.1)
    }

    fn ack(&mut self, through: u64) {
        while self.records.front().is_some_and(|kept| kept.record.number <= through) {
            let Some(kept) = self.records.pop_front() else { return };
            // Core may watch them a turn later: they are the newest of the ring then.
            for (heir, ended) in ends(&kept.record.what) {
                let (pid, start_time) = (heir.pid, heir.start_time);
                ended.into_iter().for_each(|ended| self.remember(Orphan { pid, start_time, ended }));
            }
            if let Some(id) = kept.id {
                self.settle(id, |_| ());
            }
        }
        if self.records.len() < self.records.capacity() / 8 {
            self.records.shrink_to(self.records.len().saturating_mul(2).max(64));
        }
    }

    fn kept_mut(&mut self, number: u64) -> Option<&mut Kept> {
        let first = self.records.front()?.record.number;
        self.records.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }
}

#[cfg(test)]
pub(crate) mod tests;
