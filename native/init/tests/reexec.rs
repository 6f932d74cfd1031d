//! Re-exec of init under load: nothing may be lost, and core notices nothing.

mod support;

use nix::libc::{SIGKILL, SIGSEGV};
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use support::{Core, PATIENCE, Rig, id, lives, shell, wait_for};
use sysmaster_link::{ExecSpec, FromInit, Report, ToInit};
use sysmaster_sys::signal::kill_child;

const CHILDREN: u64 = 1000;
const EXITING: u64 = 50;
const HANGING: u64 = 3;
const STORED: usize = 100;

fn reexec() -> ToInit {
    ToInit::ReexecInit { path: String::new() }
}

/// Init's command line says how it came to be.
fn is_restored(rig: &Rig) -> bool {
    let words = std::fs::read_to_string(format!("/proc/{}/cmdline", rig.pid())).unwrap();
    words.contains("--restore=")
}

fn fault_count(rig: &Rig) -> Option<String> {
    let words = std::fs::read_to_string(format!("/proc/{}/cmdline", rig.pid())).unwrap();
    words.split('\0').find_map(|word| word.strip_prefix("--fault=").map(str::to_owned))
}

fn record_numbers(
    core: &mut Core,
    until: impl Fn(&BTreeSet<u64>) -> bool,
    check: &mut dyn FnMut(&Report),
) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    while !until(&numbers) {
        let (frame, _) = match core.waiting.pop_front() {
            Some(frame) => frame,
            None => core.read(PATIENCE).expect("more records"),
        };
        if let FromInit::Record(record) = frame {
            check(&record.what);
            numbers.insert(record.number);
        }
    }
    numbers
}

#[test]
fn a_re_exec_under_load_loses_nothing() {
    let mut rig = Rig::start(&["CoreWatchdogSec=0"]);
    let (mut core, _) = rig.ready_core();
    let go = rig.folder.path("go");
    // Those that exit during the exec wait for the end of a pipe that all of them hold.
    let (read_end, write_end) = rustix::pipe::pipe().unwrap();
    core.send(&ToInit::StoreFd { id: id(1_000_000), names: vec!["go".to_owned()] }, &[read_end.as_fd()]);
    drop(read_end);
    for number in 0..CHILDREN {
        let exiting = number < EXITING;
        let spec = if exiting {
            let argv = ["/bin/sh", "-c", "read x; exit 5"].map(str::to_owned).to_vec();
            ExecSpec { stdin: sysmaster_link::Stdio::Fd(0), argv, ..shell("") }
        } else {
            let argv = ["sleep", "100000"].map(str::to_owned).to_vec();
            ExecSpec { path: "/bin/sleep".to_owned(), argv, ..shell("") }
        };
        core.spawn(id(number), &format!("c{number}"), if exiting { &["go"] } else { &[] }, &spec);
        // Read along, as a core does.
        core.record("execed", |what| {
            matches!(what, Report::Execed { id: found, .. } if *found == id(number)).then_some(())
        });
    }
    // Three that hang between forked and execed: their helper waits for a reader of a FIFO.
    let fifo = rig.folder.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for number in CHILDREN..CHILDREN + HANGING {
        let stdout = sysmaster_link::Stdio::File { path: fifo.display().to_string(), append: false, truncate: false };
        core.spawn(id(number), "hanging", &[], &ExecSpec { stdout, ..shell("exit 6") });
        core.record("forked", |what| {
            matches!(what, Report::Forked { id: found, .. } if *found == id(number)).then_some(())
        });
    }
    // A hundred descriptors, one of them a listener under load.
    let path = rig.folder.path("listener");
    let listener = UnixListener::bind(&path).unwrap();
    let null = std::fs::File::open("/dev/null").unwrap();
    let mut names: Vec<String> = (1..STORED).map(|number| format!("fd{number:03}")).collect();
    names.push("listener".to_owned());
    let mut fds = vec![null.as_fd(); STORED - 1];
    fds.push(listener.as_fd());
    core.send(&ToInit::StoreFd { id: id(2_000_000), names }, &fds);
    core.record("done", |what| matches!(what, Report::Done { id: found } if *found == id(2_000_000)).then_some(()));
    drop(listener);
    let loading = std::thread::spawn({
        let (path, go) = (path.clone(), go.clone());
        move || {
            let mut clients = Vec::new();
            while !go.exists() {
                // A full queue makes this wait, as a client would.
                clients.push(UnixStream::connect(&path).unwrap());
                if clients.len() >= 100 {
                    break;
                }
            }
            clients
        }
    });

    // Half a hello: this core dies, and the next one does not read; its link holds fewer than 278 small frames.
    core.exit(1);
    drop(core);
    let mut core = rig.core();
    // The exec happens while init has a thousand children to tell of, and cannot.
    core.send(&reexec(), &[]);
    drop(write_end);
    wait_for("the re-exec", || is_restored(&rig).then_some(()));

    let hello = core.hello();
    let serials: BTreeSet<u64> = hello.children.iter().map(|child| child.0).collect();
    assert_eq!(serials.len(), hello.children.len(), "a child is told of twice");
    assert_eq!(hello.names.len(), STORED + 1);
    core.send(&ToInit::Ready, &[]);
    // Every exit of the fifty is reported, whether it was before, during or after the exec.
    let mut exits = BTreeSet::new();
    let mut forked = BTreeSet::new();
    let mut execed = BTreeSet::new();
    while (exits.len() as u64) < EXITING {
        let (frame, _) = core.receive();
        if let FromInit::Record(record) = frame {
            match record.what {
                Report::Exited { serial, ended, .. } => {
                    assert_eq!(ended, sysmaster_link::Ended::Exited(5));
                    assert!(exits.insert(serial), "an exit is told of twice");
                }
                Report::Forked { id, .. } => {
                    forked.insert(id.seq);
                }
                Report::Execed { id, .. } => {
                    execed.insert(id.seq);
                }
                _ => {}
            }
        }
    }
    // Nothing was acknowledged, so that everything is told again.
    let told = (0..CHILDREN).filter(|number| forked.contains(number) && execed.contains(number)).count() as u64;
    assert_eq!(told, CHILDREN);
    assert!((CHILDREN..CHILDREN + HANGING).all(|number| forked.contains(&number) && !execed.contains(&number)));
    // Every child is known: those that live are in the hello, those that do not in the records.
    assert!(serials.union(&exits).count() as u64 >= CHILDREN + HANGING);
    // The three go on where they were, and their status pipes work.
    let reader = std::fs::File::open(&fifo).unwrap();
    for number in CHILDREN..CHILDREN + HANGING {
        core.record("execed", |what| {
            matches!(what, Report::Execed { id: found, .. } if *found == id(number)).then_some(())
        });
    }
    for _ in 0..HANGING {
        core.record("exited", |what| {
            matches!(what, Report::Exited { ended: sysmaster_link::Ended::Exited(6), .. }).then_some(())
        });
    }
    drop(reader);
    // The listener has lost no client.
    std::fs::write(&go, "").unwrap();
    for number in 0..100 {
        loop {
            let accept = ToInit::Accept {
                id: id(3_000_000 + number),
                listener: "listener".to_owned(),
                name: format!("connection{number}"),
            };
            core.send(&accept, &[]);
            let accepted = core.record("an answer", |what| match what {
                Report::Accepted { .. } => Some(true),
                Report::Failed { .. } => Some(false),
                _ => None,
            });
            if accepted || loading.is_finished() {
                break;
            }
        }
    }
    loading.join().unwrap();
    // Repeated after all that, a spawn is not done again.
    core.spawn(id(EXITING), "c", &[], &shell("exit 99"));
    core.record("forked", |what| {
        matches!(what, Report::Forked { id: found, .. } if *found == id(EXITING)).then_some(())
    });
    rig.end();
}

#[test]
fn a_re_exec_keeps_numbers_watches_and_the_link_and_core_does_not_notice() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let (first, pid) = core.run(1, "exec sleep 1000");
    let start_time = sysmaster_init::process::start_time(pid);
    core.send(&ToInit::Watch { id: id(2), tag: "w".to_owned(), pid, start_time }, &[]);
    core.record("done", |what| matches!(what, Report::Done { .. }).then_some(()));
    for _ in 0..3 {
        // Addresses are new at each execve.
        let addresses = || std::fs::read_to_string(format!("/proc/{}/maps", rig.pid())).unwrap();
        let before = addresses().lines().next().unwrap().to_owned();
        core.send(&reexec(), &[]);
        core.send(&ToInit::FetchFds { names: Vec::new() }, &[]);
        core.expect("an answer", |frame| matches!(frame, FromInit::Fds { .. }).then_some(()));
        wait_for("the re-exec", || (is_restored(&rig) && !addresses().starts_with(&before)).then_some(()));
    }
    let (second, _) = core.run(3, "exec sleep 1000");
    assert!(second > first);
    kill_child(pid, SIGKILL).unwrap();
    core.record("watched-exited", |what| matches!(what, Report::WatchedExited { ended: Some(_), .. }).then_some(()));
    let records = record_numbers(&mut core, |numbers| !numbers.is_empty(), &mut |_| ());
    assert!(records.iter().all(|number| *number > 3));
    assert!(lives(core.pid));
    rig.end();
}

#[test]
fn a_program_that_does_not_understand_the_state_is_refused_and_init_goes_on() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let before = rig.count_fds(&mut core);
    for path in ["/bin/false", "/no/such/init", "/etc/passwd"] {
        core.send(&ToInit::ReexecInit { path: path.to_owned() }, &[]);
        let (_, errno) = core.refused();
        assert_eq!(errno, nix::libc::ENOEXEC, "{path}");
    }
    core.send(&ToInit::ReexecInit { path: "relative".to_owned() }, &[]);
    assert_eq!(core.refused().1, nix::libc::EINVAL);
    core.run(1, "exit 0");
    wait_for("the descriptors to be closed", || (rig.count_fds(&mut core) == before).then_some(()));
    assert!(!is_restored(&rig));
    rig.end();
}

#[test]
fn a_fault_in_init_brings_it_back_on_its_last_state_and_the_fourth_one_stands_still() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let (serial, pid) = core.run(1, "exec sleep 1000");
    for count in 1..=3 {
        kill_child(rig.pid(), SIGSEGV).unwrap();
        wait_for("init to come back", || (fault_count(&rig)? == count.to_string()).then_some(()));
        let (next, _) = core.run(10 + count, "exec sleep 1000");
        assert!(next > serial);
    }
    assert!(lives(pid) && lives(core.pid));
    kill_child(rig.pid(), SIGSEGV).unwrap();
    // It stands still: alive, with everything it holds, but it answers nothing.
    wait_for("init to stand still", || {
        let wchan = std::fs::read_to_string(format!("/proc/{}/syscall", rig.pid())).ok()?;
        wchan.starts_with(&format!("{} ", nix::libc::SYS_pause)).then_some(())
    });
    assert!(lives(rig.pid()) && lives(pid));
    rig.destroy();
}
