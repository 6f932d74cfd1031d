//! What core can rely on, played against the real init as a subreaper.

mod support;

use nix::libc::{EAGAIN, EINVAL, ENOENT, EOPNOTSUPP, EPROTO, SIGKILL, SIGTERM, SIGUSR1};
use std::os::fd::AsFd;
use support::{Rig, id, lives, shell, wait_for};
use sysmaster_link::{
    Ended, ExecSpec, ExecStep, FDS_MAX, FromInit, KillTarget, ProcessRef, Report, Role, ShutdownKind, ToInit,
};

#[test]
fn a_spawn_is_reported_forked_then_execed_then_exited() {
    let mut rig = Rig::start(&[]);
    let (mut core, hello) = rig.ready_core();
    assert!(matches!(hello.first, Some(FromInit::Hello { role: Role::Subreaper, cores: 0, safe_mode: false, .. })));
    core.spawn(id(1), "one", &[], &shell("exit 7"));
    let (serial, pid) = core.record("forked", |what| match what {
        Report::Forked { id: found, tag, serial, pid, start_time } if *found == id(1) => {
            assert_eq!(tag, "one");
            assert!(*start_time > 0);
            Some((*serial, *pid))
        }
        _ => None,
    });
    let execed = core.record("execed", |what| match what {
        Report::Execed { serial, .. } => Some(*serial),
        _ => None,
    });
    assert_eq!(execed, serial);
    let exited = core.record("exited", |what| match what {
        Report::Exited { tag, serial, pid, ended } => Some((tag.clone(), *serial, *pid, *ended)),
        _ => None,
    });
    assert_eq!(exited, ("one".to_owned(), serial, pid, Ended::Exited(7)));
    rig.end();
}

#[test]
fn a_program_that_cannot_be_executed_is_spawn_failed_with_its_step_and_then_exited() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let spec = ExecSpec { path: "/no/such/program".to_owned(), ..shell("") };
    core.spawn(id(1), "none", &[], &spec);
    let serial = core.record("spawn-failed", |what| match what {
        Report::SpawnFailed { serial, step, errno, .. } => {
            assert_eq!((*step, *errno), (ExecStep::Exec as u16, ENOENT));
            Some(serial.expect("it was forked"))
        }
        _ => None,
    });
    assert_eq!(core.exited(serial), Ended::Exited(203));
    rig.end();
}

#[test]
fn a_helper_killed_before_its_program_runs_is_spawn_failed_and_not_execed() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    // Opening a FIFO for writing waits for a reader: the helper hangs there, as it might on a dead network mount.
    let fifo = rig.folder.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let stdout = sysmaster_link::Stdio::File { path: fifo.display().to_string(), append: false, truncate: false };
    core.spawn(id(1), "hangs", &[], &ExecSpec { stdout, ..shell("") });
    let serial = core.record("forked", |what| match what {
        Report::Forked { serial, .. } => Some(*serial),
        _ => None,
    });
    let target = KillTarget::Process(ProcessRef::Child(serial));
    core.send(&ToInit::Kill { id: id(2), target, signal: SIGKILL }, &[]);
    core.record("spawn-failed", |what| match what {
        Report::Execed { .. } => panic!("it never became its program"),
        Report::SpawnFailed { serial: failed, .. } => {
            assert_eq!(*failed, Some(serial));
            Some(())
        }
        _ => None,
    });
    assert_eq!(core.exited(serial), Ended::Killed(SIGKILL));
    rig.end();
}

#[test]
fn a_spawn_with_an_unknown_descriptor_name_fails_before_the_fork() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    core.spawn(id(1), "x", &["nobody"], &shell(""));
    core.record("spawn-failed", |what| match what {
        Report::SpawnFailed { serial: None, step: 0, errno: ENOENT, detail, .. } => {
            assert_eq!(detail, "nobody");
            Some(())
        }
        _ => None,
    });
    rig.end();
}

#[test]
fn a_repeated_spawn_is_answered_with_the_kept_outcome_and_never_done_twice() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let proof = rig.folder.path("proof");
    let script = format!("echo x >> {}; exec sleep 1000", proof.display());
    let (serial, pid) = core.run(1, &script);
    wait_for("the proof", || (std::fs::read_to_string(&proof).ok()? == "x\n").then_some(()));
    let forked = |core: &mut support::Core| {
        core.record("forked again", |what| match what {
            Report::Forked { serial, pid, .. } => Some((*serial, *pid)),
            _ => None,
        })
    };
    core.spawn(id(1), "t1", &[], &shell(&script));
    assert_eq!(forked(&mut core), (serial, pid));
    core.record("execed again", |what| matches!(what, Report::Execed { .. }).then_some(()));
    // Acknowledged, but alive: it is still known.
    core.send(&ToInit::Ack { through: 2 }, &[]);
    core.spawn(id(1), "t1", &[], &shell(&script));
    assert_eq!(forked(&mut core), (serial, pid));
    core.record("execed again", |what| matches!(what, Report::Execed { .. }).then_some(()));
    let target = KillTarget::Process(ProcessRef::Child(serial));
    core.send(&ToInit::Kill { id: id(2), target, signal: SIGKILL }, &[]);
    assert_eq!(core.exited(serial), Ended::Killed(SIGKILL));
    // Dead, but not acknowledged: the exit is the answer.
    core.spawn(id(1), "t1", &[], &shell(&script));
    assert_eq!(core.exited(serial), Ended::Killed(SIGKILL));
    assert_eq!(std::fs::read_to_string(proof).unwrap(), "x\n");
    rig.end();
}

#[test]
fn a_kill_reaches_a_child_once_and_nobody_when_it_is_gone() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let proof = rig.folder.path("proof");
    let script = format!("trap 'echo x >> {}' USR1; echo >> {0}; while :; do sleep 0.01; done", proof.display());
    let (serial, _) = core.run(1, &script);
    wait_for("the trap", || std::fs::metadata(&proof).ok());
    let kill = |number, signal| {
        let target = KillTarget::Process(ProcessRef::Child(serial));
        ToInit::Kill { id: id(number), target, signal }
    };
    for _ in 0..3 {
        core.send(&kill(2, SIGUSR1), &[]);
        core.record("signalled", |what| matches!(what, Report::Signalled { count: 1, .. }).then_some(()));
    }
    let proven = || std::fs::read_to_string(&proof).unwrap();
    wait_for("the signal to be handled", || (proven() == "\nx\n").then_some(()));
    core.send(&kill(3, SIGTERM), &[]);
    assert_eq!(core.exited(serial), Ended::Killed(SIGTERM));
    core.send(&kill(4, SIGTERM), &[]);
    core.record("gone", |what| match what {
        Report::Gone { id: found } => {
            assert_eq!(*found, id(4));
            Some(())
        }
        _ => None,
    });
    assert_eq!(proven(), "\nx\n", "three times the same effect is one signal");
    rig.end();
}

#[test]
fn a_process_of_the_same_pid_but_another_start_time_is_never_signalled() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let (_, pid) = core.run(1, "exec sleep 1000");
    let target = KillTarget::Process(ProcessRef::Watched(pid, 1));
    core.send(&ToInit::Kill { id: id(2), target, signal: SIGKILL }, &[]);
    core.record("gone", |what| matches!(what, Report::Gone { .. }).then_some(()));
    assert!(lives(pid));
    let start_time = sysmaster_init::process::start_time(pid);
    let target = KillTarget::Process(ProcessRef::Watched(pid, start_time));
    core.send(&ToInit::Kill { id: id(3), target, signal: SIGKILL }, &[]);
    core.record("signalled", |what| matches!(what, Report::Signalled { count: 1, .. }).then_some(()));
    rig.end();
}

#[test]
fn a_group_is_signalled_with_all_below_it_but_for_the_exceptions() {
    let mut rig = Rig::start(&[]);
    let mut core = rig.core();
    let hello = core.hello();
    let Some(FromInit::Hello { cgroup_root, .. }) = hello.first else { panic!("no hello") };
    if cgroup_root.is_empty() {
        eprintln!("no control groups here: groups are refused, which is shown instead");
        let target = KillTarget::Group { path: "g".to_owned(), except: Vec::new() };
        core.send(&ToInit::Kill { id: id(1), target, signal: SIGTERM }, &[]);
        core.record("failed", |what| matches!(what, Report::Failed { errno: EOPNOTSUPP, .. }).then_some(()));
        return rig.end();
    }
    let mut serials = Vec::new();
    for (number, group) in [(1, "g"), (2, "g/below"), (3, "g"), (4, "other")] {
        let cgroups = vec![format!("{cgroup_root}/{group}")];
        core.spawn(id(number), group, &[], &ExecSpec { cgroups, ..shell("exec sleep 1000") });
        let serial = core.record("execed", |what| match what {
            Report::Execed { serial, .. } => Some(*serial),
            _ => None,
        });
        serials.push(serial);
    }
    let kill = |number, signal, except: &[u64]| {
        let except = except.iter().map(|serial| ProcessRef::Child(*serial)).collect();
        ToInit::Kill { id: id(number), target: KillTarget::Group { path: "g".to_owned(), except }, signal }
    };
    let count = |core: &mut support::Core| {
        core.record("signalled", |what| match what {
            Report::Signalled { count, .. } => Some(*count),
            Report::Failed { errno, .. } => panic!("failed: {errno}"),
            _ => None,
        })
    };
    core.send(&kill(5, SIGTERM, &serials[2..3]), &[]);
    assert_eq!(count(&mut core), 2);
    assert_eq!(core.exited(serials[0]), Ended::Killed(SIGTERM));
    assert_eq!(core.exited(serials[1]), Ended::Killed(SIGTERM));
    core.send(&kill(6, SIGKILL, &[]), &[]);
    assert_eq!(count(&mut core), 1);
    assert_eq!(core.exited(serials[2]), Ended::Killed(SIGKILL));
    core.send(&kill(7, SIGKILL, &[]), &[]);
    core.record("gone", |what| matches!(what, Report::Gone { .. }).then_some(()));
    for path in ["", "/g", "g/../..", "g//x", "."] {
        let target = KillTarget::Group { path: path.to_owned(), except: Vec::new() };
        core.send(&ToInit::Kill { id: id(8), target, signal: SIGTERM }, &[]);
        assert_eq!(core.refused(), (Some(id(8)), EINVAL));
    }
    rig.end();
    assert!(!std::path::Path::new(&cgroup_root).exists(), "init leaves its groups behind");
}

#[test]
fn an_inherited_process_that_is_watched_is_reported_with_its_status() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let (pid_file, go) = (rig.folder.path("pid"), rig.folder.path("go"));
    // A daemon: its parent ends, and init inherits it.
    let script = format!(
        "sh -c 'echo $$ > {0}.new; mv {0}.new {0}; while [ ! -e {1} ]; do sleep 0.01; done; exit 9' & exit 0",
        pid_file.display(),
        go.display()
    );
    let (serial, _) = core.run(1, &script);
    assert_eq!(core.exited(serial), Ended::Exited(0));
    let pid: i32 = wait_for("the daemon", || std::fs::read_to_string(&pid_file).ok()).trim().parse().unwrap();
    core.send(&ToInit::Watch { id: id(2), tag: "main".to_owned(), pid, start_time: 0 }, &[]);
    core.record("done", |what| matches!(what, Report::Done { .. }).then_some(()));
    let start_time = sysmaster_init::process::start_time(pid);
    std::fs::write(go, "").unwrap();
    let expected = Report::WatchedExited { id: id(2), tag: "main".to_owned(), pid, ended: Some(Ended::Exited(9)) };
    core.record("watched-exited", |what| (*what == expected).then_some(()));
    // Asked for again, after the fact, it is answered from the ring; a stranger of that pid is not.
    core.send(&ToInit::Watch { id: id(3), tag: "late".to_owned(), pid, start_time }, &[]);
    let expected = Report::WatchedExited { id: id(3), tag: "late".to_owned(), pid, ended: Some(Ended::Exited(9)) };
    core.record("from the ring", |what| (*what == expected).then_some(()));
    core.send(&ToInit::Watch { id: id(4), tag: "other".to_owned(), pid, start_time: 1 }, &[]);
    let expected = Report::WatchedExited { id: id(4), tag: "other".to_owned(), pid, ended: None };
    core.record("unknown", |what| (*what == expected).then_some(()));
    rig.end();
}

#[test]
fn a_watched_process_of_another_parent_is_reported_without_a_status() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = i32::try_from(stranger.id()).unwrap();
    core.send(&ToInit::Watch { id: id(1), tag: "s".to_owned(), pid, start_time: 0 }, &[]);
    core.record("done", |what| matches!(what, Report::Done { .. }).then_some(()));
    stranger.kill().unwrap();
    core.record("watched-exited", |what| matches!(what, Report::WatchedExited { ended: None, .. }).then_some(()));
    stranger.wait().unwrap();
    rig.end();
}

#[test]
fn connections_are_accepted_into_the_store_and_an_empty_queue_is_eagain() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let path = rig.folder.path("listener");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let names = vec!["unix".to_owned(), "tcp".to_owned()];
    core.send(&ToInit::StoreFd { id: id(1), names }, &[listener.as_fd(), tcp.as_fd()]);
    core.record("done", |what| matches!(what, Report::Done { .. }).then_some(()));
    let accept = |number, listener: &str| ToInit::Accept {
        id: id(number),
        listener: listener.to_owned(),
        name: format!("connection{number}"),
    };
    core.send(&accept(2, "unix"), &[]);
    core.record("failed", |what| matches!(what, Report::Failed { errno: EAGAIN, .. }).then_some(()));
    let client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let tcp_client = std::net::TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
    for _ in 0..2 {
        core.send(&accept(3, "unix"), &[]);
        core.record("accepted", |what| match what {
            Report::Accepted { name, peer_pid, peer_uid, peer, .. } => {
                assert_eq!((name.as_str(), peer.as_str()), ("connection3", ""));
                assert_eq!(*peer_pid, i32::try_from(std::process::id()).unwrap());
                {
                    assert_eq!(*peer_uid, Some(nix::unistd::getuid().as_raw()));
                    Some(())
                }
            }
            _ => None,
        });
    }
    core.send(&accept(4, "tcp"), &[]);
    core.record("accepted", |what| match what {
        Report::Accepted { peer, peer_pid: 0, .. } => {
            assert_eq!(*peer, tcp_client.local_addr().unwrap().to_string());
            Some(())
        }
        _ => None,
    });
    core.send(&accept(5, "nobody"), &[]);
    core.record("failed", |what| matches!(what, Report::Failed { errno: ENOENT, .. }).then_some(()));
    // The connection is the very one, and becomes a service's standard input.
    core.spawn(
        id(6),
        "serve",
        &["connection3"],
        &ExecSpec { stdin: sysmaster_link::Stdio::Fd(0), stdout: sysmaster_link::Stdio::Fd(0), ..shell("echo served") },
    );
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(client), &mut line).unwrap();
    assert_eq!(line, "served\n");
    rig.end();
}

#[test]
fn descriptors_are_stored_replaced_fetched_in_batches_and_dropped() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let before = rig.count_fds(&mut core);
    let file = std::fs::File::open("/dev/null").unwrap();
    let all: Vec<String> = (0..600).map(|number| format!("fd{number:03}")).collect();
    for (number, part) in all.chunks(FDS_MAX).enumerate() {
        let fds = vec![file.as_fd(); part.len()];
        core.send(&ToInit::StoreFd { id: id(number as u64), names: part.to_vec() }, &fds);
        core.record("done", |what| matches!(what, Report::Done { .. }).then_some(()));
    }
    core.send(&ToInit::StoreFd { id: id(10), names: all[..1].to_vec() }, &[file.as_fd()]);
    core.record("done", |what| matches!(what, Report::Done { .. }).then_some(()));
    assert_eq!(rig.count_fds(&mut core), before + 600);
    let mut asked = all.clone();
    asked.insert(5, "unknown".to_owned());
    core.send(&ToInit::FetchFds { names: asked }, &[]);
    let mut got = Vec::new();
    loop {
        let (frame, fds) = core.receive();
        let FromInit::Fds { names, last } = frame else { continue };
        assert_eq!(names.len(), fds.len());
        got.extend(names);
        if last {
            break;
        }
    }
    assert_eq!(got, all);
    core.send(&ToInit::DropFd { id: id(11), names: all }, &[]);
    core.record("done", |what| matches!(what, Report::Done { id: found } if *found == id(11)).then_some(()));
    assert_eq!(rig.count_fds(&mut core), before);
    rig.end();
}

#[test]
fn what_is_not_a_frame_or_not_allowed_is_refused_and_its_descriptors_are_closed() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    let before = rig.count_fds(&mut core);
    let file = std::fs::File::open("/dev/null").unwrap();
    let fds = [file.as_fd(), file.as_fd()];
    for bytes in [&[0xff; 40][..], &[], &[1, 0], &[1, 0, 99], &[2, 0, 6], &[1, 1, 6], &[0; 65_537]] {
        core.send_bytes(bytes, &fds);
        assert_eq!(core.refused(), (None, EPROTO));
    }
    let allowed = vec!["a".to_owned()];
    core.send(&ToInit::StoreFd { id: id(1), names: allowed }, &fds);
    assert_eq!(core.refused(), (Some(id(1)), EPROTO));
    core.send(&ToInit::Beat, &fds);
    assert_eq!(core.refused(), (None, EPROTO));
    core.send(&ToInit::Spawn { id: id(2), tag: String::new(), fds: Vec::new() }, &[]);
    assert_eq!(core.refused(), (Some(id(2)), EPROTO));
    core.send(&ToInit::Ack { through: 1000 }, &[]);
    assert_eq!(core.refused(), (None, EINVAL));
    for kind in [ShutdownKind::SoftReboot, ShutdownKind::SwitchRoot] {
        core.send(&ToInit::Shutdown { kind, deadline_ms: 0, status: 0, argument: String::new(), now: true }, &[]);
        assert_eq!(core.refused(), (None, EOPNOTSUPP));
    }
    assert_eq!(rig.count_fds(&mut core), before);
    core.run(3, "exit 0");
    rig.end();
}

#[test]
fn a_link_that_core_does_not_read_costs_nothing_and_loses_nothing() {
    let mut rig = Rig::start(&[]);
    let (mut core, _) = rig.ready_core();
    // Far more records than the socket holds.
    let count = 700;
    for number in 1..=count {
        core.send(&ToInit::DropFd { id: id(number), names: vec!["x".repeat(200)] }, &[]);
    }
    let proof = rig.folder.path("proof");
    core.spawn(id(9999), "alive", &[], &shell(&format!("echo > {}", proof.display())));
    wait_for("init works on", || proof.exists().then_some(()));
    for number in 1..=count {
        let done = core.record("done", |what| match what {
            Report::Done { id } => Some(id.seq),
            _ => None,
        });
        assert_eq!(done, number);
    }
    rig.end();
}
