//! What init does next. No system calls here, so every rule has a unit test.
//!
//! The loop (turn.rs) turns the world into [`Event`]s, hands each to [`step`], applies the [`Change`]s and then carries out
//! the [`Action`]s; what comes of an action is the next event. A failure in here costs the event, never the state.

use crate::ending::{Last, Order, Plan, Scope, ending, is_immediate, order_of_signal};
use crate::keeper::{self, Due, Sign};
use crate::state::{Change, Child, Kind, Level, Orphan, Phase, Run, Stage, State, WATCHES_MAX, Watch};
use nix::libc::{
    EAGAIN, EALREADY, EINVAL, EMSGSIZE, ENOENT, ENOEXEC, EOPNOTSUPP, EPROTO, ESHUTDOWN, ETIMEDOUT, SIGABRT, SIGCONT,
    SIGINT, SIGKILL, SIGTERM,
};
use sysmaster_link::{
    EffectId, Ended, ExecStep, FDS_MAX, KillTarget, ProcessRef, Report, ShutdownKind, StatusReport, ToInit,
};

/// Longest tag.
pub const TAG_MAX: usize = 4096;
/// Longest name in the store.
pub const NAME_MAX: usize = 255;
/// How long the new init may take to look at the state.
const CHECK_US: u64 = 10_000_000;
/// How long what was sent SIGKILL may take to go, in tries and time between them.
const KILL_TRIES: u8 = 100;
const KILL_AGAIN_US: u64 = 100_000;
/// How long unmounting and syncing may take.
const UNMOUNT_US: u64 = 30_000_000;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A frame from core, with so many descriptors.
    Frame {
        /// The frame.
        frame: ToInit,
        /// How many.
        fds: usize,
    },
    /// A message from core that is not a frame.
    BadFrame {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A child was forked.
    Forked {
        /// Its serial.
        serial: u64,
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
    },
    /// A child could not be forked.
    ForkFailed {
        /// Its serial.
        serial: u64,
        /// Why.
        errno: i32,
        /// On what.
        detail: String,
    },
    /// A child's program runs.
    Execed {
        /// Its serial.
        serial: u64,
    },
    /// A child could not become its program.
    ExecFailed {
        /// Its serial.
        serial: u64,
        /// Where and why.
        report: StatusReport,
    },
    /// A process of ours has ended, spawned or inherited.
    Exited {
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
        /// How.
        ended: Ended,
        /// If it was core: the black box.
        black_box: Option<Vec<u8>>,
    },
    /// A kill reached so many processes.
    Signalled {
        /// The kill.
        id: EffectId,
        /// How many; 0: there was nobody.
        count: u32,
    },
    /// A process can be watched.
    Watching(Watch),
    /// A process to be watched is gone already.
    WatchedGone(Watch),
    /// A watched process has ended, and it was not ours to reap.
    WatchEnded {
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
    },
    /// A connection was accepted and stored.
    Accepted {
        /// The accept.
        id: EffectId,
        /// Its name.
        name: String,
        /// Peer process of a unix connection, 0 otherwise.
        peer_pid: i32,
        /// Peer user of a unix connection.
        peer_uid: Option<u32>,
        /// Peer address of an IP connection.
        peer: String,
    },
    /// Descriptors were stored.
    Stored {
        /// The effect.
        id: EffectId,
        /// Their names.
        names: Vec<String>,
    },
    /// Descriptors were dropped.
    Dropped {
        /// The effect.
        id: EffectId,
        /// Their names.
        names: Vec<String>,
    },
    /// An effect could not be carried out.
    EffectFailed {
        /// The effect.
        id: EffectId,
        /// Why.
        errno: i32,
    },
    /// A signal to init.
    Signal {
        /// Its number.
        signal: i32,
        /// The first real-time signal.
        rtmin: i32,
    },
    /// Time has passed.
    Tick,
    /// There is no child left, and nobody of init's own.
    NobodyLeft,
    /// Re-exec has failed.
    ReexecFailed {
        /// Why.
        errno: i32,
    },
}

/// An answer that is not a record: it goes with the link it is for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Reply {
    /// Not understood, or not allowed.
    Refused {
        /// For a person.
        why: String,
        /// The effect, where it could be read.
        id: Option<EffectId>,
        /// For a program.
        errno: i32,
    },
    /// Stored descriptors, still to be sent.
    Fds {
        /// Their names.
        names: Vec<String>,
    },
}

/// Whom a signal goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A child not yet reaped.
    Child {
        /// Its pid.
        pid: i32,
    },
    /// Any process.
    Process {
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
    },
    /// A control group with all below.
    Group {
        /// Below the root.
        path: String,
        /// Pids with start times.
        except: Vec<(i32, u64)>,
    },
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer core.
    Answer(Reply),
    /// Fork the child that was added with this serial, from descriptor 0 of the message and these stored ones.
    Spawn {
        /// Its serial.
        serial: u64,
        /// Names in the store.
        fds: Vec<String>,
    },
    /// Start core on a new link.
    StartCore {
        /// Its serial.
        serial: u64,
        /// The previous one.
        previous: bool,
        /// With a lowered OOM score.
        lower_oom: bool,
    },
    /// Start a shell on the console.
    StartShell {
        /// Its serial.
        serial: u64,
    },
    /// Start the child that unmounts and syncs.
    StartUnmount {
        /// Its serial.
        serial: u64,
    },
    /// Start a new init on the state, to see whether it understands it.
    StartCheck {
        /// Its serial.
        serial: u64,
        /// Its program.
        path: String,
    },
    /// Become this program, keeping everything.
    Reexec {
        /// Its program.
        path: String,
    },
    /// Signal.
    Kill {
        /// The effect to answer; none: init's own doing.
        id: Option<EffectId>,
        /// Whom.
        target: Target,
        /// Its number.
        signal: i32,
    },
    /// Watch a process.
    Watch(Watch),
    /// Accept a connection.
    Accept {
        /// The effect.
        id: EffectId,
        /// Name of the listener.
        listener: String,
        /// Name for the connection.
        name: String,
    },
    /// Store the message's descriptors.
    Store {
        /// The effect.
        id: EffectId,
        /// Their names.
        names: Vec<String>,
    },
    /// Close stored descriptors.
    Drop {
        /// The effect.
        id: EffectId,
        /// Their names.
        names: Vec<String>,
    },
    /// Signal all there are.
    KillAll {
        /// Whom.
        scope: Scope,
        /// Its number.
        signal: i32,
    },
    /// The last call.
    Finish {
        /// Which.
        last: Last,
        /// Its argument.
        argument: String,
    },
    /// Tell a person.
    Say {
        /// As in syslog(3).
        level: u8,
        /// What.
        text: String,
    },
}

/// What a step asks for: first the changes, then the actions, each in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// To the state.
    pub changes: Vec<Change>,
    /// To the world.
    pub actions: Vec<Action>,
}

impl Turn {
    fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn say(&mut self, level: u8, text: String) {
        self.act(Action::Say { level, text });
    }

    fn report(&mut self, at_us: u64, id: Option<EffectId>, what: Report) {
        self.change(Change::Report { at_us, id, what });
    }

    fn refuse(&mut self, id: Option<EffectId>, errno: i32, why: &str) {
        self.act(Action::Answer(Reply::Refused { why: why.to_owned(), id, errno }));
    }
}

/// Total: every (state, event) pair has an answer, and no answer is to exit, but at the end of an ending.
///
/// `now_us` is CLOCK_MONOTONIC in microseconds.
#[must_use]
pub fn step(state: &State, now_us: u64, event: Event) -> Turn {
    let mut turn = Turn::default();
    match event {
        Event::Frame { frame, fds } => on_frame(&mut turn, state, now_us, frame, fds),
        Event::BadFrame { why } => turn.refuse(None, EPROTO, why),
        Event::Forked { serial, pid, start_time } => on_forked(&mut turn, state, now_us, serial, pid, start_time),
        Event::ForkFailed { serial, errno, detail } => on_fork_failed(&mut turn, state, now_us, serial, errno, detail),
        Event::Execed { serial } => on_execed(&mut turn, state, now_us, serial),
        Event::ExecFailed { serial, report } => on_exec_failed(&mut turn, state, now_us, serial, report),
        Event::Exited { pid, start_time, ended, black_box } => {
            on_exited(&mut turn, state, now_us, Orphan { pid, start_time, ended }, black_box.as_deref());
        }
        Event::Signalled { id, count: 0 } => turn.report(now_us, Some(id), Report::Gone { id }),
        Event::Signalled { id, count } => turn.report(now_us, Some(id), Report::Signalled { id, count }),
        Event::Watching(watch) => {
            let id = watch.id;
            turn.change(Change::AddWatch(watch));
            turn.report(now_us, Some(id), Report::Done { id });
        }
        Event::WatchedGone(watch) => on_watched_gone(&mut turn, state, now_us, watch),
        Event::WatchEnded { pid, start_time } => end_watches(&mut turn, state, now_us, pid, start_time, None),
        Event::Accepted { id, name, peer_pid, peer_uid, peer } => {
            turn.change(Change::Name(name.clone()));
            turn.report(now_us, Some(id), Report::Accepted { id, name, peer_pid, peer_uid, peer });
        }
        Event::Stored { id, names } => {
            turn.changes.extend(names.into_iter().map(Change::Name));
            turn.report(now_us, Some(id), Report::Done { id });
        }
        Event::Dropped { id, names } => {
            turn.changes.extend(names.into_iter().map(Change::Unname));
            turn.report(now_us, Some(id), Report::Done { id });
        }
        Event::EffectFailed { id, errno } => turn.report(now_us, Some(id), Report::Failed { id, errno }),
        Event::Signal { signal, rtmin } => on_signal(&mut turn, state, now_us, signal, rtmin),
        Event::Tick => on_tick(&mut turn, state, now_us),
        Event::NobodyLeft => {
            if let Phase::Ending { order, stage: Stage::Term | Stage::Kill(_), .. } = &state.phase {
                after_killing(&mut turn, state, order, now_us);
            }
        }
        Event::ReexecFailed { errno } => {
            turn.say(3, format!("re-exec: errno {errno}; the old init goes on"));
            turn.refuse(None, errno, "re-exec has failed; the old init goes on");
        }
    }
    turn
}

/// When [`Event::Tick`] is due next; none: never, as things are.
#[must_use]
pub fn next_deadline(state: &State) -> Option<u64> {
    let core = match state.phase {
        Phase::Ending { .. } => None,
        _ => keeper::deadline(&state.core),
    };
    let phase = match state.phase {
        Phase::Up => None,
        Phase::Stopping { deadline_us, .. } => Some(deadline_us),
        Phase::Ending { until_us, .. } => Some(until_us),
    };
    [core, phase, check_deadline(state)].into_iter().flatten().min()
}

/// The effect a frame is, if it is one.
fn effect_of(frame: &ToInit) -> Option<EffectId> {
    match frame {
        ToInit::Spawn { id, .. }
        | ToInit::Kill { id, .. }
        | ToInit::Watch { id, .. }
        | ToInit::Accept { id, .. }
        | ToInit::StoreFd { id, .. }
        | ToInit::DropFd { id, .. } => Some(*id),
        ToInit::Ack { .. }
        | ToInit::FetchFds { .. }
        | ToInit::Beat
        | ToInit::Loading { .. }
        | ToInit::Ready
        | ToInit::Shutdown { .. }
        | ToInit::ReexecCore
        | ToInit::ReexecInit { .. } => None,
    }
}

/// What is wrong with a frame that could be read; errno and words.
fn objection(state: &State, frame: &ToInit, fds: usize) -> Option<(i32, &'static str)> {
    let expected = match frame {
        ToInit::Spawn { .. } => 1,
        ToInit::StoreFd { names, .. } => names.len(),
        _ => 0,
    };
    if fds != expected {
        return Some((EPROTO, "the number of descriptors is not that of the frame"));
    }
    let (tag, names): (&str, &[String]) = match frame {
        ToInit::Spawn { tag, fds, .. } => (tag, fds),
        ToInit::Watch { tag, .. } => (tag, &[]),
        ToInit::StoreFd { names, .. } | ToInit::DropFd { names, .. } | ToInit::FetchFds { names } => ("", names),
        ToInit::Accept { name, .. } => ("", std::slice::from_ref(name)),
        _ => ("", &[]),
    };
    if tag.len() > TAG_MAX || names.iter().any(|name| name.is_empty() || name.len() > NAME_MAX) {
        return Some((EMSGSIZE, "a tag is longer than 4096 bytes, or a name is empty or longer than 255"));
    }
    let no_room = Some((EAGAIN, "the tables are full; acknowledge records and try again"));
    match frame {
        _ if effect_of(frame).is_some() && !state.has_room() => no_room,
        ToInit::Spawn { .. } if state.children.len() >= state.policy.children_max => no_room,
        ToInit::Spawn { .. } if matches!(state.phase, Phase::Ending { .. }) => {
            Some((ESHUTDOWN, "the system is ending"))
        }
        ToInit::Watch { .. } if state.watches.len() >= WATCHES_MAX => no_room,
        ToInit::Watch { pid, .. } if *pid <= 0 => Some((EINVAL, "that is no pid")),
        ToInit::Accept { .. } if state.names.len() >= state.policy.store_max => no_room,
        ToInit::StoreFd { names, .. } if names.is_empty() || names.len() > FDS_MAX => {
            Some((EPROTO, "between 1 and 253 descriptors can be stored at a time"))
        }
        ToInit::StoreFd { names, .. } if state.names.len().saturating_add(names.len()) > state.policy.store_max => {
            no_room
        }
        ToInit::Kill { signal, .. } if !(1..=64).contains(signal) => Some((EINVAL, "that is no signal")),
        ToInit::Kill { target: KillTarget::Group { path, .. }, .. } if !is_group_path(path) => {
            Some((EINVAL, "that is no path below the control-group root"))
        }
        ToInit::Shutdown { kind: ShutdownKind::SoftReboot | ShutdownKind::SwitchRoot, .. } => {
            Some((EOPNOTSUPP, "this kind of shutdown is reserved"))
        }
        ToInit::Shutdown { argument, .. } if argument.len() > NAME_MAX || argument.contains('\0') => {
            Some((EINVAL, "the argument of the restart is too long or holds a NUL"))
        }
        ToInit::Ack { through } if *through >= state.next_record => Some((EINVAL, "there is no such record yet")),
        ToInit::ReexecInit { path } if !(path.is_empty() || path.starts_with('/')) || path.contains('\0') => {
            Some((EINVAL, "the path of an init must be absolute"))
        }
        ToInit::ReexecInit { .. } if checking(state).is_some() => Some((EALREADY, "a re-exec is under way")),
        ToInit::ReexecInit { .. } if matches!(state.phase, Phase::Ending { .. }) => {
            Some((ESHUTDOWN, "the system is ending"))
        }
        _ => None,
    }
}

/// A relative path without empty, `.` or `..` components.
fn is_group_path(path: &str) -> bool {
    path.len() <= 4096 && !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn checking(state: &State) -> Option<&Child> {
    state.children.values().find(|child| matches!(child.kind, Kind::Check { .. }))
}

/// When the new init that looks at the state has had its time; none: there is none, or it has been killed.
fn check_deadline(state: &State) -> Option<u64> {
    checking(state)?.since_us.checked_add(CHECK_US)
}

fn on_frame(turn: &mut Turn, state: &State, now_us: u64, frame: ToInit, fds: usize) {
    let id = effect_of(&frame);
    if let Some(id) = id {
        if id.epoch > state.epoch {
            turn.change(Change::Epoch(id.epoch));
        }
        if state.effects.contains_key(&id) {
            return repeat(turn, state, now_us, id);
        }
    }
    if let Some((errno, why)) = objection(state, &frame, fds) {
        return turn.refuse(id, errno, why);
    }
    match frame {
        ToInit::Spawn { id, tag, fds } => {
            turn.change(Change::AddChild { kind: Kind::Unit { id, tag }, since_us: now_us });
            turn.act(Action::Spawn { serial: state.next_serial, fds });
        }
        ToInit::Kill { id, target, signal } => on_kill(turn, state, now_us, id, target, signal),
        ToInit::Watch { id, tag, pid, start_time } => turn.act(Action::Watch(Watch { id, tag, pid, start_time })),
        ToInit::Accept { id, listener, name } if state.names.contains(&listener) => {
            turn.act(Action::Accept { id, listener, name });
        }
        ToInit::Accept { id, .. } => turn.report(now_us, Some(id), Report::Failed { id, errno: ENOENT }),
        ToInit::Ack { through } => turn.change(Change::Ack(through)),
        ToInit::StoreFd { id, names } => turn.act(Action::Store { id, names }),
        ToInit::DropFd { id, names } => turn.act(Action::Drop { id, names }),
        ToInit::FetchFds { names } => {
            let names = names.into_iter().filter(|name| state.names.contains(name)).collect();
            turn.act(Action::Answer(Reply::Fds { names }));
        }
        ToInit::Beat => sign(turn, state, now_us, Sign::Beat),
        ToInit::Loading { for_ms } => sign(turn, state, now_us, Sign::Loading(for_ms)),
        ToInit::Ready => sign(turn, state, now_us, Sign::Ready),
        ToInit::Shutdown { kind, deadline_ms, status, argument, now } => {
            let order = Order { kind, status, argument };
            match state.phase {
                Phase::Ending { .. } => {}
                _ if now => begin_ending(turn, state, now_us, order),
                _ => {
                    let deadline_us = now_us.saturating_add(u64::from(deadline_ms).saturating_mul(1000));
                    turn.change(Change::Phase(Phase::Stopping { order, deadline_us }));
                }
            }
        }
        ToInit::ReexecCore => {
            turn.change(Change::Core(crate::state::Core { planned: true, ..state.core.clone() }));
        }
        ToInit::ReexecInit { path } => {
            turn.change(Change::AddChild { kind: Kind::Check { path: path.clone() }, since_us: now_us });
            turn.act(Action::StartCheck { serial: state.next_serial, path });
        }
    }
}

/// Answer an effect that was asked for before: with the records that are kept, and with what its live child is by now.
fn repeat(turn: &mut Turn, state: &State, now_us: u64, id: EffectId) {
    turn.change(Change::Unsend(id));
    let kept =
        |wanted: fn(&Report) -> bool| state.records.iter().any(|kept| kept.id == Some(id) && wanted(&kept.record.what));
    let known = state.effects.get(&id);
    if let Some(child) = known.and_then(|known| known.child).and_then(|serial| state.children.get(&serial))
        && let Kind::Unit { tag, .. } = &child.kind
        && child.pid > 0
    {
        let (serial, pid, start_time) = (child.serial, child.pid, child.start_time);
        if !kept(|what| matches!(what, Report::Forked { .. })) {
            turn.report(now_us, Some(id), Report::Forked { id, tag: tag.clone(), serial, pid, start_time });
        }
        if child.execed && !kept(|what| matches!(what, Report::Execed { .. })) {
            turn.report(now_us, Some(id), Report::Execed { id, tag: tag.clone(), serial });
        }
    }
    if known.is_some_and(|known| known.watching) && !kept(|what| matches!(what, Report::Done { .. })) {
        turn.report(now_us, Some(id), Report::Done { id });
    }
}

fn sign(turn: &mut Turn, state: &State, now_us: u64, sign: Sign) {
    turn.change(Change::Core(keeper::lives(&state.core, &state.policy, sign, now_us)));
}

fn on_kill(turn: &mut Turn, state: &State, now_us: u64, id: EffectId, target: KillTarget, signal: i32) {
    let known = |process: &ProcessRef| match *process {
        ProcessRef::Child(serial) => {
            let child = state.children.get(&serial).filter(|child| matches!(child.kind, Kind::Unit { .. }));
            child.filter(|child| child.pid > 0).map(|child| (child.pid, child.start_time))
        }
        ProcessRef::Watched(pid, start_time) => Some((pid, start_time)),
    };
    let target = match target {
        KillTarget::Process(process @ ProcessRef::Child(_)) => known(&process).map(|(pid, _)| Target::Child { pid }),
        KillTarget::Process(ProcessRef::Watched(pid, start_time)) => Some(Target::Process { pid, start_time }),
        KillTarget::Group { path, except } => {
            Some(Target::Group { path, except: except.iter().filter_map(known).collect() })
        }
    };
    match target {
        Some(target) => turn.act(Action::Kill { id: Some(id), target, signal }),
        None => turn.report(now_us, Some(id), Report::Gone { id }),
    }
}

fn on_forked(turn: &mut Turn, state: &State, now_us: u64, serial: u64, pid: i32, start_time: u64) {
    turn.change(Change::Forked { serial, pid, start_time });
    if let Some(Kind::Unit { id, tag }) = state.children.get(&serial).map(|child| &child.kind) {
        let (id, tag) = (*id, tag.clone());
        turn.report(now_us, Some(id), Report::Forked { id, tag, serial, pid, start_time });
    }
}

fn on_fork_failed(turn: &mut Turn, state: &State, now_us: u64, serial: u64, errno: i32, detail: String) {
    let Some(child) = state.children.get(&serial) else { return };
    match &child.kind {
        Kind::Unit { id, tag } => {
            let (id, tag) = (*id, tag.clone());
            turn.report(now_us, Some(id), Report::SpawnFailed { id, tag, serial: None, step: 0, errno, detail });
        }
        Kind::Core => {
            turn.say(2, format!("core: cannot be started: errno {errno} on {detail}; it is tried again"));
            let core = keeper::unstartable(&state.core, &state.policy, core_wanted(state), now_us);
            after_core(turn, state, now_us, core);
        }
        Kind::Shell => turn.say(3, format!("emergency shell: cannot be started: errno {errno} on {detail}")),
        Kind::Check { .. } => turn.refuse(None, errno, "the new init cannot be started; the old one goes on"),
        Kind::Unmount => {
            turn.say(3, format!("unmounting: cannot be started: errno {errno} on {detail}"));
            finish(turn, state, now_us);
        }
    }
    turn.change(Change::RemoveChild(serial));
}

fn on_execed(turn: &mut Turn, state: &State, now_us: u64, serial: u64) {
    let Some(child) = state.children.get(&serial) else { return };
    turn.change(Change::Execed(serial));
    if let Kind::Unit { id, tag } = &child.kind {
        let (id, tag) = (*id, tag.clone());
        turn.report(now_us, Some(id), Report::Execed { id, tag, serial });
    }
}

fn on_exec_failed(turn: &mut Turn, state: &State, now_us: u64, serial: u64, report: StatusReport) {
    let Some(child) = state.children.get(&serial) else { return };
    let StatusReport { step, errno, detail } = report;
    match &child.kind {
        Kind::Unit { id, tag } => {
            let (id, tag, serial) = (*id, tag.clone(), Some(serial));
            turn.report(now_us, Some(id), Report::SpawnFailed { id, tag, serial, step, errno, detail });
        }
        Kind::Core if step == ExecStep::OomAdjust as u16 && !state.core.oom_denied => {
            // Not core's fault: the next one starts at once, without it.
            turn.change(Change::Core(crate::state::Core { oom_denied: true, planned: true, ..state.core.clone() }));
        }
        kind => {
            let words = ExecStep::from_number(step).map_or("start", ExecStep::words);
            let name = match kind {
                Kind::Core => "core",
                Kind::Shell => "emergency shell",
                _ => "child",
            };
            turn.say(2, format!("{name}: cannot {words}: errno {errno} on {detail}"));
        }
    }
}

fn on_exited(turn: &mut Turn, state: &State, now_us: u64, exit: Orphan, black_box: Option<&[u8]>) {
    let Orphan { pid, start_time, ended } = exit;
    end_watches(turn, state, now_us, pid, start_time, Some(ended));
    let Some(child) = state.child_of_pid(pid) else {
        return turn.change(Change::Remember(exit));
    };
    let serial = child.serial;
    match &child.kind {
        Kind::Unit { id, tag } => {
            turn.report(now_us, Some(*id), Report::Exited { tag: tag.clone(), serial, pid, ended });
            turn.change(Change::Remember(exit));
        }
        Kind::Core => on_core_died(turn, state, now_us, ended, black_box),
        Kind::Shell => {}
        Kind::Unmount => finish(turn, state, now_us),
        Kind::Check { path } if ended == Ended::Exited(0) && !matches!(state.phase, Phase::Ending { .. }) => {
            turn.act(Action::Reexec { path: path.clone() });
        }
        Kind::Check { path } => {
            turn.say(3, format!("{path}: does not understand the state: {ended:?}; the old init goes on"));
            let errno = if ended == Ended::Killed(SIGKILL) { ETIMEDOUT } else { ENOEXEC };
            turn.refuse(None, errno, "the new init does not understand the state; the old one goes on");
        }
    }
    turn.change(Change::RemoveChild(serial));
}

fn on_core_died(turn: &mut Turn, state: &State, now_us: u64, ended: Ended, black_box: Option<&[u8]>) {
    let hung = matches!(state.core.run, Run::Up { hang, .. } if hang != crate::state::Hang::No);
    let death = keeper::read_black_box(black_box, now_us, Some(ended), hung);
    let core = keeper::died(&state.core, &state.policy, death, core_wanted(state), now_us);
    if !(state.core.planned || matches!(state.phase, Phase::Ending { .. })) {
        let how = if hung { " after hanging" } else { "" };
        turn.say(3, format!("core: ended{how}: {ended:?}; services run on, remedy {:?}", core.level));
    }
    after_core(turn, state, now_us, core);
}

/// Core is not there, and `core` says what is next; in an emergency a person gets a shell.
fn after_core(turn: &mut Turn, state: &State, now_us: u64, core: crate::state::Core) {
    let emergency = core.level == Level::Emergency && matches!(core.run, Run::Waiting { .. });
    turn.change(Change::Core(core));
    if !emergency {
        return;
    }
    // Nobody else is going to answer what core never did.
    let asked = state.records.iter().find_map(|kept| match kept.record.what {
        Report::Signal { signal } => order_of_signal(state.facts.role, signal, sysmaster_sys::signal::rtmin()),
        _ => None,
    });
    if let Some(kind) = asked {
        return begin_ending(turn, state, now_us, Order { kind, status: 0, argument: String::new() });
    }
    if let Phase::Stopping { order, .. } = &state.phase {
        return begin_ending(turn, state, now_us, order.clone());
    }
    if state.core.level != Level::Emergency {
        turn.say(0, "core: cannot be kept alive; services run on, the next try is in five minutes".to_owned());
    }
    let has_shell = state.children.values().any(|child| child.kind == Kind::Shell);
    if state.facts.role == sysmaster_link::Role::Machine && !has_shell {
        turn.change(Change::AddChild { kind: Kind::Shell, since_us: now_us });
        turn.act(Action::StartShell { serial: state.next_serial });
    }
}

fn core_wanted(state: &State) -> bool {
    state.policy.has_core && !matches!(state.phase, Phase::Ending { .. })
}

fn end_watches(turn: &mut Turn, state: &State, now_us: u64, pid: i32, start_time: u64, ended: Option<Ended>) {
    for watch in state.watches.values().filter(|watch| watch.pid == pid && watch.start_time == start_time) {
        let (id, tag) = (watch.id, watch.tag.clone());
        turn.report(now_us, Some(id), Report::WatchedExited { id, tag, pid, ended });
        turn.change(Change::RemoveWatch(id));
    }
}

fn on_watched_gone(turn: &mut Turn, state: &State, now_us: u64, watch: Watch) {
    let Watch { id, tag, pid, start_time } = watch;
    let matches = |orphan: &&Orphan| orphan.pid == pid && (start_time == 0 || orphan.start_time == start_time);
    let ended = state.ring.iter().rev().find(matches).map(|orphan| orphan.ended);
    turn.report(now_us, Some(id), Report::WatchedExited { id, tag, pid, ended });
}

fn on_signal(turn: &mut Turn, state: &State, now_us: u64, signal: i32, rtmin: i32) {
    let order =
        order_of_signal(state.facts.role, signal, rtmin).map(|kind| Order { kind, status: 0, argument: String::new() });
    let core_lives = core_wanted(state) && state.core.level != Level::Emergency
        || matches!(state.core.run, Run::Up { hang: crate::state::Hang::No, .. });
    match (&state.phase, order) {
        (Phase::Ending { .. }, _) => {}
        (_, Some(order)) if is_immediate(signal, rtmin) || !core_lives => begin_ending(turn, state, now_us, order),
        // The second one: whoever sends it does not want to wait for the units any longer.
        (Phase::Stopping { order, .. }, _) if matches!(signal, SIGTERM | SIGINT) => {
            begin_ending(turn, state, now_us, order.clone());
        }
        _ => {
            let what = Report::Signal { signal };
            // Signals of one kind are one signal until they are seen, as everywhere in the kernel.
            let pending = state.records.iter().any(|kept| !kept.sent && kept.record.what == what);
            if !pending && state.has_room() {
                turn.report(now_us, None, what);
            }
        }
    }
}

fn on_tick(turn: &mut Turn, state: &State, now_us: u64) {
    if let Some(child) = checking(state).filter(|child| child.pid > 0)
        && check_deadline(state).is_some_and(|at_us| now_us >= at_us)
    {
        turn.change(Change::Overdue(child.serial));
        turn.act(Action::Kill { id: None, target: Target::Child { pid: child.pid }, signal: SIGKILL });
    }
    match &state.phase {
        Phase::Stopping { order, deadline_us } if now_us >= *deadline_us => {
            turn.say(4, "shutdown: the deadline has passed; init ends the system by itself".to_owned());
            return begin_ending(turn, state, now_us, order.clone());
        }
        Phase::Ending { order, stage, until_us } => {
            if now_us >= *until_us {
                on_ending_deadline(turn, state, order, *stage, now_us);
            }
            return;
        }
        _ => {}
    }
    match keeper::due(&state.core, now_us) {
        Due::Nothing => {}
        Due::Start if !core_wanted(state) => {
            turn.change(Change::Core(crate::state::Core { run: Run::Off, ..state.core.clone() }));
        }
        Due::Start => {
            let serial = state.next_serial;
            turn.change(Change::AddChild { kind: Kind::Core, since_us: now_us });
            turn.change(Change::UnsendAll);
            turn.change(Change::Core(keeper::started(&state.core, &state.policy, serial, now_us)));
            turn.act(Action::StartCore {
                serial,
                previous: state.core.level == Level::Previous,
                lower_oom: state.facts.can_lower_oom && !state.core.oom_denied,
            });
        }
        due @ (Due::Abort | Due::Kill) => {
            let kill = due == Due::Kill;
            turn.say(3, format!("core: has not beaten in time; it gets {}", if kill { "SIGKILL" } else { "SIGABRT" }));
            turn.change(Change::Core(keeper::punished(&state.core, kill, now_us)));
            if let Some(pid) = state.core_pid() {
                let signal = if kill { SIGKILL } else { SIGABRT };
                turn.act(Action::Kill { id: None, target: Target::Child { pid }, signal });
            }
        }
    }
}

fn plan(state: &State, order: &Order) -> Plan {
    ending(state.facts.role, order)
}

/// Init takes over: everybody gets SIGTERM.
fn begin_ending(turn: &mut Turn, state: &State, now_us: u64, order: Order) {
    let scope = plan(state, &order).kill;
    turn.say(5, format!("shutdown: {:?}: ending what is left", order.kind));
    turn.change(Change::Core(crate::state::Core { run: off(&state.core.run), ..state.core.clone() }));
    let until_us = now_us.saturating_add(state.policy.grace_us);
    turn.change(Change::Phase(Phase::Ending { order, stage: Stage::Term, until_us }));
    turn.act(Action::KillAll { scope, signal: SIGTERM });
    turn.act(Action::KillAll { scope, signal: SIGCONT });
}

/// Not to be started any more; if it runs, its end is still to be seen.
fn off(run: &Run) -> Run {
    if matches!(run, Run::Up { .. }) { *run } else { Run::Off }
}

fn on_ending_deadline(turn: &mut Turn, state: &State, order: &Order, stage: Stage, now_us: u64) {
    let scope = plan(state, order).kill;
    let tries = match stage {
        Stage::Term => 0,
        Stage::Kill(tries) => tries,
        Stage::Unmount | Stage::Last => {
            return finish(turn, state, now_us);
        }
    };
    if tries >= KILL_TRIES {
        turn.say(3, "shutdown: some processes do not die; going on without them".to_owned());
        return after_killing(turn, state, order, now_us);
    }
    let stage = Stage::Kill(tries.saturating_add(1));
    let until_us = now_us.saturating_add(KILL_AGAIN_US);
    turn.change(Change::Phase(Phase::Ending { order: order.clone(), stage, until_us }));
    turn.act(Action::KillAll { scope, signal: SIGKILL });
}

fn after_killing(turn: &mut Turn, state: &State, order: &Order, now_us: u64) {
    if !plan(state, order).unmount {
        return finish(turn, state, now_us);
    }
    let until_us = now_us.saturating_add(UNMOUNT_US);
    turn.change(Change::Phase(Phase::Ending { order: order.clone(), stage: Stage::Unmount, until_us }));
    turn.change(Change::AddChild { kind: Kind::Unmount, since_us: now_us });
    turn.act(Action::StartUnmount { serial: state.next_serial });
}

fn finish(turn: &mut Turn, state: &State, now_us: u64) {
    if let Phase::Ending { order, .. } = &state.phase {
        // Should the last call fail it is tried again, for there is nothing else to do.
        let until_us = now_us.saturating_add(1_000_000);
        turn.change(Change::Phase(Phase::Ending { order: order.clone(), stage: Stage::Last, until_us }));
        turn.act(Action::Finish { last: plan(state, order).last, argument: order.argument.clone() });
    }
}

#[cfg(test)]
mod tests;
