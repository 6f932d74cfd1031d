//! What core asks for: what is admitted, what is refused, and what was asked for before.

use super::ending::begin_ending;
use super::{Action, NAME_MAX, Reply, TAG_MAX, Target, Turn};
use crate::ending::Order;
use crate::keeper::{self, Sign};
use crate::state::{Change, Child, Core, Kind, Phase, State, WATCHES_MAX, Watch};
use nix::libc::{EAGAIN, EALREADY, EINVAL, EMSGSIZE, ENOENT, EOPNOTSUPP, EPROTO, ESHUTDOWN};
use sysmaster_link::{EffectId, FDS_MAX, KillTarget, ProcessRef, Report, ShutdownKind, ToInit};

/// How long the new init may take to look at the state.
const CHECK_US: u64 = 10_000_000;

/// The effect a frame is, if it is one.
pub(super) fn effect_of(frame: &ToInit) -> Option<EffectId> {
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
    let full_store = Some((EAGAIN, "the descriptor store is full: it has three quarters of what RLIMIT_NOFILE allows"));
    match frame {
        _ if effect_of(frame).is_some() && !state.has_room() => no_room,
        ToInit::Spawn { .. } if state.children.len() >= state.policy.children_max => no_room,
        ToInit::Spawn { .. } if matches!(state.phase, Phase::Ending { .. }) => {
            Some((ESHUTDOWN, "the system is ending"))
        }
        ToInit::Watch { .. } if state.watches.len() >= WATCHES_MAX => no_room,
        ToInit::Watch { pid, .. } if *pid <= 0 => Some((EINVAL, "that is no pid")),
        ToInit::Accept { .. } if state.names.len() >= state.policy.store_max => full_store,
        ToInit::StoreFd { names, .. } if names.is_empty() || names.len() > FDS_MAX => {
            Some((EPROTO, "between 1 and 253 descriptors can be stored at a time"))
        }
        ToInit::StoreFd { names, .. } if state.names.len().saturating_add(names.len()) > state.policy.store_max => {
            full_store
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

pub(super) fn checking(state: &State) -> Option<&Child> {
    state.children.values().find(|child| matches!(child.kind, Kind::Check { .. }))
}

/// When the new init that looks at the state has had its time; none: there is none, or it has been killed.
pub(super) fn check_deadline(state: &State) -> Option<u64> {
    checking(state)?.since_us.checked_add(CHECK_US)
}

pub(super) fn on_frame(turn: &mut Turn, state: &State, now_us: u64, frame: ToInit, fds: usize) {
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
            turn.change(Change::Core(Core { planned: true, ..state.core.clone() }));
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
