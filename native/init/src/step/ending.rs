//! The end, stage by stage: SIGTERM, SIGKILL, unmounting, the last call. Each stage has a deadline.

use super::{Action, Turn};
use crate::ending::{Order, Plan, ending};
use crate::state::{Change, Core, Kind, Phase, Run, Stage, State};
use nix::libc::{SIGCONT, SIGKILL, SIGTERM};

/// How long what was sent SIGKILL may take to go, in tries and time between them.
pub(super) const KILL_TRIES: u8 = 100;
const KILL_AGAIN_US: u64 = 100_000;
/// How long unmounting and syncing may take.
const UNMOUNT_US: u64 = 30_000_000;

fn plan(state: &State, order: &Order) -> Plan {
    ending(state.facts.role, order)
}

/// Init takes over: everybody gets SIGTERM.
pub(super) fn begin_ending(turn: &mut Turn, state: &State, now_us: u64, order: Order) {
    let scope = plan(state, &order).kill;
    turn.say(5, format!("shutdown: {:?}: ending what is left", order.kind));
    turn.change(Change::Core(Core { run: off(&state.core.run), ..state.core.clone() }));
    let until_us = now_us.saturating_add(state.policy.grace_us);
    turn.change(Change::Phase(Phase::Ending { order, stage: Stage::Term, until_us }));
    turn.act(Action::KillAll { scope, signal: SIGTERM });
    turn.act(Action::KillAll { scope, signal: SIGCONT });
}

/// Not to be started any more; if it runs, its end is still to be seen.
fn off(run: &Run) -> Run {
    if matches!(run, Run::Up { .. }) { *run } else { Run::Off }
}

pub(super) fn on_ending_deadline(turn: &mut Turn, state: &State, order: &Order, stage: Stage, now_us: u64) {
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

pub(super) fn after_killing(turn: &mut Turn, state: &State, order: &Order, now_us: u64) {
    if !plan(state, order).unmount {
        return finish(turn, state, now_us);
    }
    let until_us = now_us.saturating_add(UNMOUNT_US);
    turn.change(Change::Phase(Phase::Ending { order: order.clone(), stage: Stage::Unmount, until_us }));
    turn.change(Change::AddChild { kind: Kind::Unmount, since_us: now_us });
    turn.act(Action::StartUnmount { serial: state.next_serial });
}

pub(super) fn finish(turn: &mut Turn, state: &State, now_us: u64) {
    if let Phase::Ending { order, .. } = &state.phase {
        // Should the last call fail it is tried again, for there is nothing else to do.
        let until_us = now_us.saturating_add(1_000_000);
        turn.change(Change::Phase(Phase::Ending { order: order.clone(), stage: Stage::Last, until_us }));
        turn.act(Action::Finish { last: plan(state, order).last, argument: order.argument.clone() });
    }
}
