//! What init does next. No system calls here, so every rule has a unit test.
//!
//! The loop (turn.rs) turns the world into [`Event`]s, hands each to [`step`], applies the [`Change`]s and then carries out
//! the [`Action`]s; what comes of an action is the next event. A failure in here costs the event, never the state.

mod ending;
mod event;
mod frames;

pub use event::{Action, Event, Reply, Target, Turn};

use crate::ending::{Order, is_immediate, order_of_signal};
use crate::keeper::{self, Due};
use crate::state::{Change, Core, Hang, Kind, Level, Orphan, Phase, Run, Stage, State, Watch};
use ending::{after_killing, begin_ending, finish, on_ending_deadline};
use frames::{check_deadline, checking, on_frame};
use nix::libc::{
    ENOEXEC, EPROTO, ETIMEDOUT, SIGABRT, SIGHUP, SIGINT, SIGKILL, SIGPWR, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
};
use sysmaster_link::{EffectId, Ended, ExecStep, Heir, LEFT_MAX, Report, StatusReport};

/// Longest tag.
pub const TAG_MAX: usize = 4096;
/// Longest name in the store.
pub const NAME_MAX: usize = 255;

/// Total: every (state, event) pair has an answer, and no answer is to exit, but at the end of an ending.
///
/// `now_us` is CLOCK_MONOTONIC in microseconds.
#[must_use]
pub fn step(state: &State, now_us: u64, event: Event) -> Turn {
    let mut turn = Turn::default();
    match event {
        Event::Frame { frame, fds } => on_frame(&mut turn, state, now_us, frame, fds),
        Event::BadFrame { why } => turn.refuse(None, EPROTO, &why),
        Event::Forked { serial, pid, start_time } => on_forked(&mut turn, state, now_us, serial, pid, start_time),
        Event::ForkFailed { serial, errno, detail } => on_fork_failed(&mut turn, state, now_us, serial, errno, detail),
        Event::Execed { serial } => on_execed(&mut turn, state, now_us, serial),
        Event::ExecFailed { serial, report } => on_exec_failed(&mut turn, state, now_us, serial, report),
        Event::Exited { pid, start_time, ended, black_box, left } => {
            let exit = Orphan { pid, start_time, ended };
            on_exited(&mut turn, state, now_us, exit, black_box.as_deref(), &left);
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
        Event::Reexeced => turn.report(now_us, None, Report::Done { id: EffectId::REEXEC }),
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
            turn.change(Change::Core(Core { oom_denied: true, planned: true, ..state.core.clone() }));
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

fn on_exited(turn: &mut Turn, state: &State, now_us: u64, exit: Orphan, black_box: Option<&[u8]>, left: &[(i32, u64)]) {
    let Orphan { pid, start_time, ended } = exit;
    end_watches(turn, state, now_us, pid, start_time, Some(ended));
    let Some(child) = state.child_of_pid(pid) else {
        let next = if let [next] = left { Some(*next) } else { None };
        turn.change(Change::HeirEnded { heir: exit.clone(), next });
        return turn.change(Change::Remember(exit));
    };
    let serial = child.serial;
    match &child.kind {
        Kind::Unit { id, tag } => {
            if !left.is_empty() {
                let heir = |(pid, start_time): &(i32, u64)| Heir { pid: *pid, start_time: *start_time, ended: None };
                let (line, heirs) = (left.len() == 1, left.iter().take(LEFT_MAX).map(heir).collect());
                turn.report(now_us, Some(*id), Report::Left { tag: tag.clone(), pid, line, heirs });
            }
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
    let hung = matches!(state.core.run, Run::Up { hang, .. } if hang != Hang::No);
    let death = keeper::read_black_box(black_box, now_us, Some(ended), hung);
    let core = keeper::died(&state.core, &state.policy, death, core_wanted(state), now_us);
    if !(state.core.planned || matches!(state.phase, Phase::Ending { .. })) {
        let how = if hung { " after hanging" } else { "" };
        turn.say(3, format!("core: ended{how}: {ended:?}; services run on, remedy {:?}", core.level));
    }
    after_core(turn, state, now_us, core);
}

/// Core is not there, and `core` says what is next; in an emergency a person gets a shell.
fn after_core(turn: &mut Turn, state: &State, now_us: u64, core: Core) {
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
    let in_ring = || state.ring.iter().rev().find(matches).map(|orphan| orphan.ended);
    let ended = state.heir_end(pid, start_time).or_else(in_ring);
    turn.report(now_us, Some(id), Report::WatchedExited { id, tag, pid, ended });
}

fn on_signal(turn: &mut Turn, state: &State, now_us: u64, signal: i32, rtmin: i32) {
    let order =
        order_of_signal(state.facts.role, signal, rtmin).map(|kind| Order { kind, status: 0, argument: String::new() });
    let core_lives = core_wanted(state) && state.core.level != Level::Emergency
        || matches!(state.core.run, Run::Up { hang: Hang::No, .. });
    match (&state.phase, order) {
        (Phase::Ending { .. }, _) => {}
        (_, Some(order)) if is_immediate(signal, rtmin) || !core_lives => begin_ending(turn, state, now_us, order),
        // The second one: whoever sends it does not want to wait for the units any longer.
        (Phase::Stopping { order, .. }, _) if matches!(signal, SIGTERM | SIGINT) => {
            begin_ending(turn, state, now_us, order.clone());
        }
        _ if !is_for_core(signal, rtmin) => {}
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

/// The signals that mean something to a service manager (systemd(1), "Signals"): a terminal's and a timer's do not.
fn is_for_core(signal: i32, rtmin: i32) -> bool {
    matches!(signal, SIGHUP | SIGINT | SIGTERM | SIGUSR1 | SIGUSR2 | SIGPWR | SIGWINCH)
        || signal.checked_sub(rtmin).is_some_and(|number| (0..=30).contains(&number))
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
        // There is none to start: a person is asked from the beginning.
        Due::Start if !core_wanted(state) => {
            let core = keeper::hopeless(&state.core, now_us);
            after_core(turn, state, now_us, core);
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

#[cfg(test)]
mod tests;
