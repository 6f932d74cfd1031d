//! The life of core, and the end of init, as a subreaper.

mod support;

use nix::libc::{SIGABRT, SIGHUP, SIGKILL, SIGTERM};
use std::os::fd::AsFd;
use support::{Core, Rig, id, lives, shell, wait_for};
use sysmaster_init::spawn::spec_memfd;
use sysmaster_link::{Ended, ExecSpec, FromInit, Report, ShutdownKind, ToInit};
use sysmaster_sys::signal::kill_child;

fn shutdown(kind: ShutdownKind, deadline_ms: u32, status: u8, now: bool) -> ToInit {
    ToInit::Shutdown { kind, deadline_ms, status, argument: String::new(), now }
}

/// Signal a process of this test; it lives, so that its pid is its own.
fn signal(pid: i32, signal: i32) {
    kill_child(pid, signal).unwrap();
}

#[test]
fn the_next_core_is_told_everything_the_killed_one_had_not_acknowledged() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let (alive, alive_pid) = core.run(1, "exec sleep 1000");
    let (dead, _) = core.run(2, "exit 3");
    assert_eq!(core.exited(dead), Ended::Exited(3));
    core.spawn(id(3), "never", &["no such name"], &shell(""));
    core.record("spawn-failed", |what| matches!(what, Report::SpawnFailed { .. }).then_some(()));
    let file = std::fs::File::open("/dev/null").unwrap();
    core.send(&ToInit::StoreFd { id: id(4), names: vec!["kept".to_owned()] }, &[file.as_fd()]);
    core.record("done", |what| matches!(what, Report::Done { .. }).then_some(()));
    // Forked and execed of the first child are committed, all that follows is not.
    core.send(&ToInit::Ack { through: 2 }, &[]);
    signal(core.pid, SIGKILL);
    drop(core);

    let (mut core, hello) = rig.ready_core();
    let Some(FromInit::Hello { cores, safe_mode, deaths, epoch, .. }) = hello.first else { panic!("no hello") };
    assert_eq!((cores, safe_mode, epoch), (1, false, 1));
    assert_eq!(deaths.first().unwrap().ended, Some(Ended::Killed(SIGKILL)));
    assert_eq!(hello.children, [(alive, "t1".to_owned(), true, alive_pid)]);
    assert_eq!(hello.names, ["kept"]);
    assert_eq!(hello.records, 5);
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(core.expect("a record", |frame| match frame {
            FromInit::Record(record) => Some(record.number),
            _ => None,
        }));
    }
    assert_eq!(numbers, [3, 4, 5, 6, 7]);
    // Asked again for what is done, it is answered, and not done.
    core.spawn(id(2), "t2", &[], &shell("exit 99"));
    assert_eq!(core.exited(dead), Ended::Exited(3));
    assert!(lives(alive_pid));
    rig.end();
}

#[test]
fn what_a_core_said_before_it_died_is_carried_out_before_the_next_one_starts() {
    let mut rig = Rig::start(&[]);
    let (core, _) = rig.ready_core();
    signal(rig.pid(), nix::libc::SIGSTOP);
    let proof = rig.folder.path("proof");
    for number in 0..50 {
        let script = format!("echo {number} >> {}", proof.display());
        core.spawn(id(number), "late", &[], &shell(&script));
    }
    // Both its pipe's end and its exit are there when init looks again.
    signal(core.pid, SIGKILL);
    drop(core);
    signal(rig.pid(), nix::libc::SIGCONT);
    let (mut core, hello) = rig.ready_core();
    let mut spawned = 0;
    while spawned < 50 {
        core.record("forked", |what| matches!(what, Report::Forked { .. }).then_some(()));
        spawned += 1;
    }
    assert!(hello.records >= 50, "{} records", hello.records);
    wait_for("all to have run", || {
        (std::fs::read_to_string(&proof).unwrap_or_default().lines().count() == 50).then_some(())
    });
    rig.end();
}

#[test]
fn a_daemon_that_ends_before_init_has_seen_the_end_of_its_parent_is_told_with_how_it_ended() {
    let mut rig = Rig::start(&[]);
    let (mut core, hello) = rig.ready_core();
    let Some(FromInit::Hello { cgroup_root, .. }) = hello.first else { panic!("no hello") };
    if cgroup_root.is_empty() {
        eprintln!("no control groups here: nobody is told of");
        return rig.end();
    }
    let (pids, go) = (rig.folder.path("pids"), rig.folder.path("go"));
    let (pids_path, go_path) = (pids.display(), go.display());
    let script = format!(
        "(until grep -q ') Z ' /proc/$$/stat; do sleep 0.01; done; exit 3) & echo $$ $! > {pids_path}; \
         until [ -e {go_path} ]; do sleep 0.01; done; exit 0"
    );
    let cgroups = vec![format!("{cgroup_root}/leaving")];
    core.spawn(id(1), "t|leaves", &[], &ExecSpec { cgroups, ..shell(&script) });
    let [parent, daemon] = wait_for("their pids", || {
        let text = std::fs::read_to_string(&pids).ok()?;
        let found: Vec<i32> = text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
        <[i32; 2]>::try_from(found).ok().filter(|_| text.ends_with('\n'))
    });
    signal(rig.pid(), nix::libc::SIGSTOP);
    std::fs::write(&go, "").unwrap();
    wait_for("the end of both", || (!lives(parent) && !lives(daemon)).then_some(()));
    signal(rig.pid(), nix::libc::SIGCONT);
    let start_time = core.record("whom it has left", |what| match what {
        Report::Exited { .. } => panic!("its end comes after that"),
        Report::Left { tag, pid, line: true, heirs } => match heirs.as_slice() {
            [heir] => {
                assert_eq!((tag.as_str(), *pid, heir.pid), ("t|leaves", parent, daemon));
                Some(heir.start_time)
            }
            _ => panic!("{heirs:?}"),
        },
        _ => None,
    });
    core.record("its end", |what| matches!(what, Report::Exited { pid, .. } if *pid == parent).then_some(()));
    core.send(&ToInit::Watch { id: id(2), tag: "w".to_owned(), pid: daemon, start_time }, &[]);
    let ended = core.record("the daemon's end", |what| match what {
        Report::WatchedExited { ended, .. } => Some(*ended),
        _ => None,
    });
    assert_eq!(ended, Some(Ended::Exited(3)));
    rig.end();
}

#[test]
fn a_core_that_does_not_beat_is_aborted_then_killed_and_replaced() {
    let mut rig = Rig::start(&["CoreWatchdogSec=1", "CoreStartSec=1"]);
    let core = rig.core();
    // The fake core takes SIGABRT's default action: it dies of it.
    let (_next, hello) = rig.ready_core();
    let Some(FromInit::Hello { deaths, .. }) = hello.first else { panic!("no hello") };
    let death = deaths.first().unwrap();
    assert!(death.hung);
    assert!(matches!(death.ended, Some(Ended::Killed(SIGABRT) | Ended::Dumped(SIGABRT))), "{death:?}");
    drop(core);
    // A stopped one cannot even die of SIGABRT; after three seconds it gets SIGKILL.
    signal(_next.pid, nix::libc::SIGSTOP);
    let (_last, hello) = rig.ready_core();
    let Some(FromInit::Hello { deaths, .. }) = hello.first else { panic!("no hello") };
    let death = deaths.first().unwrap();
    assert!(death.hung);
    assert_eq!(death.ended, Some(Ended::Killed(SIGKILL)));
    rig.end();
}

#[test]
fn an_announced_exit_is_followed_at_once_and_not_counted() {
    let mut rig = Rig::start(&["CoreRestartIntensity=0"]);
    for cores in 0..4 {
        let (mut core, hello) = rig.ready_core();
        let Some(FromInit::Hello { cores: before, safe_mode, .. }) = hello.first else { panic!("no hello") };
        assert_eq!((before, safe_mode), (cores, false));
        core.send(&ToInit::ReexecCore, &[]);
        core.exit(0);
    }
    rig.end();
}

#[test]
fn past_the_restart_intensity_core_comes_back_in_safe_mode_and_then_as_the_previous_one() {
    let previous = env!("CARGO_BIN_EXE_sysmaster-fake-core");
    let mut rig = Rig::start(&["CoreRestartIntensity=1", &format!("PreviousCore={previous} previous")]);
    let mut seen = Vec::new();
    for _ in 0..5 {
        let mut core = rig.core();
        let Some(FromInit::Hello { safe_mode, .. }) = core.hello().first else { panic!("no hello") };
        let words = std::fs::read_to_string(format!("/proc/{}/cmdline", core.pid)).unwrap();
        seen.push((safe_mode, words.contains("previous")));
        // None of them is ever in charge.
        core.exit(1);
    }
    let (normal, safe, old) = ((false, false), (true, false), (true, true));
    assert_eq!(seen, [normal, normal, safe, safe, old]);
    rig.end();
}

#[test]
fn the_black_box_of_a_dead_core_is_in_the_next_hello() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let memfd = rustix::fs::memfd_create("blackbox", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut bytes = 77_u64.to_le_bytes().to_vec();
    bytes.extend([2, 11]);
    bytes.extend(b"web.service");
    bytes.resize(64, 0);
    rustix::io::write(&memfd, &bytes).unwrap();
    core.send(&ToInit::StoreFd { id: id(1), names: vec!["blackbox".to_owned()] }, &[memfd.as_fd()]);
    core.record("done", |what| matches!(what, Report::Done { .. }).then_some(()));
    core.exit(5);
    let (_core, hello) = rig.ready_core();
    let Some(FromInit::Hello { deaths, .. }) = hello.first else { panic!("no hello") };
    let death = deaths.first().unwrap();
    assert_eq!(death.ended, Some(Ended::Exited(5)));
    assert_eq!((death.seq, death.phase, death.actor.as_str(), death.hung), (77, 2, "web.service", false));
    rig.end();
}

#[test]
fn core_has_a_clean_environment_no_core_dumps_and_its_own_session() {
    let mut rig = Rig::start(&["CoreEnvironment=COLOUR=blue \"TWO=a b\""]);
    let (core, hello) = rig.ready_core();
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", core.pid)).unwrap();
    let environment = read("environ");
    let names: Vec<&str> = environment.split('\0').filter_map(|pair| pair.split('=').next()).collect();
    for name in ["PATH", "COLOUR", "TWO", "SYSMASTER_RUN_DIR"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert!(!names.contains(&"CARGO_MANIFEST_DIR"), "{names:?}");
    let limits = read("limits");
    let core_size = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert!(core_size.split_whitespace().take(2).eq(["0", "0"]), "{core_size}");
    let session = read("stat").rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap().to_owned();
    assert_eq!(session, core.pid.to_string());
    let Some(FromInit::Hello { cgroup_root, .. }) = hello.first else { panic!("no hello") };
    if !cgroup_root.is_empty() {
        assert!(read("cgroup").contains("/core.scope"));
    }
    rig.end();
}

#[test]
fn a_signal_to_init_is_kept_for_core_and_repeated_to_the_next_one() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let seen = |core: &mut Core, wanted: i32| {
        core.record("signal", |what| matches!(what, Report::Signal { signal } if *signal == wanted).then_some(()));
    };
    for number in [SIGHUP, SIGTERM, sysmaster_sys::signal::rtmin() + 4] {
        signal(rig.pid(), number);
        seen(&mut core, number);
    }
    core.exit(1);
    let (mut core, _) = rig.ready_core();
    seen(&mut core, SIGHUP);
    seen(&mut core, SIGTERM);
    rig.end();
}

#[test]
fn shutdown_now_ends_descendants_and_nobody_else_and_exits_with_the_status() {
    let mut rig = Rig::start(&["FinalKillSec=0.2"]);
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let (mut core, hello) = rig.ready_core();
    let pid_file = rig.folder.path("pid");
    let script = format!(
        "trap '' TERM; (trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > {0}.new; mv {0}.new {0}; while :; do sleep 1; done' &); \
         while :; do sleep 1; done",
        pid_file.display()
    );
    let (_, child) = core.run(1, &script);
    let daemon: i32 = wait_for("the daemon", || std::fs::read_to_string(&pid_file).ok()).trim().parse().unwrap();
    core.send(&shutdown(ShutdownKind::Exit, 0, 42, true), &[]);
    assert_eq!(rig.wait().code(), Some(42));
    assert!(!lives(child) && !lives(daemon) && !lives(core.pid), "something of init's own lives on");
    assert!(stranger.try_wait().unwrap().is_none(), "a stranger was killed");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    let Some(FromInit::Hello { cgroup_root, .. }) = hello.first else { panic!("no hello") };
    assert!(cgroup_root.is_empty() || !std::path::Path::new(&cgroup_root).exists(), "init leaves its groups behind");
}

#[test]
fn core_is_restarted_in_the_stop_phase_and_told_to_go_on_with_it() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    core.send(&shutdown(ShutdownKind::Reboot, 600_000, 0, false), &[]);
    core.exit(1);
    let (core, hello) = rig.ready_core();
    assert!(matches!(hello.first, Some(FromInit::Hello { stopping: Some(ShutdownKind::Reboot), .. })));
    core.send(&shutdown(ShutdownKind::Reboot, 0, 0, true), &[]);
    assert_eq!(rig.wait().code(), Some(i32::from(sysmaster_init::ending::REBOOT_STATUS)));
}

#[test]
fn past_the_deadline_of_the_stop_phase_init_ends_by_itself() {
    let mut rig = Rig::start(&[]);
    let (core, _) = rig.ready_core();
    core.send(&shutdown(ShutdownKind::Exit, 100, 9, false), &[]);
    assert_eq!(rig.wait().code(), Some(9));
}

#[test]
fn a_second_term_in_the_stop_phase_ends_init_at_once() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    signal(rig.pid(), SIGTERM);
    core.record("signal", |what| matches!(what, Report::Signal { .. }).then_some(()));
    core.send(&shutdown(ShutdownKind::Exit, 600_000, 11, false), &[]);
    // Init has read the frame when it has answered the next one.
    core.send(&ToInit::FetchFds { names: Vec::new() }, &[]);
    core.expect("the answer", |frame| matches!(frame, FromInit::Fds { .. }).then_some(()));
    signal(rig.pid(), SIGTERM);
    assert_eq!(rig.wait().code(), Some(11));
}

#[test]
fn without_a_core_that_lives_init_answers_term_itself() {
    let mut rig = Rig::start(&["CoreRestartIntensity=0"]);
    // Normal, safe, emergency.
    for _ in 0..2 {
        let (mut core, _) = rig.ready_core();
        core.exit(1);
    }
    // Whenever it comes, before the emergency or in it, nobody but init is left to obey it.
    signal(rig.pid(), SIGTERM);
    assert_eq!(rig.wait().code(), Some(0));
}

#[test]
fn children_have_the_soft_limit_on_descriptors_that_init_was_given() {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -S -n 777; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_sysmaster-init")]);
    let mut rig = Rig::start_as(command, &[]);
    let (mut core, _) = rig.ready_core();
    let proof = rig.folder.path("proof");
    let (serial, _) = core.run(1, &format!("ulimit -S -n > {}", proof.display()));
    core.exited(serial);
    assert_eq!(std::fs::read_to_string(proof).unwrap(), "777\n");
    let own = std::fs::read_to_string(format!("/proc/{}/limits", rig.pid())).unwrap();
    let soft: u64 = own
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap();
    assert!(soft > 777, "init's own limit is not raised: {soft}");
    rig.end();
}

#[test]
fn a_missing_core_or_helper_is_one_message_and_an_exit_status() {
    let init = env!("CARGO_BIN_EXE_sysmaster-init");
    let folder = support::Folder::new();
    for (settings, words) in [("", "no core is configured"), ("Core=/bin/true\nExec=/no/such/exec", "/no/such/exec")] {
        let file = folder.path("init.conf");
        std::fs::write(&file, format!("RunDir={}\n{settings}\n", folder.path("run").display())).unwrap();
        let output = std::process::Command::new(init).arg("--config").arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(words), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn unknown_keys_are_said_with_their_line_and_do_no_harm() {
    let mut rig = Rig::start(&["Colour=blue"]);
    let (_core, hello) = rig.ready_core();
    assert!(hello.first.is_some());
    rig.end();
}

#[test]
fn a_spec_that_is_garbage_costs_one_spawn() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let memfd = rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::io::write(&memfd, &[0xee; 100]).unwrap();
    core.send(&ToInit::Spawn { id: id(1), tag: "g".to_owned(), fds: Vec::new() }, &[memfd.as_fd()]);
    core.record("spawn-failed", |what| matches!(what, Report::SpawnFailed { serial: Some(_), .. }).then_some(()));
    let good = spec_memfd(&ExecSpec { ..shell("exit 0") }).unwrap();
    core.send(&ToInit::Spawn { id: id(2), tag: "g".to_owned(), fds: Vec::new() }, &[good.as_fd()]);
    core.record("execed", |what| matches!(what, Report::Execed { id: found, .. } if *found == id(2)).then_some(()));
    rig.end();
}
