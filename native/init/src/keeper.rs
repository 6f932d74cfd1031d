//! How core is kept alive: restarts, their delays, the remedies, hangs. Pure.

use crate::state::{Core, Hang, Level, Policy, Run};
use nix::libc::SIGKILL;
use sysmaster_link::{BlackBox, Ended};

/// From the second failure in a row on, the first delay; it doubles from there.
const DELAY_FIRST_US: u64 = 100_000;
/// The longest delay before the emergency.
const DELAY_MAX_US: u64 = 5_000_000;
/// The longest delay after a death that somebody else has caused.
const KILLED_DELAY_MAX_US: u64 = 1_000_000;
/// What a death weighs that says most against core; the intensity is in units of this.
const FAULT: usize = 4;
/// The time between tries in an emergency.
const EMERGENCY_US: u64 = 300_000_000;
/// The time between SIGABRT and SIGKILL.
const ABORT_US: u64 = 3_000_000;
/// An upgraded core has this part of the time that any other has until `ready`.
const UPGRADE_SHARE: u64 = 3;
/// The longest time core may ask for with `loading`.
const LOADING_MAX_US: u64 = 600_000_000;
/// The phase of a core that has nothing in hand, in the black box.
const IDLE: u8 = 0;
/// Bytes of the black box.
pub const BLACK_BOX_BYTES: usize = 64;
/// Longest name of an actor in the black box.
const ACTOR_MAX: usize = 40;

/// What is to be done about core at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// Start it.
    Start,
    /// It hangs: SIGABRT.
    Abort,
    /// It hangs on: SIGKILL.
    Kill,
}

/// What is to be done about core now. Total.
#[must_use]
pub fn due(core: &Core, now_us: u64) -> Due {
    match core.run {
        Run::Waiting { at_us } if now_us >= at_us => Due::Start,
        Run::Up { hang: Hang::Aborted { kill_at_us }, .. } if now_us >= kill_at_us => Due::Kill,
        Run::Up { hang: Hang::No, beat_by_us: Some(by_us), .. } if now_us >= by_us => Due::Abort,
        _ => Due::Nothing,
    }
}

/// When [`due`] will next say something; none: never, as things are.
#[must_use]
pub fn deadline(core: &Core) -> Option<u64> {
    match core.run {
        Run::Waiting { at_us } => Some(at_us),
        Run::Up { hang: Hang::Aborted { kill_at_us }, .. } => Some(kill_at_us),
        Run::Up { hang: Hang::No, beat_by_us, .. } => beat_by_us,
        Run::Up { hang: Hang::Killed, .. } | Run::Off => None,
    }
}

/// How long a core may take that follows one which has left by itself: there is one to go back to, and until then nobody decides.
/// A core with much to load says so, and gets the time that it asks for.
fn upgrade_us(policy: &Policy) -> u64 {
    (policy.start_us / UPGRADE_SHARE).max(policy.watchdog_us)
}

/// Core is being started as this child.
#[must_use]
pub fn started(core: &Core, policy: &Policy, serial: u64, now_us: u64) -> Core {
    let patience_us = if core.planned { upgrade_us(policy) } else { policy.start_us };
    let beat_by_us = (policy.watchdog_us > 0).then(|| now_us.saturating_add(patience_us));
    let run = Run::Up { serial, since_us: now_us, ready: false, beat_by_us, hang: Hang::No };
    Core { run, started: core.started.saturating_add(1), planned: false, ..core.clone() }
}

/// What core can say about its own life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A turn was made.
    Beat,
    /// It will be busy for this long.
    Loading(u32),
    /// It is in charge.
    Ready,
}

/// Core has given a sign of life. It means nothing to a core that is not there or is being killed.
#[must_use]
pub fn lives(core: &Core, policy: &Policy, sign: Sign, now_us: u64) -> Core {
    let mut next = core.clone();
    if let Run::Up { ready, beat_by_us, hang: Hang::No, .. } = &mut next.run {
        *ready |= sign == Sign::Ready;
        let patience = match sign {
            Sign::Loading(for_ms) => u64::from(for_ms).saturating_mul(1000).min(LOADING_MAX_US).max(policy.watchdog_us),
            Sign::Beat | Sign::Ready if *ready => policy.watchdog_us,
            Sign::Beat | Sign::Ready => policy.start_us,
        };
        *beat_by_us = (policy.watchdog_us > 0).then(|| now_us.saturating_add(patience));
        if sign == Sign::Ready {
            next.unready = 0;
        }
    }
    next
}

/// Core has had SIGABRT, or SIGKILL, for hanging.
#[must_use]
pub fn punished(core: &Core, kill: bool, now_us: u64) -> Core {
    let mut next = core.clone();
    if let Run::Up { hang, .. } = &mut next.run {
        *hang = if kill { Hang::Killed } else { Hang::Aborted { kill_at_us: now_us.saturating_add(ABORT_US) } };
    }
    next
}

/// Core has ended: what is kept of that, and when the next is to start. `wanted`: one is still wanted.
#[must_use]
pub fn died(core: &Core, policy: &Policy, death: BlackBox, wanted: bool, now_us: u64) -> Core {
    let mut next = core.clone();
    next.deaths.insert(0, death);
    next.deaths.truncate(3);
    if !wanted {
        next.run = Run::Off;
    } else if core.planned {
        // It stays planned until the next one is started.
        next.run = Run::Waiting { at_us: now_us };
    } else {
        let got_on = got_on(core, &next.deaths);
        let ready_us = match core.run {
            Run::Up { ready: true, since_us, .. } => now_us.saturating_sub(since_us),
            _ => 0,
        };
        let killed = next.deaths.first().is_some_and(from_outside);
        // One that got on without its checkpoint has written another. Of a program that ends by itself, and of the previous one,
        // that is not enough.
        if ready_us > policy.period_us || killed && got_on && core.level != Level::Previous {
            next.level = Level::Normal;
        }
        match (killed, got_on) {
            (true, true) => next.failures.clear(),
            (false, false) => fail(&mut next, policy, FAULT, false, now_us),
            (killed, _) => fail(&mut next, policy, 1, killed, now_us),
        }
        rest(&mut next, killed, now_us);
    }
    next
}

/// Core could not even be started.
#[must_use]
pub fn unstartable(core: &Core, policy: &Policy, wanted: bool, now_us: u64) -> Core {
    let mut next = core.clone();
    if wanted {
        fail(&mut next, policy, FAULT, false, now_us);
        rest(&mut next, false, now_us);
    } else {
        next.run = Run::Off;
    }
    next
}

/// There is no core to start: the emergency, looked at again now and then.
#[must_use]
pub fn hopeless(core: &Core, now_us: u64) -> Core {
    let run = Run::Waiting { at_us: now_us.saturating_add(EMERGENCY_US) };
    Core { run, level: Level::Emergency, ..core.clone() }
}

/// A plain SIGKILL that is not init's own for a hang: somebody's, or the kernel's for want of memory.
fn from_outside(death: &BlackBox) -> bool {
    !death.hung && matches!(death.ended, Some(Ended::Killed(SIGKILL)))
}

/// Whether a core that has just died was in charge, and had nothing in hand or something else than the one before it: whatever
/// it died of, it did not come up in vain. `deaths`: newest first.
fn got_on(core: &Core, deaths: &[BlackBox]) -> bool {
    let same = match deaths {
        [newest, older, ..] => {
            newest.phase != IDLE && (newest.phase, newest.seq, &newest.actor) == (older.phase, older.seq, &older.actor)
        }
        _ => false,
    };
    matches!(core.run, Run::Up { ready: true, .. }) && !same
}

/// Count a failure, and take the next remedy if there were too many. A core that is `killed` may have a checkpoint too large for
/// the memory there is, but its program is no worse for it.
fn fail(core: &mut Core, policy: &Policy, weight: usize, killed: bool, now_us: u64) {
    core.failures.retain(|at_us| now_us.saturating_sub(*at_us) <= policy.period_us);
    core.failures.extend(std::iter::repeat_n(now_us, weight));
    core.unready = core.unready.saturating_add(1);
    let intensity = usize::try_from(policy.intensity).unwrap_or(usize::MAX);
    if core.failures.len() <= intensity.saturating_mul(FAULT) {
        return;
    }
    core.failures.clear();
    core.level = match core.level {
        Level::Normal => Level::Safe,
        level if killed => level,
        Level::Safe if policy.has_previous => Level::Previous,
        Level::Safe | Level::Previous | Level::Emergency => Level::Emergency,
    };
}

/// Set the time of the next start.
fn rest(core: &mut Core, killed: bool, now_us: u64) {
    let max_us = if killed { KILLED_DELAY_MAX_US } else { DELAY_MAX_US };
    let delay_us = match core.unready {
        _ if core.level == Level::Emergency => EMERGENCY_US,
        0 | 1 => 0,
        more => DELAY_FIRST_US.saturating_mul(1 << more.saturating_sub(2).min(16)).min(max_us),
    };
    core.run = Run::Waiting { at_us: now_us.saturating_add(delay_us) };
}

/// Read the black box: u64 event number (little-endian), u8 phase, u8 length of the name, 40 bytes of name, zeroes.
///
/// Total: core may have died while it wrote it, so that any bytes may be there.
#[must_use]
pub fn read_black_box(bytes: Option<&[u8]>, at_us: u64, ended: Option<Ended>, hung: bool) -> BlackBox {
    let parsed = bytes.and_then(|bytes| {
        let (seq, rest) = bytes.split_first_chunk::<8>()?;
        let ([phase, length], name) = rest.split_first_chunk::<2>()?;
        let name = name.get(..usize::from(*length).min(ACTOR_MAX)).unwrap_or_default();
        Some((u64::from_le_bytes(*seq), *phase, String::from_utf8_lossy(name).into_owned()))
    });
    let (seq, phase, actor) = parsed.unwrap_or_default();
    BlackBox { at_us, ended, hung, seq, phase, actor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::{a_policy, a_state};
    use nix::libc::SIGSEGV;

    fn dead(seq: u64) -> BlackBox {
        read_black_box(None, seq, Some(Ended::Dumped(SIGSEGV)), false)
    }

    fn killed() -> BlackBox {
        read_black_box(None, 0, Some(Ended::Killed(SIGKILL)), false)
    }

    /// A core that is started, comes into charge or not, and ends so.
    fn life(core: &Core, policy: &Policy, ready: bool, death: BlackBox, now_us: u64) -> Core {
        let up = started(core, policy, 1, now_us);
        let up = if ready { lives(&up, policy, Sign::Ready, now_us) } else { up };
        died(&up, policy, death, true, now_us)
    }

    #[test]
    fn the_first_failure_restarts_at_once_and_repetition_grows_the_delay() {
        let policy = Policy { intensity: 100, ..a_policy() };
        for (death, expected) in [
            (dead(1), [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]),
            (killed(), [0, 100, 200, 400, 800, 1000, 1000, 1000, 1000]),
        ] {
            let mut core = a_state().core;
            let mut delays = Vec::new();
            for _ in 0..9 {
                core = life(&core, &policy, false, death.clone(), 1000);
                delays.push(deadline(&core).map(|at_us| (at_us - 1000) / 1000));
            }
            assert_eq!(delays, expected.map(Some));
        }
    }

    #[test]
    fn a_core_that_was_ready_is_restarted_at_once_again() {
        let policy = Policy { intensity: 100, ..a_policy() };
        let mut core = a_state().core;
        for number in 0..5 {
            core = life(&core, &policy, true, dead(number), 1000);
            assert_eq!(core.run, Run::Waiting { at_us: 1000 });
        }
    }

    #[test]
    fn who_kills_a_core_that_gets_on_may_do_so_for_ever() {
        let policy = a_policy();
        let mut core = a_state().core;
        for number in 0..1000 {
            core = life(&core, &policy, number % 7 > 2, killed(), number * 200_000);
            assert_eq!(core.level, Level::Normal);
        }
    }

    #[test]
    fn a_core_that_is_always_killed_before_it_is_ready_loses_its_checkpoint_but_is_never_given_up() {
        let policy = Policy { has_previous: true, ..a_policy() };
        let mut core = a_state().core;
        let mut levels = Vec::new();
        for _ in 0..1000 {
            levels.push(core.level);
            core = life(&core, &policy, false, killed(), 5);
        }
        levels.dedup();
        assert_eq!(levels, [Level::Normal, Level::Safe]);
        assert_eq!(core.run, Run::Waiting { at_us: 5 + KILLED_DELAY_MAX_US });
        assert_eq!(life(&core, &policy, true, killed(), 5).level, Level::Normal);
    }

    #[test]
    fn faults_of_a_core_that_gets_on_weigh_a_quarter_of_those_in_the_same_step() {
        let policy = Policy { intensity: 3, ..a_policy() };
        let faults = |hands: &dyn Fn(u64) -> u64| {
            let mut core = a_state().core;
            (1..100).find(|number| {
                let death = BlackBox { phase: 1, seq: hands(*number), actor: "unit:a.service".to_owned(), ..dead(0) };
                core = life(&core, &policy, true, death, 5);
                core.level != Level::Normal
            })
        };
        // The first one cannot have anything in common with another.
        assert_eq!((faults(&|number| number), faults(&|_| 7)), (Some(13), Some(4)));
        let mut core = a_state().core;
        for number in 0..13 {
            core.level = Level::Previous;
            core = life(&core, &policy, true, dead(number), 5);
        }
        assert_eq!(core.level, Level::Emergency);
    }

    #[test]
    fn too_many_failures_take_one_remedy_after_the_other() {
        for (has_previous, expected) in [
            (true, vec![Level::Normal, Level::Safe, Level::Previous, Level::Emergency]),
            (false, vec![Level::Normal, Level::Safe, Level::Emergency]),
        ] {
            let policy = Policy { intensity: 2, has_previous, ..a_policy() };
            let mut core = a_state().core;
            let mut levels = Vec::new();
            for number in 0..20 {
                levels.push(core.level);
                core = life(&core, &policy, false, dead(number), 5);
            }
            levels.dedup();
            assert_eq!(levels, expected);
            assert_eq!(core.run, Run::Waiting { at_us: 5 + EMERGENCY_US });
            assert_eq!(core.deaths.len(), 3);
            assert_eq!(core.deaths.first(), Some(&dead(19)));
            // It has come up in the end.
            assert_eq!(life(&core, &policy, true, killed(), 5).level, Level::Normal);
        }
    }

    #[test]
    fn a_previous_core_that_was_in_charge_for_a_whole_period_ends_the_remedies() {
        let policy = Policy { has_previous: true, ..a_policy() };
        let core = Core { level: Level::Previous, ..a_state().core };
        let later = 7 + 2 * policy.period_us;
        let up = started(&core, &policy, 3, 7);
        assert_eq!(died(&up, &policy, dead(3), true, later).level, Level::Previous);
        let ready = lives(&up, &policy, Sign::Ready, 8);
        assert_eq!(died(&ready, &policy, dead(3), true, 9).level, Level::Previous);
        assert_eq!(died(&ready, &policy, dead(3), true, later).level, Level::Normal);
    }

    #[test]
    fn an_announced_exit_is_not_counted() {
        let policy = a_policy();
        let mut core = started(&a_state().core, &policy, 1, 5);
        core.planned = true;
        let next = died(&core, &policy, dead(1), true, 9);
        assert_eq!((next.run, next.failures.len()), (Run::Waiting { at_us: 9 }, 0));
        assert!(!started(&next, &policy, 2, 9).planned);
    }

    #[test]
    fn a_core_after_an_announced_exit_has_a_third_of_the_time_but_no_less_than_a_hang_takes() {
        for (watchdog_us, expected) in [(10_000_000, 20_000_000), (30_000_000, 30_000_000)] {
            let policy = Policy { watchdog_us, ..a_policy() };
            let mut core = started(&a_state().core, &policy, 1, 0);
            assert_eq!(deadline(&core), Some(60_000_000));
            core.planned = true;
            let next = started(&died(&core, &policy, dead(1), true, 9), &policy, 2, 9);
            assert_eq!(deadline(&next), Some(9 + expected));
            // What says that it is busy has its time, and if it fails the one after it has all of it.
            let busy = lives(&next, &policy, Sign::Loading(90_000), 10);
            assert_eq!(deadline(&busy), Some(10 + 90_000_000));
            let back = started(&died(&next, &policy, dead(2), true, 20), &policy, 3, 20);
            assert_eq!(deadline(&back), Some(20 + 60_000_000));
        }
    }

    #[test]
    fn a_hang_is_aborted_and_then_killed_and_a_beat_prevents_both() {
        let policy = a_policy();
        let core = lives(&started(&a_state().core, &policy, 1, 0), &policy, Sign::Ready, 0);
        let by_us = policy.watchdog_us;
        assert_eq!(due(&core, by_us - 1), Due::Nothing);
        assert_eq!(due(&core, by_us), Due::Abort);
        assert_eq!(due(&lives(&core, &policy, Sign::Beat, by_us - 1), by_us), Due::Nothing);
        let aborted = punished(&core, false, by_us);
        assert_eq!(due(&aborted, by_us + ABORT_US - 1), Due::Nothing);
        assert_eq!(due(&aborted, by_us + ABORT_US), Due::Kill);
        assert_eq!(due(&punished(&aborted, true, by_us), u64::MAX), Due::Nothing);
    }

    #[test]
    fn loading_buys_time_up_to_ten_minutes_and_a_beat_ends_it() {
        let policy = a_policy();
        let core = lives(&started(&a_state().core, &policy, 1, 0), &policy, Sign::Ready, 0);
        let loading = lives(&core, &policy, Sign::Loading(u32::MAX), 0);
        assert_eq!(deadline(&loading), Some(LOADING_MAX_US));
        assert_eq!(deadline(&lives(&loading, &policy, Sign::Beat, 3)), Some(3 + policy.watchdog_us));
    }

    #[test]
    fn no_watchdog_means_no_deadline() {
        let policy = Policy { watchdog_us: 0, ..a_policy() };
        assert_eq!(deadline(&started(&a_state().core, &policy, 1, 0)), None);
    }

    #[test]
    fn any_bytes_make_a_black_box() {
        let mut bytes = vec![7, 0, 0, 0, 0, 0, 0, 0, 2, 5];
        bytes.extend_from_slice(b"nginx and more");
        bytes.resize(BLACK_BOX_BYTES, 0);
        let read = read_black_box(Some(&bytes), 1, None, true);
        assert_eq!((read.seq, read.phase, read.actor.as_str(), read.hung), (7, 2, "nginx", true));
        for length in 0..=255_u8 {
            let noise = vec![length; usize::from(length)];
            assert!(read_black_box(Some(&noise), 1, None, false).actor.chars().count() <= ACTOR_MAX);
        }
        assert_eq!(read_black_box(None, 1, None, false).seq, 0);
    }
}
