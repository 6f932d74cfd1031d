//! Init with a crowd of children: it holds them all, takes them through a re-exec, a fault and the death of core, tells of each end
//! once, and needs little memory for it. SYSMASTER_CHILDREN says how many: `npm run test:deaths` has 10,000.

mod support;

use nix::libc::{SIGKILL, SIGSEGV};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use support::{Core, Hello, Rig, id, wait_for};
use sysmaster_link::{Ended, ExecSpec, FromInit, Report, SPEC_VERSION, Stdio, ToInit};
use sysmaster_sys::signal::kill_child;

const CHILDREN: u64 = 200;
/// How many are asked for before the first of them is waited for.
const AT_ONCE: u64 = 64;
/// What init may need for one child in all its tables, and for writing them down once, in bytes.
const BYTES_A_CHILD: u64 = 3072;
/// And at all, with the buffers for the longest message.
const BYTES_AT_ALL: u64 = 4 << 20;
/// What it may keep of all that once they are gone: the ends of strangers, mostly.
const BYTES_AFTER: u64 = 1 << 20;

fn children() -> u64 {
    std::env::var("SYSMASTER_CHILDREN").ok().and_then(|word| word.parse().ok()).unwrap_or(CHILDREN)
}

/// Anonymous and shared memory of init, in bytes: its own, and what it has in memfds that are mapped.
fn memory(rig: &Rig) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", rig.pid())).unwrap();
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap() * 1024
    };
    of("RssAnon:") + of("RssShmem:")
}

fn word_of_its_line(rig: &Rig, word: &str) -> Option<String> {
    let words = std::fs::read_to_string(format!("/proc/{}/cmdline", rig.pid())).unwrap();
    words.split('\0').find_map(|one| one.strip_prefix(word).map(str::to_owned))
}

fn spawn(core: &Core, number: u64) {
    // It ends when nobody can write to the pipe any more.
    let path = "/bin/cat".to_owned();
    let spec = ExecSpec {
        version: SPEC_VERSION,
        path,
        argv: vec!["cat".to_owned()],
        stdin: Stdio::Fd(0),
        ..ExecSpec::default()
    };
    core.spawn(id(number), "crowd", &["go"], &spec);
}

/// Serials to pids of what runs.
fn held(hello: &Hello) -> BTreeMap<u64, i32> {
    assert!(hello.children.iter().all(|child| child.2), "all of them run their program");
    let held: BTreeMap<u64, i32> = hello.children.iter().map(|child| (child.0, child.3)).collect();
    assert_eq!(held.len(), hello.children.len(), "a child is told of twice");
    held
}

/// What waits to be heard besides that it is another init.
fn told_besides(core: &Core) -> Option<&Report> {
    core.waiting.iter().find_map(|(frame, _)| match frame {
        FromInit::Record(record) if !matches!(record.what, Report::Done { .. }) => Some(&record.what),
        _ => None,
    })
}

#[test]
fn a_crowd_of_children_is_held_and_each_end_is_told_of_once() {
    let count = children();
    let mut rig = Rig::start(&["CoreWatchdogSec=0", "CoreRestartIntensity=100", "LogTarget=null"]);
    let (mut core, _) = rig.ready_core();
    let (read_end, write_end) = rustix::pipe::pipe().unwrap();
    core.send(&ToInit::StoreFd { id: id(1_000_000), names: vec!["go".to_owned()] }, &[read_end.as_fd()]);
    drop(read_end);
    let before = memory(&rig);

    let mut started = BTreeMap::new();
    let (mut asked, mut running, mut last) = (0, 0, 0);
    while running < count {
        while asked < count && asked < running + AT_ONCE {
            spawn(&core, asked);
            asked += 1;
        }
        let (frame, _) = core.receive();
        let FromInit::Record(record) = frame else { continue };
        last = record.number;
        match record.what {
            Report::Forked { serial, pid, .. } => assert_eq!(started.insert(serial, pid), None),
            Report::Execed { .. } => running += 1,
            Report::SpawnFailed { step, errno, detail, .. } => panic!("step {step}, errno {errno}, {detail}"),
            _ => {}
        }
        if running % 1000 == 0 {
            core.send(&ToInit::Ack { through: last }, &[]);
        }
    }
    core.send(&ToInit::Ack { through: last }, &[]);
    core.settle();
    let grown = memory(&rig).saturating_sub(before);
    assert!(grown < BYTES_AT_ALL + count * BYTES_A_CHILD, "{grown} bytes for {count} children");

    // Another init, asked for and then after a fault: this core hears of nothing but that.
    core.send(&ToInit::ReexecInit { path: String::new() }, &[]);
    wait_for("the re-exec", || word_of_its_line(&rig, "--restore=").map(drop));
    core.settle();
    kill_child(rig.pid(), SIGSEGV).unwrap();
    wait_for("the return from a fault", || word_of_its_line(&rig, "--fault=").map(drop));
    core.settle();
    assert_eq!(told_besides(&core), None);

    // The next core finds all of them, and all of them are there.
    kill_child(core.pid, SIGKILL).unwrap();
    drop(core);
    let (mut core, hello) = rig.ready_core();
    assert_eq!(held(&hello), started);
    assert!(started.values().all(|pid| support::lives(*pid)));

    // All end at once, this core with them, and init faults amid that: the next one is told of each end.
    drop(write_end);
    core.record("the first end", |what| matches!(what, Report::Exited { .. }).then_some(()));
    kill_child(rig.pid(), SIGSEGV).unwrap();
    kill_child(core.pid, SIGKILL).unwrap();
    drop(core);
    let (mut core, hello) = rig.ready_core();
    let left = held(&hello);
    let mut ended = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    while (ended.len() as u64) < count {
        let (frame, _) = core.receive();
        let FromInit::Record(record) = frame else { continue };
        assert!(numbers.insert(record.number), "record {} is told twice", record.number);
        last = record.number;
        if let Report::Exited { serial, pid, ended: how, .. } = record.what {
            assert_eq!((started.get(&serial), how), (Some(&pid), Ended::Exited(0)));
            assert!(ended.insert(serial), "the end of {serial} is told twice");
        }
    }
    assert!(left.keys().all(|serial| ended.contains(serial)));
    core.send(&ToInit::Ack { through: last }, &[]);
    core.settle();
    let children = format!("/proc/{0}/task/{0}/children", rig.pid());
    wait_for("only core to be left", || {
        (std::fs::read_to_string(&children).unwrap().split_whitespace().count() == 1).then_some(())
    });
    // It gives memory back when nothing has happened for a while.
    wait_for("its memory to come down", || (memory(&rig).saturating_sub(before) < BYTES_AFTER).then_some(()));
    assert_eq!(told_besides(&core), None, "an end is told again");
    println!("{count} children");
    rig.end();
}
