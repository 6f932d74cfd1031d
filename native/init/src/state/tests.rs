//! Records, effects and their bounds.

use super::*;

pub(crate) fn a_policy() -> Policy {
    Policy {
        watchdog_us: 10_000_000,
        start_us: 60_000_000,
        intensity: 5,
        period_us: 60_000_000,
        has_previous: false,
        has_core: true,
        store_max: 100,
        children_max: 100,
        grace_us: 1_000_000,
    }
}

pub(crate) fn a_state() -> State {
    let facts = Facts {
        role: Role::Subreaper,
        pid: 500,
        cgroup_root: "/g".to_owned(),
        cgroup_base: String::new(),
        cgroup_home: None,
        can_set_uid: true,
        can_lower_oom: false,
    };
    State::new(facts, a_policy())
}

fn id(seq: u64) -> EffectId {
    EffectId { epoch: 1, seq, index: 0 }
}

fn done(seq: u64) -> Change {
    Change::Report { at_us: 1, id: Some(id(seq)), what: Report::Done { id: id(seq) } }
}

fn with(changes: impl IntoIterator<Item = Change>) -> State {
    let mut state = a_state();
    changes.into_iter().for_each(|change| state.apply(change));
    state
}

fn unsent(state: &mut State) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(number) = state.next_unsent().map(|kept| kept.record.number) {
        numbers.push(number);
        state.apply(Change::Sent(number));
    }
    numbers
}

#[test]
fn records_are_sent_once_in_order_and_again_to_a_new_core() {
    let mut state = with((1..=4).map(done));
    assert_eq!(unsent(&mut state), [1, 2, 3, 4]);
    assert_eq!(unsent(&mut state), []);
    state.apply(Change::Ack(2));
    state.apply(Change::UnsendAll);
    assert_eq!(unsent(&mut state), [3, 4]);
    state.apply(done(5));
    assert_eq!(unsent(&mut state), [5]);
}

#[test]
fn a_repeated_effect_is_due_again_in_its_place() {
    let mut state = with((1..=4).map(done));
    assert_eq!(unsent(&mut state).len(), 4);
    state.apply(Change::Unsend(id(4)));
    state.apply(Change::Unsend(id(2)));
    state.apply(done(9));
    assert_eq!(unsent(&mut state), [2, 4, 5]);
}

#[test]
fn an_effect_is_forgotten_when_acknowledged_and_not_before_its_child_or_watch_is_gone() {
    let mut state = with([done(1)]);
    state.apply(Change::AddChild { kind: Kind::Unit { id: id(2), tag: String::new() }, since_us: 0 });
    state.apply(Change::Report { at_us: 1, id: Some(id(2)), what: Report::Done { id: id(2) } });
    let watch = Watch { id: id(3), tag: String::new(), pid: 9, start_time: 1 };
    state.apply(Change::AddWatch(watch));
    state.apply(done(3));
    state.apply(Change::Ack(3));
    let known: Vec<u64> = state.effects.keys().map(|id| id.seq).collect();
    assert_eq!(known, [2, 3]);
    // Its exit is a record: known until that is acknowledged.
    state.apply(Change::Report { at_us: 1, id: Some(id(2)), what: Report::Gone { id: id(2) } });
    state.apply(Change::RemoveChild(1));
    state.apply(Change::RemoveWatch(id(3)));
    let known: Vec<u64> = state.effects.keys().map(|id| id.seq).collect();
    assert_eq!(known, [2]);
    state.apply(Change::Ack(4));
    assert!(state.effects.is_empty() && state.records.is_empty());
}

#[test]
fn the_ring_keeps_the_newest_and_counts_the_rest() {
    let orphan = |pid| Orphan { pid, start_time: 1, ended: Ended::Exited(0) };
    let count = i32::try_from(RING_MAX).unwrap() + 5;
    let state = with((1..=count).map(|pid| Change::Remember(orphan(pid))));
    assert_eq!((state.ring.len(), state.orphans_dropped), (RING_MAX, 5));
    assert_eq!(state.ring.front().unwrap().pid, 6);
}

#[test]
fn room_is_kept_for_what_children_still_have_to_say() {
    let mut state = a_state();
    assert!(state.has_room());
    let child = |seq| Change::AddChild { kind: Kind::Unit { id: id(seq), tag: String::new() }, since_us: 0 };
    let mut number = 0;
    while state.has_room() {
        number += 1;
        state.apply(child(number));
    }
    assert!(number as usize * RECORDS_PER_CHILD + 8 >= RECORDS_MAX);
}

#[test]
fn the_state_comes_back_from_bytes_as_it_was() {
    let mut state = with((1..=3).map(done));
    state.apply(Change::Name("x".to_owned()));
    state.apply(Change::Phase(Phase::Stopping {
        order: Order { kind: sysmaster_link::ShutdownKind::Halt, status: 1, argument: "a".to_owned() },
        deadline_us: 7,
    }));
    let bytes = postcard::to_allocvec(&state).unwrap();
    assert_eq!(postcard::from_bytes::<State>(&bytes).unwrap(), state);
}
