//! Plays core and the services: starts the real keeper, hands it pipes, reads what it kept.
#![allow(dead_code, reason = "each test file uses its own part")]

use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, connect, recv, sendmsg, socket_with,
};
use serde_json::Value;
use std::fs;
use std::io::{IoSlice, PipeReader};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing that is waited for takes longer.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A keeper with its directories.
pub struct Keeper {
    /// Holds `run` and `logs`.
    pub directory: tempfile::TempDir,
    options: Vec<String>,
    child: Option<Child>,
    connection: Option<OwnedFd>,
    syncs: u64,
}

impl Keeper {
    /// Start one and connect to it.
    pub fn start(options: &[&str]) -> Self {
        let mut keeper = Self::prepare(options);
        keeper.launch();
        keeper
    }

    /// The directories only.
    pub fn prepare(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("run")).unwrap();
        let options = options.iter().map(ToString::to_string).collect();
        Self { directory, options, child: None, connection: None, syncs: 0 }
    }

    /// The command that starts it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sysmaster-logd"));
        command.arg(self.path("run")).arg(self.path("logs")).args(&self.options);
        command
    }

    /// Start it (again) and connect as soon as it says that it is ready.
    pub fn launch(&mut self) {
        let command = self.command();
        self.launch_with(command);
    }

    /// Start this command as the keeper.
    pub fn launch_with(&mut self, mut command: Command) {
        let notify = self.path("run/notify");
        let _ = fs::remove_file(&notify);
        let socket = UnixDatagram::bind(&notify).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let child = command.env("NOTIFY_SOCKET", &notify).stdin(Stdio::null()).spawn().unwrap();
        let mut state = [0; 64];
        let length = socket.recv(&mut state).expect("the keeper never became ready");
        assert_eq!(&state[..length], b"READY=1");
        self.child = Some(child);
        self.connection = Some(self.connect());
    }

    /// A new connection.
    pub fn connect(&self) -> OwnedFd {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        connect(&socket, &SocketAddrUnix::new(self.path("run/logs.sock")).unwrap()).unwrap();
        socket
    }

    /// A path below the test's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Send a message, with a descriptor or without.
    pub fn say(&self, message: &str, fd: Option<BorrowedFd<'_>>) {
        say(self.connection.as_ref().unwrap(), message, &Vec::from_iter(fd));
    }

    /// Hand over a pipe with a plain origin.
    pub fn read_pipe(&self, unit: &str, pipe: &PipeReader) {
        self.say(&format!("{{\"unit\":\"{unit}\",\"invocation\":\"0a\",\"identifier\":\"test\",\"priority\":6,\"levelPrefix\":true}}"), Some(pipe.as_fd()));
    }

    /// The next answer.
    pub fn answer(&self) -> Value {
        let mut buffer = vec![0; 65536];
        let (_, length) = recv(self.connection.as_ref().unwrap(), &mut buffer[..], RecvFlags::empty()).unwrap();
        serde_json::from_slice(&buffer[..length]).unwrap()
    }

    /// Wait until all that was written before is in the files.
    pub fn sync(&mut self) {
        self.sync_unit(None);
    }

    /// The same, with the unfinished lines of a unit.
    pub fn sync_unit(&mut self, unit: Option<&str>) {
        self.syncs += 1;
        let unit = unit.map(|unit| format!(",\"unit\":\"{unit}\"")).unwrap_or_default();
        self.say(&format!("{{\"sync\":{}{unit}}}", self.syncs), None);
        assert_eq!(self.answer(), serde_json::json!({ "synced": self.syncs }));
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        self.connection = None;
    }

    /// SIGTERM, and its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
        self.connection = None;
        child.wait().unwrap().code()
    }

    /// A unit's records, the rotated ones first.
    pub fn records(&self, unit: &str) -> Vec<Value> {
        records(&self.path("logs"), unit)
    }

    /// The texts of a unit's records.
    pub fn messages(&self, unit: &str) -> Vec<String> {
        self.records(unit).iter().map(|record| record["msg"].as_str().unwrap_or("not text").to_owned()).collect()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// Send a message with descriptors.
pub fn say(connection: &OwnedFd, message: &str, fds: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(fds)));
    }
    sendmsg(connection, &[IoSlice::new(message.as_bytes())], &mut ancillary, SendFlags::NOSIGNAL).unwrap();
}

/// A unit's records in this directory, the rotated ones first. Every line must be whole.
pub fn records(logs: &Path, unit: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for name in [format!("{unit}.log.1"), format!("{unit}.log")] {
        let text = match fs::read_to_string(logs.join(&name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            text => text.unwrap(),
        };
        all.extend(
            text.lines().map(|line| {
                serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"))
            }),
        );
    }
    all
}

/// Wait until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}
