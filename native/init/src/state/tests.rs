//! Records, effects and their bounds.

use super::*;
use sysmaster_link::LEFT_MAX;

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

fn left(line: bool, pids: &[i32]) -> Change {
    let heirs = pids.iter().map(|pid| Heir { pid: *pid, start_time: 1, ended: None }).collect();
    let what = Report::Left { tag: "t|leaves".to_owned(), pid: 1, line, heirs };
    Change::Report { at_us: 1, id: Some(id(9)), what }
}

fn heir_ended(pid: i32, status: i32, next: Option<i32>) -> Change {
    let heir = Orphan { pid, start_time: 1, ended: Ended::Exited(status) };
    Change::HeirEnded { heir, next: next.map(|pid| (pid, 1)) }
}

fn heirs(state: &State) -> Vec<(i32, Option<Ended>)> {
    let heirs = |kept: &Kept| match &kept.record.what {
        Report::Left { heirs, .. } => heirs.clone(),
        _ => Vec::new(),
    };
    state.records.iter().flat_map(heirs).map(|heir| (heir.pid, heir.ended)).collect()
}

#[test]
fn a_line_of_heirs_ends_as_its_last_one_and_goes_into_the_ring_when_acknowledged() {
    let mut state = with([left(true, &[5]), heir_ended(5, 0, Some(6)), heir_ended(6, 3, Some(7)), done(1)]);
    let (well, badly) = (Ended::Exited(0), Ended::Exited(3));
    // What failed was the daemon, whoever it has left behind.
    assert_eq!(heirs(&state), [(5, Some(well)), (6, Some(badly))]);
    assert_eq!([5, 6, 7].map(|pid| state.heir_end(pid, 1)), [Some(badly), Some(badly), None]);
    assert_eq!(state.heir_end(5, 2), None);
    state.apply(Change::Ack(1));
    let ring: Vec<(i32, Ended)> = state.ring.iter().map(|orphan| (orphan.pid, orphan.ended)).collect();
    assert_eq!(ring, [(5, badly), (6, badly)]);
    assert_eq!(state.heir_end(5, 1), None);
}

#[test]
fn a_line_is_bounded_and_several_heirs_are_none() {
    let several = with([left(false, &[5, 6]), heir_ended(5, 0, Some(7))]);
    assert_eq!(heirs(&several), [(5, Some(Ended::Exited(0))), (6, None)]);
    let most = i32::try_from(LEFT_MAX).unwrap();
    let long = (1..most + 5).map(|pid| heir_ended(pid, 0, Some(pid + 1)));
    let state = with([left(true, &[1])].into_iter().chain(long));
    assert_eq!(heirs(&state).len(), LEFT_MAX);
    // An end that comes again, from the journal, changes nothing.
    let mut again = state.clone();
    again.apply(heir_ended(3, 9, Some(99)));
    assert_eq!(again, state);
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
