//! Plays init: hands a spec over to the real helper and watches what becomes of it.
#![allow(dead_code, reason = "each test file uses its own part")]

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg, socketpair,
};
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use sysmaster_link::{ExecSpec, ExecStep, FDS_MAX, HANDOVER_LAST, HANDOVER_MORE, SPEC_VERSION, StatusReport};

/// What became of one spawn.
#[derive(Debug)]
pub struct Outcome {
    /// The report, if a step failed.
    pub report: Option<StatusReport>,
    /// What the service wrote to the pipe that is passed descriptor 0.
    pub output: String,
    /// Its exit code; minus the signal if it was killed.
    pub code: i32,
    /// Its pid.
    pub pid: u32,
}

impl Outcome {
    /// The step that failed.
    pub fn step(&self) -> Option<ExecStep> {
        self.report.as_ref().and_then(|report| ExecStep::from_number(report.step))
    }
}

/// A spec that runs a shell command with its output in the pipe.
pub fn shell(script: &str) -> ExecSpec {
    program("/bin/sh", &["sh", "-c", script])
}

/// A spec that runs a program with its output in the pipe.
pub fn program(path: &str, argv: &[&str]) -> ExecSpec {
    ExecSpec {
        version: SPEC_VERSION,
        unit: "test.service".into(),
        path: path.into(),
        argv: argv.iter().map(ToString::to_string).collect(),
        stdout: sysmaster_link::Stdio::Fd(0),
        stderr: sysmaster_link::Stdio::Fd(0),
        environment: vec!["PATH=/usr/sbin:/usr/bin:/sbin:/bin".into()],
        ignore_sigpipe: true,
        ..ExecSpec::default()
    }
}

/// Run a spec to its end.
pub fn run(spec: &ExecSpec) -> Outcome {
    run_with(spec, &[])
}

/// Run a spec to its end with more passed descriptors, counted from 1.
pub fn run_with(spec: &ExecSpec, more: &[BorrowedFd<'_>]) -> Outcome {
    run_bytes(&postcard::to_allocvec(spec).unwrap(), more)
}

/// Run whatever these bytes are taken for.
pub fn run_bytes(bytes: &[u8], more: &[BorrowedFd<'_>]) -> Outcome {
    let (mut output, write_end) = std::io::pipe().unwrap();
    let mut fds = vec![write_end.as_fd()];
    fds.extend_from_slice(more);
    let (mut child, mut status) = start(&mut helper(), bytes, &fds);
    drop(write_end);
    let mut report = Vec::new();
    status.read_to_end(&mut report).unwrap();
    let mut text = Vec::new();
    output.read_to_end(&mut text).unwrap();
    let ended = child.wait().unwrap();
    Outcome {
        report: StatusReport::from_bytes(&report),
        output: String::from_utf8_lossy(&text).into_owned(),
        code: ended.code().unwrap_or_else(|| -ended.signal().unwrap_or(0)),
        pid: child.id(),
    }
}

/// The helper as a command, to be started by [`start`].
pub fn helper() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sysmaster-exec"))
}

/// Start a helper with this spec and these descriptors; answers with the status pipe's read end.
pub fn start(command: &mut Command, spec: &[u8], fds: &[BorrowedFd<'_>]) -> (Child, File) {
    let memfd = sealed(spec);
    let mut all = vec![memfd.as_fd()];
    all.extend_from_slice(fds);
    start_raw(command, &all)
}

/// Start a helper with exactly these descriptors in its handover.
pub fn start_raw(command: &mut Command, all: &[BorrowedFd<'_>]) -> (Child, File) {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let messages: Vec<&[BorrowedFd<'_>]> = all.chunks(FDS_MAX).collect();
    for (index, message) in messages.iter().enumerate() {
        send(&ours, if index + 1 == messages.len() { HANDOVER_LAST } else { HANDOVER_MORE }, message);
    }
    drop(ours);
    let (status, write_end) = std::io::pipe().unwrap();
    let child = command.stdin(theirs).stdout(write_end).stderr(Stdio::null()).spawn().unwrap();
    // The command keeps its own copies of both until it is dropped or given others.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    (child, File::from(OwnedFd::from(status)))
}

fn send(socket: &OwnedFd, marker: u8, fds: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(fds)));
    sendmsg(socket, &[IoSlice::new(&[marker])], &mut ancillary, SendFlags::empty()).unwrap();
}

fn sealed(bytes: &[u8]) -> OwnedFd {
    let memfd = rustix::fs::memfd_create("spec", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    let mut file = File::from(memfd);
    file.write_all(bytes).unwrap();
    let all = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&file, all).unwrap();
    file.into()
}

/// Whether the tests run as root: without it there are no other users to become.
pub fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Write a file that will be executed, by way of another process: while this one has it open for writing, a child that
/// another test starts may hold a copy of that descriptor, and executing the file is ETXTBSY.
pub fn write_executable(path: &std::path::Path, content: &[u8], mode: u32) {
    let script = "cat > \"$1\" && chmod \"$2\" \"$1\"";
    let mut writer = Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .arg(path)
        .arg(format!("{mode:o}"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writer.stdin.take().unwrap().write_all(content).unwrap();
    assert!(writer.wait().unwrap().success());
}
