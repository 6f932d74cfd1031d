//! Every step that can fail does, for real: the report names step, errno and subject, and the exit code is systemd's.

mod common;

use common::{helper, is_root, program, run, run_bytes, shell, start, start_raw, write_executable};
use rustix::io::Errno;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use sysmaster_link::{
    DirectoryKind, ExecSpec, ExecStep, ManagedDirectories, ManagedDirectory, OptionalPath, Rlimit, SPEC_VERSION,
    StatusReport, Stdio,
};

fn fails(change: impl FnOnce(&mut ExecSpec), step: ExecStep, code: i32, errno: Errno, detail: &str) {
    let mut spec = shell("echo must not run");
    change(&mut spec);
    check(&run(&spec), step, code, errno, detail);
}

fn check(outcome: &common::Outcome, step: ExecStep, code: i32, errno: Errno, detail: &str) {
    let report = outcome.report.clone().unwrap_or_else(|| panic!("no report: {outcome:?}"));
    let expected = StatusReport { step: step as u16, errno: errno.raw_os_error(), detail: detail.into() };
    assert_eq!((report, outcome.code, outcome.output.as_str()), (expected, code, ""));
}

#[test]
fn a_spec_that_cannot_be_read() {
    check(&run_bytes(b"", &[]), ExecStep::Spec, 1, Errno::BADMSG, "spec: Hit the end of buffer, expected more data");
    let other = postcard::to_allocvec(&(SPEC_VERSION + 1)).unwrap();
    let detail = format!("spec version {}", SPEC_VERSION + 1);
    check(&run_bytes(&other, &[]), ExecStep::Spec, 1, Errno::PROTONOSUPPORT, &detail);
}

#[test]
fn a_handover_without_an_end_or_without_anything() {
    let (mut child, mut status) = start_raw(&mut helper(), &[]);
    let mut report = Vec::new();
    status.read_to_end(&mut report).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let report = StatusReport::from_bytes(&report).unwrap();
    assert_eq!((report.step, report.errno), (ExecStep::Spec as u16, Errno::PROTO.raw_os_error()));
}

#[test]
fn a_control_group_that_cannot_be_made() {
    fails(|spec| spec.cgroups = vec!["/proc/none/x".into()], ExecStep::Cgroup, 219, Errno::NOENT, "/proc/none/x");
}

#[test]
fn a_descriptor_that_was_not_passed() {
    fails(|spec| spec.listen_fds = vec![7], ExecStep::Fds, 202, Errno::BADF, "passed descriptor 7");
    fails(|spec| spec.stdout = Stdio::Fd(8), ExecStep::Stdout, 209, Errno::BADF, "passed descriptor 8");
}

#[test]
fn a_session_for_the_leader_of_a_group_of_another_session() {
    let bytes = postcard::to_allocvec(&shell(":")).unwrap();
    let (_output, write_end) = std::io::pipe().unwrap();
    let (mut child, mut status) = start(helper().process_group(0), &bytes, &[write_end.as_fd()]);
    let mut report = Vec::new();
    status.read_to_end(&mut report).unwrap();
    let report = StatusReport::from_bytes(&report).unwrap();
    assert_eq!((report.step, report.errno), (ExecStep::Setsid as u16, Errno::PERM.raw_os_error()));
    assert_eq!(child.wait().unwrap().code(), Some(220));
}

#[test]
fn streams_that_cannot_be_opened() {
    let file = || Stdio::File { path: "/nowhere/x".into(), append: false, truncate: false };
    fails(|spec| spec.stdin = file(), ExecStep::Stdin, 208, Errno::NOENT, "/nowhere/x");
    fails(|spec| spec.stdout = file(), ExecStep::Stdout, 209, Errno::NOENT, "/nowhere/x");
    fails(|spec| spec.stderr = file(), ExecStep::Stderr, 222, Errno::NOENT, "/nowhere/x");
    let no_terminal = Stdio::Tty { path: "/dev/null".into(), acquire: sysmaster_link::TtyAcquire::Fail };
    fails(|spec| spec.stdin = no_terminal, ExecStep::Stdin, 208, Errno::NOTTY, "/dev/null");
}

#[test]
fn values_that_the_kernel_refuses() {
    fails(|spec| spec.oom_score_adjust = Some(5000), ExecStep::OomAdjust, 206, Errno::INVAL, "5000");
    fails(|spec| spec.cpu_scheduling_policy = "fifo".into(), ExecStep::SetScheduler, 214, Errno::INVAL, "fifo 0");
    fails(|spec| spec.cpu_affinity = vec![1023], ExecStep::CpuAffinity, 215, Errno::INVAL, "1023");
    fails(
        |spec| {
            spec.io_scheduling_class = "best-effort".into();
            spec.io_scheduling_priority = 9;
        },
        ExecStep::IoPriority,
        211,
        Errno::INVAL,
        "best-effort 9",
    );
    let limit = Rlimit { resource: "NOFILE".into(), soft: Some(2), hard: Some(1) };
    fails(|spec| spec.rlimits = vec![limit], ExecStep::Limits, 205, Errno::INVAL, "NOFILE");
}

#[test]
fn names_that_nobody_knows() {
    fails(|spec| spec.cpu_scheduling_policy = "best".into(), ExecStep::SetScheduler, 214, Errno::INVAL, "best");
    fails(|spec| spec.io_scheduling_class = "best".into(), ExecStep::IoPriority, 211, Errno::INVAL, "best");
    fails(|spec| spec.personality = "pdp11".into(), ExecStep::Personality, 230, Errno::INVAL, "pdp11");
    fails(|spec| spec.user = "no-such-user".into(), ExecStep::User, 217, Errno::SRCH, "no-such-user");
    fails(|spec| spec.group = "no-such-group".into(), ExecStep::Group, 216, Errno::SRCH, "no-such-group");
    fails(|spec| spec.supplementary_groups = vec!["no".into()], ExecStep::Group, 216, Errno::SRCH, "no");
    fails(
        |spec| spec.ambient_capabilities = vec!["CAP_FLY".into()],
        ExecStep::Capabilities,
        218,
        Errno::INVAL,
        "CAP_FLY",
    );
}

#[test]
fn environment_files_that_are_missing_or_no_text() {
    let file = |path: &str| vec![OptionalPath { path: path.into(), optional: false }];
    fails(|spec| spec.environment_files = file("/nowhere/x"), ExecStep::Environment, 1, Errno::NOENT, "/nowhere/x");
    fails(|spec| spec.environment_files = file("/nowhere/*"), ExecStep::Environment, 1, Errno::NOENT, "/nowhere/*");
    fails(|spec| spec.environment_files = file("x"), ExecStep::Environment, 1, Errno::INVAL, "x");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x").display().to_string();
    fs::write(&path, b"A=\xff\n").unwrap();
    fails(|spec| spec.environment_files = file(&path), ExecStep::Environment, 1, Errno::INVAL, &path);
}

#[test]
fn directories_with_a_file_in_their_way() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("x"), "").unwrap();
    for (kind, step, code) in [
        (DirectoryKind::Runtime, ExecStep::RuntimeDirectory, 233),
        (DirectoryKind::State, ExecStep::StateDirectory, 238),
        (DirectoryKind::Cache, ExecStep::CacheDirectory, 239),
        (DirectoryKind::Logs, ExecStep::LogsDirectory, 240),
        (DirectoryKind::Configuration, ExecStep::ConfigurationDirectory, 241),
    ] {
        let paths = vec![ManagedDirectory { path: "x/y".into(), symlinks: vec![] }];
        let directories = ManagedDirectories { kind, paths, mode: 0o755, root: root.path().display().to_string() };
        let detail = root.path().join("x/y").display().to_string();
        fails(|spec| spec.directories = vec![directories], step, code, Errno::EXIST, &detail);
    }
}

#[test]
fn a_root_and_a_working_directory_that_are_not_there() {
    if is_root() {
        fails(|spec| spec.root_directory = "/nowhere".into(), ExecStep::Chroot, 210, Errno::NOENT, "/nowhere");
        let homeless = |spec: &mut ExecSpec| {
            spec.user = "nobody".into();
            spec.working_directory = "~".into();
        };
        fails(homeless, ExecStep::Chdir, 200, Errno::NXIO, "~");
    }
    fails(|spec| spec.working_directory = "/nowhere".into(), ExecStep::Chdir, 200, Errno::NOENT, "/nowhere");
}

/// Run as another user, who may not do what the spec asks for.
fn fails_as(uid: u32, gid: u32, change: impl FnOnce(&mut ExecSpec), step: ExecStep, code: i32, detail: &str) {
    if !is_root() {
        eprintln!("skipped: it takes root to become someone else first");
        return;
    }
    let mut spec = shell("echo must not run");
    spec.stdout = Stdio::Null;
    spec.stderr = Stdio::Null;
    change(&mut spec);
    // Where everyone may go: the build directory may be private.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join("exec");
    write_executable(&copy, &fs::read(env!("CARGO_BIN_EXE_sysmaster-exec")).unwrap(), 0o755);
    let mut command = Command::new(copy);
    let (mut child, mut status) = start(command.uid(uid).gid(gid), &postcard::to_allocvec(&spec).unwrap(), &[]);
    let mut report = Vec::new();
    status.read_to_end(&mut report).unwrap();
    let expected = StatusReport { step: step as u16, errno: Errno::PERM.raw_os_error(), detail: detail.into() };
    assert_eq!((StatusReport::from_bytes(&report), child.wait().unwrap().code()), (Some(expected), Some(code)));
}

#[test]
fn privileges_that_an_ordinary_user_cannot_change() {
    let group = |spec: &mut ExecSpec| spec.group = "adm".into();
    fails_as(65534, 65534, group, ExecStep::Credentials, 216, "gid 4");
    let groups = |spec: &mut ExecSpec| spec.user = "daemon".into();
    fails_as(65534, 65534, groups, ExecStep::Credentials, 216, "supplementary groups");
    let root = |spec: &mut ExecSpec| spec.user = "root".into();
    fails_as(65534, 0, root, ExecStep::SetUser, 217, "uid 0");
    let bounded = |spec: &mut ExecSpec| spec.capability_bounding_set = Some(vec![]);
    fails_as(65534, 65534, bounded, ExecStep::Capabilities, 218, "bounding set");
    let ambient = |spec: &mut ExecSpec| spec.ambient_capabilities = vec!["CAP_CHOWN".into()];
    fails_as(65534, 65534, ambient, ExecStep::Capabilities, 218, "ambient set");
    let rooted = |spec: &mut ExecSpec| spec.root_directory = "/".into();
    fails_as(65534, 65534, rooted, ExecStep::Chroot, 210, "/");
}

#[test]
fn programs_that_cannot_be_executed() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8], mode| {
        let path = directory.path().join(name);
        write_executable(&path, text, mode);
        path.display().to_string()
    };
    let exec = |path: &str, errno| check(&run(&program(path, &["x"])), ExecStep::Exec, 203, errno, path);
    exec("/nowhere/x", Errno::NOENT);
    exec("no-such-program", Errno::NOENT);
    exec("/etc", Errno::ISDIR);
    exec(&file("plain", b"#!/bin/sh\n", 0o644), Errno::ACCESS);
    exec(&file("text", b"echo no shebang\n", 0o755), Errno::NOEXEC);
    exec(&file("orphan", b"#!/nowhere/sh\n", 0o755), Errno::NOENT);
}

#[test]
fn arguments_that_are_too_long_or_hold_a_nul() {
    let long = "x".repeat(200 * 1024);
    check(&run(&program("/bin/echo", &["echo", &long])), ExecStep::Exec, 203, Errno::TOOBIG, "/bin/echo");
    let outcome = run(&program("/bin/echo", &["echo", "a\0b"]));
    assert_eq!((outcome.step(), outcome.code), (Some(ExecStep::Exec), 203));
}
