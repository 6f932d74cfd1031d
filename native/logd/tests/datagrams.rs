//! What arrives at /dev/log.

mod common;

use common::{Keeper, until};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;

struct Syslog {
    keeper: Keeper,
    receiver: UnixDatagram,
}

/// A keeper with /dev/log and a receiver behind it, both in the test's directory.
fn start() -> Syslog {
    let mut keeper = Keeper::prepare(&[]);
    let (socket, forward) = (keeper.path("run/dev-log"), keeper.path("run/syslog"));
    let receiver = UnixDatagram::bind(&forward).unwrap();
    receiver.set_read_timeout(Some(common::DEADLINE)).unwrap();
    let mut command = keeper.command();
    command.arg("--dev-log").arg(socket).arg("--forward").arg(forward);
    keeper.launch_with(command);
    Syslog { keeper, receiver }
}

fn send(syslog: &Syslog, datagram: &[u8]) {
    UnixDatagram::unbound().unwrap().send_to(datagram, syslog.keeper.path("run/dev-log")).unwrap();
}

#[test]
fn a_datagram_is_kept_with_its_sender_and_passed_on_as_it_came() {
    let mut syslog = start();
    let datagram = b"<27>Nov 22 03:04:05 sshd[812]: Server \xc3\xa9 listening\n";
    send(&syslog, datagram);
    let mut buffer = [0; 1024];
    let length = syslog.receiver.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], datagram);
    syslog.keeper.sync();
    let record = &syslog.keeper.records("syslog")[0];
    assert_eq!((record["p"].as_i64(), record["f"].as_i64(), record["i"].as_str()), (Some(3), Some(3), Some("sshd")));
    assert_eq!((record["u"].as_str(), record["msg"].as_str()), (Some("-"), Some("Server é listening")));
    assert_eq!(record["pid"].as_u64(), Some(u64::from(std::process::id())), "the kernel's word, not the sender's");
}

#[test]
fn everyone_may_log() {
    let syslog = start();
    assert_eq!(fs::metadata(syslog.keeper.path("run/dev-log")).unwrap().permissions().mode() & 0o777, 0o666);
}

#[test]
fn datagrams_without_end_or_content_are_no_trouble() {
    let mut syslog = start();
    send(&syslog, b"");
    send(&syslog, b"\0\n");
    send(&syslog, &b"y".repeat(100_000));
    send(&syslog, b"<30>x: bytes \xff\n");
    syslog.keeper.sync();
    let records = syslog.keeper.records("syslog");
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["msg"].as_str().unwrap().len(), 65_536, "cut to what a datagram may be");
    assert!(records[1]["b64"].is_string());
}

#[test]
fn a_receiver_that_does_not_read_is_not_waited_for_and_its_losses_are_told_of() {
    let mut syslog = start();
    for number in 0..2000 {
        send(&syslog, format!("<30>x: {number}").as_bytes());
    }
    syslog.keeper.sync();
    assert_eq!(syslog.keeper.records("syslog").len(), 2000);
    syslog.receiver.set_nonblocking(true).unwrap();
    let mut buffer = [0; 64];
    let mut passed = 0;
    while syslog.receiver.recv(&mut buffer).is_ok() {
        passed += 1;
    }
    send(&syslog, b"<30>x: one more");
    syslog.keeper.sync();
    let told = format!("{} messages were not passed on: the receiver was busy", 2000 - passed);
    assert_eq!(syslog.keeper.messages("sysmaster-logd"), [told]);
}

#[test]
fn it_does_not_matter_whether_there_is_a_receiver() {
    let mut syslog = start();
    fs::remove_file(syslog.keeper.path("run/syslog")).unwrap();
    send(&syslog, b"<30>x: alone");
    syslog.keeper.sync();
    assert_eq!(syslog.keeper.messages("syslog"), ["alone"]);
}

#[test]
fn what_was_sent_while_the_keeper_was_asked_to_end_is_written_down() {
    let mut syslog = start();
    for number in 0..500 {
        send(&syslog, format!("<30>x: {number}").as_bytes());
    }
    assert_eq!(syslog.keeper.terminate(), Some(0));
    assert_eq!(syslog.keeper.records("syslog").len(), 500);
}

/// Removes its groups, innermost first, when the test is over.
struct Groups(Vec<PathBuf>);

impl Drop for Groups {
    fn drop(&mut self) {
        for group in &self.0 {
            let _ = fs::remove_dir(group);
        }
    }
}

#[test]
fn a_datagram_belongs_to_the_unit_in_whose_group_its_sender_is() {
    let root = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.join("cgroup.procs").exists());
    let Some(root) = root.filter(|_| rustix::process::getuid().is_root()) else {
        eprintln!("skipped: it takes root and the unified hierarchy to make control groups");
        return;
    };
    let top = root.join(format!("logd-test-{}", std::process::id()));
    let (unit, inner) = (top.join("web.service"), top.join("web.service/worker"));
    fs::create_dir_all(&inner).unwrap();
    let groups = Groups(vec![inner.clone(), unit, top]);
    let mut syslog = start();
    let (read, _write) = std::io::pipe().unwrap();
    syslog.keeper.read_pipe("web.service", &read);
    syslog.keeper.sync();
    // It reads lines until its input ends, so that it is still there when it is looked up: who is gone belongs to nobody.
    let script = "echo 0 > \"$1/cgroup.procs\" && exec logger --socket \"$2\" -p daemon.warning -t web";
    let mut sender = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&inner)
        .arg(syslog.keeper.path("run/dev-log"))
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = sender.stdin.take().unwrap();
    input.write_all(b"hello\n").unwrap();
    until("the line is kept", || !syslog.keeper.records("web.service").is_empty());
    drop(input);
    sender.wait().unwrap();
    let record = &syslog.keeper.records("web.service")[0];
    assert_eq!(
        (record["u"].as_str(), record["inv"].as_str(), record["p"].as_i64()),
        (Some("web.service"), Some("0a"), Some(4))
    );
    assert_eq!((record["i"].as_str(), record["msg"].as_str()), (Some("web"), Some("hello")));
    drop(groups);
}
