//! A real init as a subreaper, with the test playing core on its link.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use sysmaster_init::spawn::spec_memfd;
use sysmaster_link::{
    EffectId, ExecSpec, FDS_MAX, FRAME_MAX, FromInit, Record, Report, SPEC_VERSION, ToInit, decode, encode,
};

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The exec helper of this workspace, built if need be, in the folder of the init under test. SYSMASTER_EXEC names another,
/// for a user who cannot build.
pub fn exec_helper() -> PathBuf {
    if let Some(path) = std::env::var_os("SYSMASTER_EXEC") {
        return path.into();
    }
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let init = Path::new(env!("CARGO_BIN_EXE_sysmaster-init"));
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--offline", "-q", "-p", "sysmaster-exec"]);
            if init.parent().is_some_and(|folder| folder.ends_with("release")) {
                build.arg("--release");
            }
            // The workspace's own target folder, wherever the caller has put it: two above the binary.
            let target = init.ancestors().nth(2).unwrap();
            build.env("CARGO_TARGET_DIR", target).current_dir(env!("CARGO_MANIFEST_DIR"));
            assert!(build.status().unwrap().success(), "the exec helper does not build");
            init.with_file_name("sysmaster-exec")
        })
        .clone()
}

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sysmaster-init-test.{}.{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Core, as played by the test.
pub struct Core {
    pub link: OwnedFd,
    pub pid: i32,
    control: UnixStream,
    /// Frames that came while another was waited for.
    pub waiting: VecDeque<(FromInit, Vec<OwnedFd>)>,
}

impl Core {
    /// Whether init has said anything more that is not yet read.
    pub fn send(&self, frame: &ToInit, fds: &[BorrowedFd<'_>]) {
        self.send_bytes(&encode(frame).unwrap(), fds);
    }

    pub fn send_bytes(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        send_on(&self.link, bytes, fds);
    }

    /// The next frame.
    pub fn receive(&mut self) -> (FromInit, Vec<OwnedFd>) {
        if let Some(frame) = self.waiting.pop_front() {
            return frame;
        }
        self.read(PATIENCE).expect("init says nothing")
    }

    /// The next frame off the socket, if there is one in time.
    pub fn read(&mut self, patience: Duration) -> Option<(FromInit, Vec<OwnedFd>)> {
        let mut fds = [rustix::event::PollFd::new(&self.link, rustix::event::PollFlags::IN)];
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap(),
            tv_nsec: i64::from(patience.subsec_nanos()),
        };
        if rustix::event::poll(&mut fds, Some(&timeout)).unwrap() == 0 {
            return None;
        }
        let mut buffer = vec![0; FRAME_MAX + 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let message = recvmsg(&self.link, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags).ok()?;
        let mut received = Vec::new();
        for part in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = part {
                received.extend(fds);
            }
        }
        if message.bytes == 0 {
            return None;
        }
        Some((decode(&buffer[..message.bytes]).expect("init sends frames"), received))
    }

    /// The first frame this picks; the others wait.
    pub fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(&FromInit) -> Option<T>) -> T {
        for index in 0..self.waiting.len() {
            if let Some(found) = pick(&self.waiting[index].0) {
                self.waiting.remove(index);
                return found;
            }
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let Some((frame, fds)) = self.read(until - Instant::now()) else { break };
            match pick(&frame) {
                Some(found) => return found,
                None => self.waiting.push_back((frame, fds)),
            }
        }
        panic!("init never said: {what}; it said {:?}", self.waiting.iter().map(|(f, _)| f).collect::<Vec<_>>());
    }

    /// The first record this picks.
    pub fn record<T>(&mut self, what: &str, mut pick: impl FnMut(&Report) -> Option<T>) -> T {
        self.expect(what, |frame| match frame {
            FromInit::Record(Record { what, .. }) => pick(what),
            _ => None,
        })
    }

    /// The hello, to its end.
    pub fn hello(&mut self) -> Hello {
        let mut hello = Hello::default();
        for _ in 0..1_000_000 {
            match self.receive().0 {
                frame @ FromInit::Hello { .. } => hello.first = Some(frame),
                FromInit::HelloChild { serial, tag, execed, pid, .. } => {
                    hello.children.push((serial, tag, execed, pid))
                }
                FromInit::HelloFds { names } => hello.names.extend(names),
                FromInit::HelloEnd { records, .. } => {
                    hello.records = records;
                    return hello;
                }
                other => panic!("not a part of the hello: {other:?}"),
            }
        }
        panic!("the hello has no end");
    }

    pub fn spawn(&self, id: EffectId, tag: &str, fds: &[&str], spec: &ExecSpec) {
        let memfd = spec_memfd(spec).unwrap();
        let fds = fds.iter().map(|name| (*name).to_owned()).collect();
        self.send(&ToInit::Spawn { id, tag: tag.to_owned(), fds }, &[memfd.as_fd()]);
    }

    /// Spawn a shell command and wait until it runs: serial and pid.
    pub fn run(&mut self, number: u64, script: &str) -> (u64, i32) {
        let wanted = id(number);
        self.spawn(wanted, &format!("t{number}"), &[], &shell(script));
        let found = self.record("forked", |what| match what {
            Report::Forked { id, serial, pid, .. } if *id == wanted => Some((*serial, *pid)),
            _ => None,
        });
        self.record("execed", |what| matches!(what, Report::Execed { id, .. } if *id == wanted).then_some(()));
        found
    }

    pub fn exited(&mut self, wanted: u64) -> sysmaster_link::Ended {
        self.record("exited", |what| match what {
            Report::Exited { serial, ended, .. } if *serial == wanted => Some(*ended),
            _ => None,
        })
    }

    pub fn refused(&mut self) -> (Option<EffectId>, i32) {
        self.expect("refused", |frame| match frame {
            FromInit::Refused { id, errno, .. } => Some((*id, *errno)),
            _ => None,
        })
    }

    /// Wait until init has dealt with all it was sent, and with all that had happened before.
    pub fn settle(&mut self) {
        self.send(&ToInit::FetchFds { names: Vec::new() }, &[]);
        self.expect("an empty answer", |frame| {
            matches!(frame, FromInit::Fds { names, last: true } if names.is_empty()).then_some(())
        });
    }

    /// End the process, not the test's end of the link.
    pub fn exit(&mut self, status: u8) {
        self.control.write_all(&[status]).unwrap();
    }
}

pub fn send_on(link: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(fds.is_empty() || control.push(SendAncillaryMessage::ScmRights(fds)));
    sendmsg(link, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
}

#[derive(Debug, Default)]
pub struct Hello {
    pub first: Option<FromInit>,
    /// Serial, tag, execed, pid.
    pub children: Vec<(u64, String, bool, i32)>,
    pub names: Vec<String>,
    pub records: u32,
}

/// Init under test.
pub struct Rig {
    pub init: Child,
    pub folder: Folder,
    listener: UnixListener,
}

impl Rig {
    pub fn start(settings: &[&str]) -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_sysmaster-init")), settings)
    }

    /// Start init by this command, to which its options are appended.
    pub fn start_as(mut command: Command, settings: &[&str]) -> Self {
        let folder = Folder::new();
        let listener = UnixListener::bind(folder.path("core")).unwrap();
        let socket = folder.path("core");
        std::fs::write(
            folder.path("init.conf"),
            format!(
                "Core={}\nExec={}\nRunDir={}\nCoreEnvironment=FAKE_CORE_SOCKET={}\n{}\n",
                env!("CARGO_BIN_EXE_sysmaster-fake-core"),
                exec_helper().display(),
                folder.path("run").display(),
                socket.display(),
                settings.join("\n")
            ),
        )
        .unwrap();
        command.arg("--config").arg(folder.path("init.conf"));
        let init = command.spawn().unwrap();
        Self { init, folder, listener }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.init.id()).unwrap()
    }

    /// The next core that init starts.
    pub fn core(&mut self) -> Core {
        self.listener.set_nonblocking(true).unwrap();
        let until = Instant::now() + PATIENCE;
        let control = loop {
            let mut fds = [rustix::event::PollFd::new(&self.listener, rustix::event::PollFlags::IN)];
            let tick = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
            rustix::event::poll(&mut fds, Some(&tick)).unwrap();
            match self.listener.accept() {
                Ok((socket, _)) => break socket,
                Err(_) if Instant::now() < until && self.init.try_wait().unwrap().is_none() => {}
                Err(error) => panic!("no core comes: {error}; {}", self.core_stderr()),
            }
        };
        control.set_nonblocking(false).unwrap();
        let mut pid = [0; 4];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        recvmsg(&control, &mut [IoSliceMut::new(&mut pid)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
        let link = ancillary.drain().find_map(|part| match part {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        Core { link: link.expect("the link"), pid: i32::from_le_bytes(pid), control, waiting: VecDeque::new() }
    }

    /// A core in charge.
    pub fn ready_core(&mut self) -> (Core, Hello) {
        let mut core = self.core();
        let hello = core.hello();
        core.send(&ToInit::Ready, &[]);
        (core, hello)
    }

    fn core_stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path("run/core.stderr")).unwrap_or_default()
    }

    /// How init has ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("init to end", || self.init.try_wait().unwrap())
    }

    /// How many descriptors init has, once it has dealt with all it was sent.
    pub fn count_fds(&self, core: &mut Core) -> usize {
        core.settle();
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    pub fn end(mut self) {
        self.shutdown();
    }

    fn shutdown(&mut self) {
        if self.init.try_wait().ok().flatten().is_some() {
            return;
        }
        // At once: a shutdown signal that does not ask core.
        sysmaster_sys::signal::kill_child(self.pid(), sysmaster_sys::signal::rtmin() + 14).unwrap();
        let until = Instant::now() + PATIENCE;
        while self.init.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                let _ = self.init.kill();
                let _ = self.init.wait();
                panic!("init does not end");
            }
            std::thread::yield_now();
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Rig {
    /// Kill init the hard way, and do what it would have done: end its descendants, remove its groups.
    pub fn destroy(&mut self) {
        let family = sysmaster_init::process::descendants(self.pid(), &sysmaster_init::process::all());
        let _ = self.init.kill();
        let _ = self.init.wait();
        for stat in family {
            if sysmaster_init::process::start_time(stat.pid) == stat.start_time {
                let _ = sysmaster_sys::signal::kill_child(stat.pid, nix::libc::SIGKILL);
            }
        }
        let own = sysmaster_init::process::cgroup(i32::try_from(std::process::id()).unwrap()).unwrap_or_default();
        for mount in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            let group = PathBuf::from(format!("{mount}{own}/sysmaster.{}", self.pid()));
            let until = Instant::now() + PATIENCE;
            while group.exists() && Instant::now() < until {
                sysmaster_init::cgroup::remove(&group);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.destroy();
        } else {
            self.shutdown();
        }
    }
}

/// Look until there is something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("never came: {what}");
}

pub fn id(number: u64) -> EffectId {
    EffectId { epoch: 1, seq: number, index: 0 }
}

/// A spec for a shell command.
pub fn shell(script: &str) -> ExecSpec {
    let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    ExecSpec { version: SPEC_VERSION, path: "/bin/sh".to_owned(), argv, ..ExecSpec::default() }
}

pub fn lives(pid: i32) -> bool {
    sysmaster_init::process::stat(pid).is_some_and(|stat| stat.state != 'Z')
}
