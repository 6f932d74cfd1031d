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
