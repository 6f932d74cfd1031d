//! Totality: every event in every state has an answer, and the answers obey the rules.

use super::ending::KILL_TRIES;
use super::frames::effect_of;
use super::*;
use crate::ending::{Last, Scope};
use crate::state::tests::a_state;
use nix::libc::EAGAIN;
use sysmaster_link::{EffectId, KillTarget, ProcessRef, Role, ShutdownKind, ToInit};

const RTMIN: i32 = 34;
const NOW: u64 = 1_000_000_000;

fn id(seq: u64) -> EffectId {
    EffectId { epoch: 1, seq, index: 0 }
}

fn apply(state: &State, turn: &Turn) -> State {
    let mut next = state.clone();
    turn.changes.iter().cloned().for_each(|change| next.apply(change));
    next
}

fn order() -> Order {
    Order { kind: ShutdownKind::Reboot, status: 3, argument: String::new() }
}

/// A state for each place, phase and condition of core, with some of everything in it.
fn states() -> Vec<State> {
    let mut states = Vec::new();
    let stages = [Stage::Term, Stage::Kill(1), Stage::Kill(KILL_TRIES), Stage::Unmount, Stage::Last];
    let ending = |stage| Phase::Ending { order: order(), stage, until_us: NOW };
    let phases = [Phase::Up, Phase::Stopping { order: order(), deadline_us: NOW }].into_iter();
    let phases: Vec<Phase> = phases.chain(stages.map(ending)).collect();
    let up = |ready, beat_by_us, hang| Run::Up { serial: 2, since_us: 0, ready, beat_by_us, hang };
    let runs = [
        Run::Off,
        Run::Waiting { at_us: NOW },
        Run::Waiting { at_us: u64::MAX },
        up(false, None, Hang::No),
        up(true, Some(NOW), Hang::No),
        up(true, Some(u64::MAX), Hang::Aborted { kill_at_us: NOW }),
        up(true, None, Hang::Killed),
    ];
    for role in [Role::Machine, Role::Container, Role::Subreaper] {
        for phase in &phases {
            for run in runs {
                for level in [Level::Normal, Level::Safe, Level::Previous, Level::Emergency] {
                    for has_core in [true, false] {
                        let mut state = a_state();
                        state.facts.role = role;
                        state.policy.has_core = has_core;
                        state.policy.intensity = 0;
                        fill(&mut state);
                        state.core = Core { run, level, ..state.core };
                        state.phase = phase.clone();
                        states.push(state);
                    }
                }
            }
        }
    }
    states.push(a_state());
    states
}

/// Children of every kind (serials 1 to 5, pids 101 to 105), one not forked yet (6), a watch, records, names, an orphan.
fn fill(state: &mut State) {
    let unit = |seq| Kind::Unit { id: id(seq), tag: format!("u{seq}") };
    let kinds = [unit(1), Kind::Core, Kind::Shell, Kind::Unmount, Kind::Check { path: "/x".to_owned() }, unit(6)];
    for kind in kinds {
        state.apply(Change::AddChild { kind, since_us: 0 });
    }
    for serial in 1..=5_u64 {
        let pid = 100 + i32::try_from(serial).unwrap();
        state.apply(Change::Forked { serial, pid, start_time: 7 });
    }
    state.apply(Change::AddWatch(Watch { id: id(50), tag: "w".to_owned(), pid: 201, start_time: 7 }));
    state.apply(Change::Report { at_us: 1, id: Some(id(60)), what: Report::Done { id: id(60) } });
    state.apply(Change::Report { at_us: 1, id: None, what: Report::Signal { signal: SIGTERM } });
    state.apply(Change::Remember(Orphan { pid: 301, start_time: 7, ended: Ended::Exited(4) }));
    state.apply(Change::Name("listener".to_owned()));
}

fn frames() -> Vec<(ToInit, usize)> {
    let watched = ProcessRef::Watched(301, 7);
    let group = |path: &str| KillTarget::Group { path: path.to_owned(), except: vec![ProcessRef::Child(1), watched] };
    let shutdown =
        |kind, now| ToInit::Shutdown { kind, deadline_ms: u32::MAX, status: 1, argument: "a".to_owned(), now };
    let names = |count: usize| (0..count).map(|number| format!("n{number}")).collect::<Vec<_>>();
    let kinds = [
        ShutdownKind::Poweroff,
        ShutdownKind::Reboot,
        ShutdownKind::Halt,
        ShutdownKind::Kexec,
        ShutdownKind::Exit,
        ShutdownKind::SoftReboot,
        ShutdownKind::SwitchRoot,
    ];
    let mut frames = vec![
        (ToInit::Spawn { id: id(1), tag: "again".to_owned(), fds: names(2) }, 1),
        (ToInit::Spawn { id: id(6), tag: "being forked".to_owned(), fds: names(2) }, 1),
        (ToInit::Spawn { id: id(70), tag: "new".to_owned(), fds: names(2) }, 1),
        (ToInit::Spawn { id: id(70), tag: "no spec".to_owned(), fds: Vec::new() }, 0),
        (ToInit::Spawn { id: id(70), tag: "x".repeat(TAG_MAX + 1), fds: Vec::new() }, 1),
        (ToInit::Watch { id: id(50), tag: String::new(), pid: 201, start_time: 7 }, 0),
        (ToInit::Watch { id: id(71), tag: String::new(), pid: i32::MIN, start_time: 0 }, 0),
        (ToInit::Watch { id: id(71), tag: String::new(), pid: 1, start_time: u64::MAX }, 0),
        (ToInit::Accept { id: id(72), listener: "listener".to_owned(), name: "c".to_owned() }, 0),
        (ToInit::Accept { id: id(72), listener: "nobody".to_owned(), name: "c".to_owned() }, 0),
        (ToInit::Accept { id: id(72), listener: "listener".to_owned(), name: String::new() }, 0),
        (ToInit::StoreFd { id: id(73), names: names(2) }, 2),
        (ToInit::StoreFd { id: id(73), names: names(2) }, 1),
        (ToInit::StoreFd { id: id(73), names: names(0) }, 0),
        (ToInit::StoreFd { id: id(73), names: names(200) }, 200),
        (ToInit::StoreFd { id: id(73), names: names(254) }, 254),
        (ToInit::DropFd { id: id(74), names: names(3) }, 0),
        (ToInit::FetchFds { names: names(3) }, 0),
        (ToInit::Beat, 0),
        (ToInit::Beat, 253),
        (ToInit::Loading { for_ms: u32::MAX }, 0),
        (ToInit::Ready, 0),
        (ToInit::ReexecCore, 0),
        (ToInit::ReexecInit { path: String::new() }, 0),
        (ToInit::ReexecInit { path: "relative".to_owned() }, 0),
    ];
    for through in [0, 1, 2, 3, u64::MAX] {
        frames.push((ToInit::Ack { through }, 0));
    }
    for signal in [i32::MIN, 0, 9, 64, 65] {
        for target in [
            KillTarget::Process(ProcessRef::Child(1)),
            KillTarget::Process(ProcessRef::Child(2)),
            KillTarget::Process(ProcessRef::Child(6)),
            KillTarget::Process(ProcessRef::Child(99)),
            KillTarget::Process(watched),
            group("a/b"),
            group("../a"),
        ] {
            frames.push((ToInit::Kill { id: id(75), target, signal }, 0));
        }
    }
    frames.extend(kinds.into_iter().flat_map(|kind| [(shutdown(kind, true), 0), (shutdown(kind, false), 0)]));
    frames
}

fn events() -> Vec<Event> {
    let mut events: Vec<Event> = frames().into_iter().map(|(frame, fds)| Event::Frame { frame, fds }).collect();
    let watch = |pid, start_time| Watch { id: id(80), tag: String::new(), pid, start_time };
    let report = |step| StatusReport { step, errno: 2, detail: "d".to_owned() };
    for serial in [0, 1, 2, 3, 4, 5, 6, u64::MAX] {
        events.push(Event::Forked { serial, pid: 150, start_time: 9 });
        events.push(Event::ForkFailed { serial, errno: 11, detail: "fork".to_owned() });
        events.push(Event::Execed { serial });
        for step in [0, ExecStep::OomAdjust as u16, ExecStep::Exec as u16, u16::MAX] {
            events.push(Event::ExecFailed { serial, report: report(step) });
        }
    }
    for pid in [i32::MIN, 0, 101, 102, 103, 104, 105, 201, 301, 999] {
        for ended in [Ended::Exited(0), Ended::Exited(1), Ended::Killed(9), Ended::Dumped(11)] {
            events.push(Event::Exited { pid, start_time: 7, ended, black_box: Some(vec![1; 64]), left: Vec::new() });
            events.push(Event::Exited { pid, start_time: 8, ended, black_box: None, left: vec![(300, 9), (301, 9)] });
        }
        events.push(Event::WatchEnded { pid, start_time: 7 });
        events.push(Event::WatchedGone(watch(pid, 0)));
        events.push(Event::WatchedGone(watch(pid, 7)));
        events.push(Event::Watching(watch(pid, 7)));
    }
    events.extend((0..=65).map(|signal| Event::Signal { signal, rtmin: RTMIN }));
    events.extend([
        Event::BadFrame { why: "x".to_owned() },
        Event::Signalled { id: id(81), count: 0 },
        Event::Signalled { id: id(81), count: 4 },
        Event::Stored { id: id(82), names: vec!["a".to_owned()] },
        Event::Dropped { id: id(82), names: vec!["listener".to_owned(), "b".to_owned()] },
        Event::EffectFailed { id: id(83), errno: 1 },
        Event::Tick,
        Event::NobodyLeft,
        Event::Reexeced,
        Event::ReexecFailed { errno: 8 },
    ]);
    let (name, peer) = ("c".to_owned(), "p".to_owned());
    events.push(Event::Accepted { id: id(84), name, peer_pid: 1, peer_uid: None, peer });
    events
}

#[test]
fn every_event_in_every_state_has_an_answer_that_obeys_the_rules() {
    let (states, events) = (states(), events());
    for state in &states {
        for event in &events {
            let turn = step(state, NOW, event.clone());
            let next = apply(state, &turn);
            let context = || format!("{:?} {:?} {:?} {event:?}", state.facts.role, state.phase, state.core.run);
            for action in &turn.actions {
                match action {
                    Action::Finish { last, .. } => {
                        assert!(matches!(state.phase, Phase::Ending { .. }), "{}", context());
                        let exits = matches!(last, Last::Exit(_));
                        assert_eq!(exits, state.facts.role != Role::Machine, "{}", context());
                    }
                    Action::KillAll { scope, .. } => {
                        assert!(matches!(next.phase, Phase::Ending { .. }), "{}", context());
                        assert_eq!(*scope == Scope::Own, state.facts.role == Role::Subreaper, "{}", context());
                    }
                    Action::StartUnmount { .. } | Action::StartShell { .. } => {
                        assert_eq!(state.facts.role, Role::Machine, "{}", context());
                    }
                    Action::StartCore { .. } => {
                        assert!(!matches!(state.phase, Phase::Ending { .. }), "{}", context());
                        assert!(state.policy.has_core, "{}", context());
                    }
                    Action::Kill { target: Target::Child { pid }, .. } => {
                        assert!(state.by_pid.contains_key(pid), "{}", context());
                    }
                    _ => {}
                }
            }
            // An ending is never taken back.
            if matches!(state.phase, Phase::Ending { .. }) {
                assert!(matches!(next.phase, Phase::Ending { .. }), "{}", context());
            }
            // A frame is answered: by a record now or later, by a reply, or by doing what needs no answer.
            if let Event::Frame { frame, .. } = event
                && let Some(effect) = effect_of(frame)
            {
                let refused = turn.actions.iter().any(|action| matches!(action, Action::Answer(Reply::Refused { .. })));
                let reported = next.records.iter().any(|kept| kept.id == Some(effect) && !kept.sent);
                let begun = !turn.actions.is_empty() || next.children.values().any(|child| child.pid == 0);
                assert!(refused || reported || begun, "{}", context());
            }
            assert_records_are_whole(&next);
        }
    }
    assert!(states.len() * events.len() > 50_000);
}

fn assert_records_are_whole(state: &State) {
    let numbers: Vec<u64> = state.records.iter().map(|kept| kept.record.number).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(numbers.last().map_or(state.next_record, |last| last + 1), state.next_record);
}

#[test]
fn whatever_waits_has_a_deadline_or_a_child_to_wait_for() {
    for state in states() {
        match state.phase {
            Phase::Ending { .. } | Phase::Stopping { .. } => assert!(next_deadline(&state).is_some()),
            Phase::Up => {}
        }
        // Time alone brings every ending to its end, whoever refuses to die.
        if matches!(state.phase, Phase::Ending { .. }) {
            let mut state = state;
            let mut finished = false;
            for _ in 0..2 * u32::from(KILL_TRIES) + 10 {
                let now_us = next_deadline(&state).unwrap();
                let turn = step(&state, now_us, Event::Tick);
                finished |= turn.actions.iter().any(|action| matches!(action, Action::Finish { .. }));
                state = apply(&state, &turn);
            }
            assert!(finished);
        }
    }
}

#[test]
fn a_spawn_asked_for_twice_is_forked_once() {
    let state = a_state();
    let spawn = Event::Frame { frame: ToInit::Spawn { id: id(1), tag: "a".to_owned(), fds: Vec::new() }, fds: 1 };
    let turn = step(&state, NOW, spawn.clone());
    assert_eq!(turn.actions, [Action::Spawn { serial: 1, fds: Vec::new() }]);
    let state = apply(&state, &turn);
    let state = apply(&state, &step(&state, NOW, Event::Forked { serial: 1, pid: 9, start_time: 1 }));
    let state = apply(&state, &step(&state, NOW, Event::Execed { serial: 1 }));
    // Sent and acknowledged: told anew, as new records.
    let mut state = state;
    state.apply(Change::Ack(2));
    let turn = step(&state, NOW, spawn.clone());
    assert_eq!(turn.actions, []);
    let state = apply(&state, &turn);
    let told: Vec<&Report> = state.records.iter().map(|kept| &kept.record.what).collect();
    assert!(matches!(told[..], [Report::Forked { pid: 9, .. }, Report::Execed { .. }]), "{told:?}");
    // Told once more while these are kept: the same records again.
    let again = apply(&state, &step(&state, NOW, spawn));
    assert_eq!(again.records.len(), 2);
}

#[test]
fn tables_that_are_full_refuse_with_eagain_and_exits_still_fit() {
    let mut state = a_state();
    state.policy.children_max = 2;
    for seq in 1..=2 {
        let spawn = ToInit::Spawn { id: id(seq), tag: String::new(), fds: Vec::new() };
        state = apply(&state, &step(&state, NOW, Event::Frame { frame: spawn, fds: 1 }));
        let pid = 10 + i32::try_from(seq).unwrap();
        state = apply(&state, &step(&state, NOW, Event::Forked { serial: seq, pid, start_time: 1 }));
    }
    let spawn = ToInit::Spawn { id: id(3), tag: String::new(), fds: Vec::new() };
    let turn = step(&state, NOW, Event::Frame { frame: spawn, fds: 1 });
    let refusal = |action: &Action| matches!(action, Action::Answer(Reply::Refused { errno: EAGAIN, .. }));
    assert!(turn.actions.iter().all(refusal) && turn.actions.len() == 1);
    let before = state.records.len();
    let exited = Event::Exited { pid: 11, start_time: 1, ended: Ended::Exited(0), black_box: None, left: Vec::new() };
    assert_eq!(apply(&state, &step(&state, NOW, exited)).records.len(), before + 1);
}

#[test]
fn whom_a_child_leaves_is_told_before_its_end_and_their_ends_answer_a_watch() {
    let mut state = a_state();
    let (tag, pid) = ("t|leaves".to_owned(), 11);
    let spawn = ToInit::Spawn { id: id(1), tag, fds: Vec::new() };
    let exited = |pid, ended, left: &[(i32, u64)]| {
        let left = left.to_vec();
        Event::Exited { pid, start_time: 1, ended, black_box: None, left }
    };
    for event in [
        Event::Frame { frame: spawn, fds: 1 },
        Event::Forked { serial: 1, pid, start_time: 1 },
        exited(pid, Ended::Exited(0), &[(12, 1)]),
        exited(12, Ended::Exited(0), &[(13, 1)]),
        exited(13, Ended::Killed(9), &[]),
        Event::WatchedGone(Watch { id: id(2), tag: String::new(), pid: 12, start_time: 1 }),
    ] {
        state = apply(&state, &step(&state, NOW, event));
    }
    let told: Vec<&Report> = state.records.iter().skip(1).map(|kept| &kept.record.what).collect();
    let heir = |pid, ended| Heir { pid, start_time: 1, ended: Some(ended) };
    let line = [heir(12, Ended::Exited(0)), heir(13, Ended::Killed(9))];
    assert!(matches!(told[0], Report::Left { pid: 11, line: true, heirs, .. } if *heirs == line), "{told:?}");
    assert!(matches!(told[1], Report::Exited { pid: 11, .. }), "{told:?}");
    assert!(matches!(told[2], Report::WatchedExited { ended: Some(Ended::Killed(9)), .. }), "{told:?}");
}

#[test]
fn signals_of_one_kind_are_one_until_they_are_seen() {
    let mut state = a_state();
    for _ in 0..3 {
        state = apply(&state, &step(&state, NOW, Event::Signal { signal: 1, rtmin: RTMIN }));
    }
    assert_eq!(state.records.len(), 1);
    state.apply(Change::Sent(1));
    state = apply(&state, &step(&state, NOW, Event::Signal { signal: 1, rtmin: RTMIN }));
    assert_eq!(state.records.len(), 2);
}

#[test]
fn a_core_that_may_not_lower_its_oom_score_starts_again_without_and_uncounted() {
    let mut state = a_state();
    state.facts.can_lower_oom = true;
    let turn = step(&state, NOW, Event::Tick);
    assert!(turn.actions.iter().any(|action| matches!(action, Action::StartCore { lower_oom: true, .. })));
    state = apply(&state, &turn);
    state = apply(&state, &step(&state, NOW, Event::Forked { serial: 1, pid: 9, start_time: 1 }));
    let report = StatusReport { step: ExecStep::OomAdjust as u16, errno: 13, detail: String::new() };
    state = apply(&state, &step(&state, NOW, Event::ExecFailed { serial: 1, report }));
    let exited = Event::Exited { pid: 9, start_time: 1, ended: Ended::Exited(206), black_box: None, left: Vec::new() };
    state = apply(&state, &step(&state, NOW, exited));
    assert!(state.core.failures.is_empty());
    let turn = step(&state, NOW, Event::Tick);
    assert!(turn.actions.iter().any(|action| matches!(action, Action::StartCore { lower_oom: false, .. })));
}
