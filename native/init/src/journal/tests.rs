//! Notes come back as they were, and the hand holds what was taken until it is noted.

use super::*;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use sysmaster_link::{Ended, StatusReport};

fn again(journal: &Journal) -> Journal {
    Journal::reopen(journal.memfd().try_clone_to_owned().unwrap()).unwrap()
}

fn exited(pid: i32) -> Event {
    Event::Exited { pid, start_time: 7, ended: Ended::Killed(9), black_box: Some(vec![1, 2]), left: Vec::new() }
}

#[test]
fn another_init_reads_the_notes_as_they_were_written() {
    let mut journal = Journal::new().unwrap();
    journal.begin(3);
    let report = StatusReport { step: 30, errno: 2, detail: "/x".to_owned() };
    let event = Event::ExecFailed { serial: 4, report };
    journal.note(None, &Note::Event { at_us: 1, event: &exited(5) });
    journal.note(Some(8), &Note::Message { at_us: 2, bytes: b"frame", fds: &[9, 8], truncated: true });
    journal.note(None, &Note::Outcome { at_us: 3, event: Some(&event), fds: &[10] });
    journal.note(None, &Note::Outcome { at_us: 4, event: None, fds: &[] });
    for note in [Note::LetGo, Note::Said, Note::Beat { at_us: 5 }, Note::Fault, Note::SetAside] {
        journal.note(None, &note);
    }
    let next = again(&journal);
    assert_eq!(next.generation(), 3);
    let expected: [Note; 10] = [
        Note::Event { at_us: 1, event: exited(5) },
        Note::Beat { at_us: 8 },
        Note::Message { at_us: 2, bytes: b"frame".to_vec(), fds: vec![9, 8], truncated: true },
        Note::Outcome { at_us: 3, event: Some(event), fds: vec![10] },
        Note::Outcome { at_us: 4, event: None, fds: Vec::new() },
        Note::LetGo,
        Note::Said,
        Note::Beat { at_us: 5 },
        Note::Fault,
        Note::SetAside,
    ];
    assert_eq!(next.notes(), expected);
    journal.begin(4);
    assert_eq!((next.notes(), next.generation(), next.hand()), (Vec::new(), 4, None));
}

#[test]
fn a_message_is_in_hand_from_the_moment_it_is_taken_until_it_is_noted() {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let mut journal = Journal::new().unwrap();
    journal.begin(1);
    let next = again(&journal);
    assert_eq!(next.hand(), None);
    assert!(journal.receive(ours.as_fd()).unwrap().is_none());
    assert_eq!(next.hand(), Some(Hand::Empty));
    journal.send(theirs.as_fd(), b"one", &[theirs.as_fd()]).unwrap();
    assert_eq!(next.hand(), Some(Hand::Said));
    let (told, fds) = journal.receive(ours.as_fd()).unwrap().unwrap();
    assert_eq!((journal.message(&told), fds.len()), (b"one".to_vec(), 1));
    assert_eq!(next.hand(), Some(Hand::Message(b"one".to_vec(), told.clone())));
    journal.note(None, &Note::Message { at_us: 0, bytes: b"one", fds: &told.fds, truncated: false });
    assert_eq!(next.hand(), None);
    drop(ours);
    assert!(journal.send(theirs.as_fd(), b"two", &[]).is_err());
    assert_eq!(next.hand(), Some(Hand::Empty));
}

#[test]
fn a_report_of_the_helper_is_in_hand_whole_and_the_end_of_its_pipe_is_not() {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
    let mut journal = Journal::new().unwrap();
    journal.begin(1);
    assert_eq!(journal.status(5, read.as_fd()).unwrap(), None);
    let bytes = StatusReport { step: 1, errno: 13, detail: "x".repeat(1024) }.to_bytes();
    rustix::io::write(&write, &bytes).unwrap();
    assert_eq!(journal.status(5, read.as_fd()).unwrap(), Some(bytes.clone()));
    assert_eq!(again(&journal).hand(), Some(Hand::Status(5, bytes)));
    drop(write);
    assert_eq!(journal.status(6, read.as_fd()).unwrap(), Some(Vec::new()));
    journal.note(None, &Note::Event { at_us: 0, event: &Event::Execed { serial: 6 } });
    assert_eq!(again(&journal).hand(), None);
}

#[test]
fn a_full_journal_says_so_by_being_long_and_begins_anew() {
    let mut journal = Journal::new().unwrap();
    journal.begin(1);
    let large = vec![1; 60_000];
    let mut count = 0;
    while !journal.is_long(usize::MAX) {
        journal.note(None, &Note::Message { at_us: 0, bytes: &large, fds: &[], truncated: false });
        count += 1;
        assert!(count < 100);
    }
    // Whoever goes on all the same loses notes, never memory of others.
    for _ in 0..10 {
        journal.note(None, &Note::Message { at_us: 0, bytes: &large, fds: &[], truncated: false });
    }
    let kept = again(&journal).notes().len();
    assert!(kept >= count && kept < count + 10, "{kept} of {count}");
    assert!(journal.is_long(0));
    journal.begin(2);
    journal.release().unwrap();
    assert!(!journal.is_long(0) && again(&journal).notes().is_empty());
    journal.note(None, &Note::Said);
    assert_eq!(again(&journal).notes(), [Note::Said]);
}

#[test]
fn what_is_no_journal_is_refused_and_what_is_no_note_ends_the_notes() {
    let memfd = memfd_create("other", MemfdFlags::CLOEXEC).unwrap();
    assert!(Journal::reopen(memfd.try_clone().unwrap()).is_err());
    ftruncate(&memfd, BYTES as u64).unwrap();
    assert!(Journal::reopen(memfd).is_err());
    let mut journal = Journal::new().unwrap();
    journal.begin(1);
    journal.note(None, &Note::Said);
    let end = journal.used();
    assert!(journal.append(end, &[3, 0, 0, 0, 200, 7, 7]));
    journal.note(None, &Note::Said);
    assert_eq!(journal.notes(), [Note::Said]);
    journal.begin(2);
    for length in 0..40_u8 {
        let end = journal.used();
        assert!(journal.append(end, &vec![length; usize::from(length)]));
        let _ = journal.notes();
    }
}
