//! Wherever the notes end, what they say comes out as it did while init ran.

use super::*;
use crate::state::tests::a_state;
use crate::state::{Core, Hang, Kind, Run};
use std::collections::BTreeMap;
use sysmaster_link::{EffectId, Ended, Report, ToInit, encode};

fn id(seq: u64) -> EffectId {
    EffectId { epoch: 1, seq, index: 0 }
}

fn message(frame: &ToInit, fds: &[RawFd]) -> Note {
    Note::Message { at_us: 5, bytes: encode(frame).unwrap(), fds: fds.to_vec(), truncated: false }
}

fn spawn() -> Note {
    message(&ToInit::Spawn { id: id(1), tag: "t".to_owned(), fds: vec!["log".to_owned()] }, &[20])
}

fn forked() -> Note {
    let event = Some(Event::Forked { serial: 1, pid: 77, start_time: 3 });
    Note::Outcome { at_us: 6, event, fds: vec![21, 22] }
}

fn run(notes: &[Note]) -> (State, Tables<RawFd>, Frontier) {
    let (mut state, mut tables) = (a_state(), Tables::default());
    let frontier = replay(&mut state, &mut tables, notes.to_vec());
    (state, tables, frontier)
}

#[test]
fn an_action_without_an_outcome_is_what_init_goes_on_with() {
    let (state, tables, frontier) = run(&[spawn()]);
    assert_eq!(frontier.work.actions, [Action::Spawn { serial: 1, fds: vec!["log".to_owned()] }]);
    assert_eq!((frontier.work.fds, frontier.gate), (VecDeque::from([20]), None));
    assert_eq!(state.children.get(&1).map(|child| child.pid), Some(0));
    assert!(tables.statuses.is_empty());
}

#[test]
fn a_child_whose_pid_is_noted_may_still_wait_at_its_gate() {
    let (state, tables, frontier) = run(&[spawn(), forked()]);
    assert!(frontier.work.is_done() && frontier.work.fds.is_empty(), "the spec was the helper's");
    assert_eq!(frontier.gate, Some(21));
    assert_eq!(tables.statuses, BTreeMap::from([(1, 22)]));
    assert_eq!(state.child_of_pid(77).map(|child| child.serial), Some(1));
    let told = state.records.front().map(|kept| kept.record.what.clone());
    assert!(matches!(told, Some(Report::Forked { pid: 77, .. })));
    // Once it was let go, the number may be anything's.
    assert_eq!(run(&[spawn(), forked(), Note::LetGo]).2.gate, None);
}

#[test]
fn an_exit_may_still_have_to_be_reaped_until_something_else_is_noted() {
    let exit = Note::Event {
        at_us: 9,
        event: Event::Exited { pid: 77, start_time: 3, ended: Ended::Exited(0), black_box: None, left: Vec::new() },
    };
    let (state, tables, frontier) = run(&[spawn(), forked(), Note::LetGo, exit.clone()]);
    assert_eq!(frontier.unreaped, Some(Unreaped { pid: 77, start_time: 3, is_core: false }));
    assert!(state.children.is_empty() && tables.statuses.is_empty());
    let (_, _, frontier) = run(&[spawn(), forked(), Note::LetGo, exit, Note::Beat { at_us: 10 }]);
    assert_eq!(frontier.unreaped, None);
}

#[test]
fn the_death_of_core_closes_its_link_and_what_was_stored_stays() {
    let mut state = a_state();
    state.apply(crate::state::Change::AddChild { kind: Kind::Core, since_us: 0 });
    let run = Run::Up { serial: 1, since_us: 0, ready: true, beat_by_us: None, hang: Hang::No };
    state.core = Core { run, ..state.core.clone() };
    let mut tables = Tables::default();
    tables.keep(&Event::Forked { serial: 1, pid: 70, start_time: 1 }, [11, 12]);
    state.apply(crate::state::Change::Forked { serial: 1, pid: 70, start_time: 1 });
    let names = vec!["a".to_owned(), "b".to_owned()];
    let notes = vec![
        message(&ToInit::StoreFd { id: id(2), names: names.clone() }, &[30, 31]),
        message(&ToInit::StoreFd { id: id(3), names: names[..1].to_vec() }, &[32]),
        message(&ToInit::DropFd { id: id(4), names: names[1..].to_vec() }, &[]),
        Note::Said,
        Note::Event {
            at_us: 2,
            event: Event::Exited {
                pid: 70,
                start_time: 1,
                ended: Ended::Killed(9),
                black_box: Some(Vec::new()),
                left: Vec::new(),
            },
        },
    ];
    let frontier = replay(&mut state, &mut tables, notes);
    assert_eq!(frontier.unreaped, Some(Unreaped { pid: 70, start_time: 1, is_core: true }));
    assert!(tables.link.is_none() && tables.statuses.is_empty());
    assert_eq!(tables.store, BTreeMap::from([("a".to_owned(), 32)]));
    assert!(matches!(state.core.run, Run::Waiting { .. }));
    // Words for a person are an action of the world as well.
    assert!(matches!(frontier.work.actions.front(), Some(Action::Say { .. })), "{:?}", frontier.work);
}

#[test]
fn what_is_said_goes_on_where_it_was() {
    let mut state = a_state();
    let mut tables = Tables { link: Some(crate::link::Link::new(3)), ..Tables::default() };
    let notes = [Note::Said, Note::Said, Note::Said, spawn(), forked(), Note::LetGo, Note::Said];
    let frontier = replay(&mut state, &mut tables, notes.to_vec());
    assert!(frontier.work.is_done());
    assert_eq!(state.next_unsent(), None);
    assert_eq!(tables.link.map(|link| link.progress.cursor), Some(crate::link::Cursor::Done));
}

#[test]
fn what_was_set_aside_is_not_decided_upon_again() {
    let faults = [Note::Fault, Note::Fault];
    assert_eq!(faults_at_the_end(&[&[spawn()][..], &faults].concat()), 2);
    let (state, _, frontier) = run(&[&[spawn()][..], &faults, &[Note::SetAside]].concat());
    assert!(frontier.work.is_done() && state.children.is_empty());
    let (state, tables, frontier) = run(&[&[spawn(), forked()][..], &faults, &[Note::SetAside]].concat());
    assert!(frontier.work.is_done() && state.by_pid.is_empty());
    assert_eq!(tables.statuses, BTreeMap::from([(1, 22)]), "what was opened has its owner");
    // What comes after it is as ever.
    let (state, _, _) = run(&[&[spawn()][..], &faults, &[Note::SetAside, spawn(), forked()]].concat());
    assert_eq!(state.child_of_pid(77).map(|child| child.serial), Some(1));
}

#[test]
fn notes_in_any_order_are_gone_through_without_a_panic() {
    let kinds = [
        spawn(),
        forked(),
        Note::LetGo,
        Note::Said,
        Note::Beat { at_us: 1 },
        Note::Fault,
        Note::SetAside,
        Note::Outcome { at_us: 1, event: None, fds: Vec::new() },
        Note::Event { at_us: 1, event: Event::Tick },
    ];
    let count = kinds.len();
    for number in 0..count.pow(4) {
        let notes: Vec<Note> = (0..4).map(|place| kinds[number / count.pow(place) % count].clone()).collect();
        run(&notes);
    }
}
