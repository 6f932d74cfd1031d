//! Init faults, by SIGSEGV or by a panic, at each boundary between two of its operations, in a life with spawns, exits, descriptors,
//! connections, signals, the death of core, a re-exec and the end: nobody can tell the difference.
//!
//! SYSMASTER_FAULTS says where: `all`, `pairs N SEED` (a second fault on the way back from the first), or a list as in `17:segv 18:panic,3:segv`.
//! Without it a sample is taken. docs/reference/crash-simulation.md has the rest.

mod support;

use nix::libc::{EPROTO, SIGHUP, SIGTERM};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{Core, Rig, id, shell, wait_for};
use sysmaster_link::{
    EffectId, ExecSpec, FromInit, Heir, KillTarget, LEAVES, ProcessRef, Record, Report, ShutdownKind, Stdio, ToInit,
};
use sysmaster_sys::signal::kill_child;

/// One boundary in so many is tried in the sample, by one kind of fault.
const SAMPLE: usize = 83;
const WORKERS: usize = 2;
/// How long init may take to come back from a fault at rest.
const SETTLING: Duration = Duration::from_secs(20);
/// Before it nothing has been saved, and there is nothing that could be lost.
const FIRST: usize = 3;

/// All that must be the same with and without a fault.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    /// What each core was told, in order.
    cores: Vec<Vec<String>>,
    /// What the services have done, in any order.
    proof: Vec<String>,
    /// How init has ended.
    status: Option<i32>,
    /// How many descriptors it had before that, and which children.
    fds: usize,
    children: usize,
}

/// A core that keeps what it is told.
struct Listener {
    core: Core,
    told: Vec<String>,
    numbers: Vec<u64>,
    cgroup_root: String,
}

impl Listener {
    fn new(core: Core) -> Self {
        Self { core, told: Vec::new(), numbers: Vec::new(), cgroup_root: String::new() }
    }

    /// Keep everything up to the first frame that this picks.
    fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&FromInit) -> Option<T>) -> T {
        for _ in 0..10_000 {
            let Some((frame, fds)) = self.core.read(support::PATIENCE) else { break };
            let picked = pick(&frame);
            let inodes: Vec<u64> =
                fds.into_iter().map(|fd| std::fs::File::from(fd).metadata().unwrap().ino()).collect();
            self.keep(frame, inodes.len());
            if let Some(picked) = picked {
                return picked;
            }
        }
        panic!("init never said: {what}; it said {:#?}", self.told);
    }

    fn keep(&mut self, frame: FromInit, fds: usize) {
        let words = match frame {
            // That another init has taken over is the only thing that may be told.
            FromInit::Record(Record { number, what: Report::Done { id: EffectId::REEXEC }, .. }) => {
                return self.numbers.push(number);
            }
            FromInit::Record(Record { number, what, .. }) => {
                self.numbers.push(number);
                format!("{:?}", without_pids(what))
            }
            FromInit::Hello { cores, safe_mode, stopping, deaths, epoch, cgroup_root, .. } => {
                self.cgroup_root = cgroup_root;
                let deaths: Vec<_> = deaths.into_iter().map(|death| (death.ended, death.hung, death.seq)).collect();
                format!("hello {cores} {safe_mode} {stopping:?} {epoch} {deaths:?}")
            }
            FromInit::HelloChild { id, tag, serial, execed, .. } => format!("child {id:?} {tag} {serial} {execed}"),
            FromInit::HelloEnd { orphans_dropped, .. } => format!("hello-end {orphans_dropped}"),
            other => format!("{other:?} with {fds}"),
        };
        self.told.push(words);
    }

    fn record<T>(&mut self, what: &str, mut pick: impl FnMut(&Report) -> Option<T>) -> T {
        self.until(what, |frame| match frame {
            FromInit::Record(Record { what, .. }) => pick(what),
            _ => None,
        })
    }

    fn done(&mut self, number: u64) {
        self.record("done", |what| matches!(what, Report::Done { id: found } if *found == id(number)).then_some(()));
    }

    fn hello(&mut self) {
        self.until("the end of the hello", |frame| matches!(frame, FromInit::HelloEnd { .. }).then_some(()));
        self.core.send(&ToInit::Ready, &[]);
    }

    fn spawn(&mut self, number: u64, fds: &[&str], spec: &ExecSpec) -> (u64, i32) {
        let tag = format!("t{number}{}", if spec.cgroups.is_empty() { "" } else { LEAVES });
        self.core.spawn(id(number), &tag, fds, spec);
        self.record("forked", |what| match what {
            Report::Forked { id: found, serial, pid, .. } if *found == id(number) => Some((*serial, *pid)),
            _ => None,
        })
    }

    fn execed(&mut self, wanted: u64) {
        self.record("execed", |what| matches!(what, Report::Execed { serial, .. } if *serial == wanted).then_some(()));
    }

    fn exited(&mut self, wanted: u64) {
        self.record("exited", |what| matches!(what, Report::Exited { serial, .. } if *serial == wanted).then_some(()));
    }

    /// Init has dealt with all it was sent. Once for each: a second answer would be told of in between.
    fn settle(&mut self) {
        self.core.send(&ToInit::FetchFds { names: Vec::new() }, &[]);
        self.until("an answer", |frame| matches!(frame, FromInit::Fds { last: true, .. }).then_some(()));
    }
}

/// What two runs have in common: pids and start times are not.
fn without_pids(what: Report) -> Report {
    match what {
        Report::Forked { id, tag, serial, .. } => Report::Forked { id, tag, serial, pid: 0, start_time: 0 },
        Report::Exited { tag, serial, ended, .. } => Report::Exited { tag, serial, pid: 0, ended },
        Report::WatchedExited { id, tag, ended, .. } => Report::WatchedExited { id, tag, pid: 0, ended },
        // Whether the end of an heir was noted by then is chance as well.
        Report::Left { tag, line, heirs, .. } => {
            let heirs = heirs.iter().map(|_| Heir { pid: 0, start_time: 0, ended: None }).collect();
            Report::Left { tag, pid: 0, line, heirs }
        }
        Report::Accepted { id, name, peer_uid, peer, .. } => Report::Accepted { id, name, peer_pid: 0, peer_uid, peer },
        other => other,
    }
}

fn noting(folder: &support::Folder, word: &str, rest: &str) -> ExecSpec {
    shell(&format!("echo {word} >> {}; {rest}", folder.path("proof").display()))
}

/// One life of a system. `faults`: as SYSMASTER_FAULT_AT; `log`: gets the boundaries; `usual`: how many descriptors it comes to have.
fn live(faults: &str, log: Option<&std::path::Path>, usual: Option<usize>) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sysmaster-init"));
    command.env("SYSMASTER_FAULT_AT", faults);
    if let Some(log) = log {
        command.env("SYSMASTER_FAULT_LOG", log);
    }
    let mut rig = Rig::start_as(command, &["CoreWatchdogSec=0", "LogTarget=null", "CoreRestartIntensity=1000"]);
    let mut cores = Vec::new();
    let mut core = Listener::new(rig.core());
    core.hello();
    core.core.send(&ToInit::Beat, &[]);

    // Descriptors are stored, one of them again, a listener among them.
    let (go, let_go) = rustix::pipe::pipe().unwrap();
    let path = rig.folder.path("listener");
    let listener = UnixListener::bind(&path).unwrap();
    let names = ["go", "listener", "spare"].map(str::to_owned).to_vec();
    core.core.send(&ToInit::StoreFd { id: id(1), names }, &[go.as_fd(), listener.as_fd(), go.as_fd()]);
    core.done(1);
    core.core.send(&ToInit::StoreFd { id: id(2), names: vec!["spare".to_owned()] }, &[listener.as_fd()]);
    core.done(2);
    drop((go, listener));
    core.core.send(&ToInit::FetchFds { names: ["go", "none", "spare"].map(str::to_owned).to_vec() }, &[]);
    core.until("two descriptors", |frame| matches!(frame, FromInit::Fds { last: true, .. }).then_some(()));

    // One that stays, one that ends, one that waits, one without a program, one without its descriptor.
    let (stays, _) = core.spawn(3, &[], &noting(&rig.folder, "stays", "exec sleep 1000"));
    core.execed(stays);
    let (ends, _) = core.spawn(4, &[], &noting(&rig.folder, "ends", "exit 3"));
    core.exited(ends);
    let waits = ExecSpec { stdin: Stdio::Fd(0), ..noting(&rig.folder, "waits", "read x; exit 5") };
    let (waits, _) = core.spawn(5, &["go"], &waits);
    core.execed(waits);
    let missing = ExecSpec { path: "/no/such/program".to_owned(), ..shell("") };
    let (missing, _) = core.spawn(6, &[], &missing);
    core.exited(missing);
    core.core.spawn(id(7), "t7", &["none"], &shell("exit 1"));
    core.record("no such descriptor", |what| matches!(what, Report::SpawnFailed { serial: None, .. }).then_some(()));
    // The same again is answered, and not done.
    core.core.spawn(id(7), "t7", &["none"], &shell("exit 1"));
    core.record("the same again", |what| matches!(what, Report::SpawnFailed { serial: None, .. }).then_some(()));
    let heard = core.numbers.last().copied().unwrap_or(0);
    core.core.send(&ToInit::Ack { through: heard }, &[]);
    core.core.send_bytes(&[1, 0, 99], &[]);
    core.until("a refusal", |frame| matches!(frame, FromInit::Refused { errno: EPROTO, .. }).then_some(()));

    // A daemon, which is told of when its parent ends, and watched.
    let pid_file = rig.folder.path("pid");
    let daemon = "exec 3<&0; sh -c 'echo $$ > PID.new; mv PID.new PID; read x <&3; exit 9' &"
        .replace("PID", pid_file.to_str().unwrap());
    let cgroups = Some(&core.cgroup_root).filter(|root| !root.is_empty()).map(|root| format!("{root}/daemon"));
    let cgroups = cgroups.into_iter().collect();
    let daemon = ExecSpec { stdin: Stdio::Fd(0), cgroups, ..noting(&rig.folder, "daemon", &daemon) };
    let (parent, _) = core.spawn(8, &["go"], &daemon);
    core.exited(parent);
    let daemon: i32 = wait_for("the daemon", || std::fs::read_to_string(&pid_file).ok()?.trim().parse().ok());
    core.core.send(&ToInit::Watch { id: id(9), tag: "daemon".to_owned(), pid: daemon, start_time: 0 }, &[]);
    core.done(9);

    // A connection is accepted, and served by a process that gets it.
    let mut client = UnixStream::connect(&path).unwrap();
    let accept = |number, listener: &str| ToInit::Accept {
        id: id(number),
        listener: listener.to_owned(),
        name: "client".to_owned(),
    };
    core.core.send(&accept(10, "listener"), &[]);
    core.record("accepted", |what| matches!(what, Report::Accepted { .. }).then_some(()));
    core.core.send(&accept(11, "none"), &[]);
    let serves = ExecSpec { stdout: Stdio::Fd(0), ..shell("echo served") };
    let (serves, _) = core.spawn(12, &["client"], &serves);
    core.exited(serves);
    core.core.send(&ToInit::DropFd { id: id(13), names: vec!["client".to_owned(), "spare".to_owned()] }, &[]);
    core.done(13);
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    assert_eq!(said, "served\n");

    // Signals, of init's to a child and of somebody's to init.
    let child = |serial| KillTarget::Process(ProcessRef::Child(serial));
    core.core.send(&ToInit::Kill { id: id(14), target: child(stays), signal: SIGTERM }, &[]);
    core.exited(stays);
    core.core.send(&ToInit::Kill { id: id(15), target: child(stays), signal: SIGTERM }, &[]);
    core.record("gone", |what| matches!(what, Report::Gone { .. }).then_some(()));
    kill_child(rig.pid(), SIGHUP).unwrap();
    core.record("a signal", |what| matches!(what, Report::Signal { .. }).then_some(()));

    // Core dies with something said and not heard; meanwhile two processes end.
    let last = noting(&rig.folder, "last", "exec sleep 1000");
    core.settle();
    core.core.spawn(id(16), "t16", &[], &last);
    core.core.exit(1);
    cores.push(core.told);
    drop(let_go);
    let mut core = Listener::new(rig.core());
    core.hello();
    let mut left = 3;
    core.record("two ends and a beginning", |what| {
        left -= i32::from(match what {
            Report::WatchedExited { .. } => true,
            Report::Exited { serial, .. } => *serial == waits,
            Report::Execed { id: found, .. } => *found == id(16),
            _ => false,
        });
        (left == 0).then_some(())
    });
    core.settle();
    // Its program runs, and may not have come far.
    let noted = || std::fs::read_to_string(rig.folder.path("proof")).is_ok_and(|proof| proof.contains("last"));
    wait_for("a note of the last one", || noted().then_some(()));
    // Which of the two ended first is chance, and whether it was before the hello, and how far the last one was by then.
    core.told.sort();
    cores.push(core.told.drain(..).filter(|line| !line.starts_with("child")).collect());

    // It is another init, and then the end.
    core.core.send(&ToInit::ReexecInit { path: String::new() }, &[]);
    core.until("the other init", |frame| {
        matches!(frame, FromInit::Record(Record { what: Report::Done { id: EffectId::REEXEC }, .. })).then_some(())
    });
    let (after, _) = core.spawn(17, &[], &noting(&rig.folder, "after", "exit 4"));
    core.exited(after);
    core.settle();
    let family = format!("/proc/{0}/task/{0}/children", rig.pid());
    let children = || std::fs::read_to_string(&family).unwrap().split_whitespace().count();
    // A helper that was never told to go on is on its way out.
    wait_for("two children", || (children() == 2).then_some(()));
    // The last fault may come now, while nothing is left to do.
    let count = || std::fs::read_dir(format!("/proc/{}/fd", rig.pid())).map_or(0, Iterator::count);
    let until = Instant::now() + SETTLING;
    while usual.is_some_and(|usual| usual != count()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let fds = count();
    core.core.send(
        &ToInit::Shutdown { kind: ShutdownKind::Exit, deadline_ms: 0, status: 7, argument: String::new(), now: true },
        &[],
    );
    let status = rig.wait().code();
    cores.push(core.told);
    let proof = std::fs::read_to_string(rig.folder.path("proof")).unwrap_or_default();
    let mut proof: Vec<String> = proof.lines().map(str::to_owned).collect();
    proof.sort();
    Told { cores, proof, status, fds, children: 2 }
}

fn differences(calm: &Told, told: &Told) -> String {
    let mut words = String::new();
    for (number, (before, after)) in calm.cores.iter().zip(&told.cores).enumerate() {
        let count = |lines: &[String]| {
            let mut counts = BTreeMap::<String, i32>::new();
            lines.iter().for_each(|line| *counts.entry(line.clone()).or_default() += 1);
            counts
        };
        let (before, after) = (count(before), count(after));
        for line in before.keys().chain(after.keys().filter(|line| !before.contains_key(*line))) {
            let (was, is) = (before.get(line).unwrap_or(&0), after.get(line).unwrap_or(&0));
            if was != is {
                writeln!(words, "  core {number}: {was} -> {is}: {line}").unwrap();
            }
        }
    }
    let rest = |told: &Told| format!("{:?} {:?} {} descriptors", told.proof, told.status, told.fds);
    if rest(calm) != rest(told) {
        writeln!(words, "  {} -> {}", rest(calm), rest(told)).unwrap();
    }
    if words.is_empty() { format!("  the order: {:#?}", told.cores) } else { words }
}

/// Which faults are asked for, of so many boundaries.
fn chosen(boundaries: usize) -> Vec<String> {
    let asked = std::env::var("SYSMASTER_FAULTS").unwrap_or_default();
    let mut words = asked.split_whitespace();
    match words.next() {
        None => (0..boundaries / SAMPLE)
            .map(|number| format!("{}:{}", FIRST + number * SAMPLE + number % SAMPLE, ["segv", "panic"][number % 2]))
            .collect(),
        Some("all") => (FIRST..=boundaries).flat_map(|at| ["segv", "panic"].map(|how| format!("{at}:{how}"))).collect(),
        Some("pairs") => {
            let count = words.next().and_then(|word| word.parse().ok()).unwrap_or(100_usize);
            let seed = words.next().and_then(|word| word.parse().ok()).unwrap_or(1_usize);
            // Any two that are apart, and most second ones soon after the first.
            (0..count)
                .map(|number| {
                    let mixed = (seed.wrapping_mul(7919).wrapping_add(number)).wrapping_mul(2_654_435_761);
                    format!("{}:segv,{}:panic", FIRST + mixed % boundaries, 1 + (mixed >> 13) % 24)
                })
                .collect()
        }
        Some(_) => asked.split_whitespace().map(str::to_owned).collect(),
    }
}

#[test]
fn a_fault_at_any_boundary_is_noticed_by_nobody() {
    if !cfg!(any(debug_assertions, feature = "fault-points")) {
        eprintln!("skipped: a release build has no boundaries to fault at; use --features fault-points");
        return;
    }
    let folder = support::Folder::new();
    let log = folder.path("boundaries");
    // The log is a descriptor more.
    live("", Some(&log), None);
    let calm = live("", None, None);
    let names: Vec<String> = std::fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
    assert!(calm.cores[0].len() > 20 && names.len() > 200, "{} boundaries, {calm:#?}", names.len());
    let todo = chosen(names.len());
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(faults) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let told = std::panic::catch_unwind(|| live(faults, None, Some(calm.fds)));
                    let why = match told {
                        Ok(told) if told == calm => continue,
                        Ok(told) => differences(&calm, &told),
                        Err(_) => "  it did not come to its end; see above".to_owned(),
                    };
                    let at = faults.split(':').next().and_then(|at| at.parse::<usize>().ok()).unwrap_or(0);
                    let name = names.get(at.wrapping_sub(1)).map_or("?", String::as_str);
                    let again = format!("SYSMASTER_FAULTS={faults} cargo test -p sysmaster-init --test faults");
                    let failure = format!("{faults} ({name}):\n{why}\n  run it: {again}");
                    eprintln!("FAILED {failure}");
                    failures.lock().unwrap().push(failure);
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    println!("{} boundaries, {} lives with a fault, {} failures", names.len(), todo.len(), failures.len());
    assert!(failures.is_empty(), "{} of {} lives:\n{}", failures.len(), todo.len(), failures.join("\n"));
}
