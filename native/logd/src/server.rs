//! The loop: core's connections, the services' pipes, /dev/log, and the signals that end it.
//!
//! Pipes are watched edge-triggered, since an unfinished line stays in one and would be news for ever; a pipe with more to read
//! stands in `ready`, and each gets one turn a round. Everything else is watched level-triggered.

use crate::devlog::{DevLog, note};
use crate::protocol::{self, MESSAGE_MAX, Request};
use crate::store::Store;
use crate::stream::{Identity, Origin, Scratch, Stream, Turn};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, accept_with, bind, listen, recvmsg, send, socket_with, sockopt,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

const LISTENER: u64 = 0;
const SIGNALS: u64 = 1;
const DEV_LOG: u64 = 2;
const FIRST_FREE: u64 = 16;
/// Core has one connection; a few more are tools and tests.
const CONNECTIONS_MAX: usize = 16;
/// Messages of one connection a round.
const MESSAGES_MAX: usize = 64;
/// Descriptors that are not pipes: files, sockets, our own.
const DESCRIPTORS_RESERVED: u64 = 256;
/// The socket holds no more than net.unix.max_dgram_qlen datagrams, so this is many times all of them.
const DATAGRAM_ROUNDS_MAX: usize = 64;
const EVENTS_MAX: usize = 128;
/// How often a loss that could not be told of is tried again.
const TELL_LOSSES: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// Everything the loop looks after.
pub struct Server {
    epoll: OwnedFd,
    listener: OwnedFd,
    signals: SignalFd,
    dev_log: Option<DevLog>,
    dev_log_ready: bool,
    connections: HashMap<u64, OwnedFd>,
    streams: BTreeMap<u64, Stream>,
    by_identity: HashMap<Identity, u64>,
    ready: VecDeque<u64>,
    next: u64,
    streams_max: usize,
    scratch: Scratch,
    store: Store,
}

/// A listening socket for core at `path`, mode 0600. One that is left over is replaced.
///
/// # Errors
/// Those of socket(2), bind(2) and listen(2).
pub fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = bind(&socket, &SocketAddrUnix::new(path)?);
    rustix::process::umask(before);
    bound?;
    listen(&socket, 16)?;
    Ok(socket)
}

impl Server {
    /// Set everything up; from here on connections and datagrams are not lost, only not yet served.
    ///
    /// # Errors
    /// Those of epoll, signalfd and the scratch pipe.
    pub fn new(listener: OwnedFd, dev_log: Option<DevLog>, store: Store) -> io::Result<Self> {
        let mut ending = SigSet::empty();
        ending.add(Signal::SIGTERM);
        ending.add(Signal::SIGINT);
        ending.thread_block()?;
        let signals = SignalFd::with_flags(&ending, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&listener, rustix::fs::fcntl_getfl(&listener)? | rustix::fs::OFlags::NONBLOCK)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        epoll::add(&epoll, signals.as_fd(), EventData::new_u64(SIGNALS), EventFlags::IN)?;
        if let Some(dev_log) = &dev_log {
            epoll::add(&epoll, &dev_log.socket, EventData::new_u64(DEV_LOG), EventFlags::IN)?;
        }
        Ok(Self {
            epoll,
            listener,
            signals,
            dev_log,
            dev_log_ready: false,
            connections: HashMap::new(),
            streams: BTreeMap::new(),
            by_identity: HashMap::new(),
            ready: VecDeque::new(),
            next: FIRST_FREE,
            streams_max: raise_descriptor_limit(),
            scratch: Scratch::new()?,
            store,
        })
    }

    /// Serve until SIGTERM or SIGINT; then write down what waits, and leave the pipes as they are for whoever comes next.
    ///
    /// # Errors
    /// Those of epoll_wait(2).
    pub fn run(&mut self) -> io::Result<()> {
        let mut untold = false;
        loop {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            let timeout = match () {
                () if !self.ready.is_empty() => Some(now),
                () if untold => Some(TELL_LOSSES),
                () => None,
            };
            let mut space = [MaybeUninit::<epoll::Event>::uninit(); EVENTS_MAX];
            let events = match epoll::wait(&self.epoll, &mut space, timeout.as_ref()) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let silent = events.is_empty();
            let mut ending = false;
            for event in events {
                match event.data.u64() {
                    LISTENER => self.accept(),
                    SIGNALS => ending = self.signals.read_signal()?.is_some(),
                    DEV_LOG => self.dev_log_ready = true,
                    token if self.connections.contains_key(&token) => self.serve(token),
                    token if self.streams.contains_key(&token) => self.make_ready(token),
                    _ => {} // closed by an event before this one
                }
            }
            self.read_datagrams();
            for _ in 0..self.ready.len() {
                if let Some(token) = self.ready.pop_front() {
                    self.read_stream(token);
                }
            }
            if ending {
                self.leave();
                return Ok(());
            }
            if silent && untold {
                untold = self.store.tell_losses();
            } else {
                untold = self.store.untold() > 0;
            }
        }
    }

    fn make_ready(&mut self, token: u64) {
        if !self.ready.contains(&token) {
            self.ready.push_back(token);
        }
    }

    fn accept(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(connection) = accept_with(&self.listener, flags) else { return };
        // The mode of the socket keeps others out already, where it has one; a passed listener may not.
        let own = rustix::process::geteuid();
        let allowed = sockopt::socket_peercred(&connection).is_ok_and(|peer| peer.uid == own || peer.uid.is_root());
        if !allowed || self.connections.len() >= CONNECTIONS_MAX {
            return;
        }
        let token = self.next_token();
        if epoll::add(&self.epoll, &connection, EventData::new_u64(token), EventFlags::IN).is_ok() {
            self.connections.insert(token, connection);
        }
    }

    fn next_token(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn serve(&mut self, token: u64) {
        for _ in 0..MESSAGES_MAX {
            let Some(connection) = self.connections.get(&token) else { return };
            let mut buffer = vec![0; MESSAGE_MAX];
            match receive(connection, &mut buffer) {
                Ok(Some((length, fds))) => {
                    let answer = match length {
                        Some(length) => self.obey(&buffer[..length], fds),
                        None => Some(protocol::error("the message is too long, or its descriptors could not be taken")),
                    };
                    if let Some(answer) = answer {
                        self.answer(token, &answer);
                    }
                }
                Err(Errno::AGAIN) => return,
                // The peer is gone, orderly or not.
                Ok(None) | Err(_) => {
                    self.connections.remove(&token);
                    return;
                }
            }
        }
    }

    /// An answer that the peer leaves lying until its buffer is full is not worth waiting for.
    fn answer(&mut self, token: u64, answer: &[u8]) {
        let Some(connection) = self.connections.get(&token) else { return };
        match send(connection, answer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => {}
            Err(Errno::AGAIN) => note(&mut self.store, "an answer was dropped: nobody reads them"),
            Err(_) => drop(self.connections.remove(&token)),
        }
    }

    fn obey(&mut self, message: &[u8], fds: Vec<OwnedFd>) -> Option<Vec<u8>> {
        match protocol::parse(message) {
            Ok(Request::Read(origin)) => {
                let mut fds = fds.into_iter();
                match (fds.next(), fds.next()) {
                    (Some(fd), None) => self.adopt(fd, origin).err().map(|why| protocol::error(&why)),
                    _ => Some(protocol::error("exactly one descriptor is needed")),
                }
            }
            Ok(Request::Forget(unit)) => {
                self.forget(&unit);
                None
            }
            Ok(Request::Sync { number, unit }) => {
                self.sync(unit.as_deref());
                Some(protocol::synced(number))
            }
            Err(why) => Some(protocol::error(&why)),
        }
    }

    /// Begin to read a pipe. One that is read already is not read twice: what waits in it belongs to its old origin, the rest to the new.
    fn adopt(&mut self, fd: OwnedFd, origin: Origin) -> Result<(), String> {
        let stream = Stream::new(fd, origin).map_err(|error| format!("cannot read this descriptor: {error}"))?;
        if let Some(token) = self.by_identity.get(&stream.identity).copied()
            && let Some(known) = self.streams.get_mut(&token)
        {
            if known.origin != stream.origin {
                // What cannot be read now is reported by the turn that follows.
                let _ = known.finish(&mut self.scratch, &mut self.store);
                known.origin = stream.origin;
            }
            self.make_ready(token);
            return Ok(());
        }
        if self.streams.len() >= self.streams_max {
            return Err(format!("{} pipes are all that RLIMIT_NOFILE allows", self.streams_max));
        }
        let token = self.next_token();
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&self.epoll, &stream.fd, EventData::new_u64(token), flags).map_err(|error| error.to_string())?;
        self.by_identity.insert(stream.identity, token);
        self.streams.insert(token, stream);
        self.make_ready(token);
        Ok(())
    }

    fn forget(&mut self, unit: &str) {
        let tokens: Vec<u64> = self.of_unit(unit);
        for token in tokens {
            if let Some(stream) = self.streams.get(&token) {
                let _ = stream.finish(&mut self.scratch, &mut self.store);
            }
            self.remove(token);
        }
        self.store.close(unit);
    }

    fn of_unit(&self, unit: &str) -> Vec<u64> {
        self.streams.iter().filter(|(_, stream)| stream.origin.unit == unit).map(|(token, _)| *token).collect()
    }

    fn remove(&mut self, token: u64) {
        if let Some(stream) = self.streams.remove(&token) {
            self.by_identity.remove(&stream.identity);
            // Others may hold the same open pipe, and then closing does not end the watch.
            let _ = epoll::delete(&self.epoll, &stream.fd);
        }
    }

    /// Write down what can be read now, and with it the unfinished lines of one unit.
    fn sync(&mut self, unit: Option<&str>) {
        let tokens: Vec<u64> = self.streams.keys().copied().collect();
        for token in tokens {
            let Some(stream) = self.streams.get(&token) else { continue };
            let result = stream.drain(&mut self.scratch, &mut self.store);
            match result {
                Ok(Turn::Ended) => self.remove(token),
                Ok(_) if unit == Some(stream.origin.unit.as_str()) => {
                    let _ = stream.finish(&mut self.scratch, &mut self.store);
                }
                Ok(_) => {}
                Err(error) => self.give_up(token, &error),
            }
        }
        self.drain_datagrams();
    }

    fn read_stream(&mut self, token: u64) {
        let Some(stream) = self.streams.get(&token) else { return };
        match stream.turn(&mut self.scratch, &mut self.store) {
            Ok(Turn::More) => self.ready.push_back(token),
            Ok(Turn::Idle) => {}
            Ok(Turn::Ended) => self.remove(token),
            Err(error) => self.give_up(token, &error),
        }
    }

    fn give_up(&mut self, token: u64, error: &io::Error) {
        if let Some(stream) = self.streams.get(&token) {
            let message = format!("a pipe of {} cannot be read: {error}", stream.origin.unit);
            note(&mut self.store, &message);
        }
        self.remove(token);
    }

    /// All datagrams that wait, but no more than a busy sender can add to while this goes on.
    fn drain_datagrams(&mut self) {
        for _ in 0..DATAGRAM_ROUNDS_MAX {
            self.dev_log_ready = true;
            if !self.read_datagrams() {
                return;
            }
        }
    }

    /// One turn of /dev/log if there is news; true: there may be more.
    fn read_datagrams(&mut self) -> bool {
        if !std::mem::take(&mut self.dev_log_ready) {
            return false;
        }
        let Some(dev_log) = &mut self.dev_log else { return false };
        let streams = &self.streams;
        let invocation = |unit: &str| {
            let of_unit = streams.values().rev().find(|stream| stream.origin.unit == unit);
            of_unit.map(|stream| stream.origin.invocation.clone()).unwrap_or_default()
        };
        dev_log.turn(&mut self.store, invocation).unwrap_or_else(|error| {
            note(&mut self.store, &format!("cannot read from /dev/log: {error}"));
            false
        })
    }

    /// Everything that can be read, and unfinished lines; those stay in their pipes as well.
    fn leave(&mut self) {
        self.drain_datagrams();
        let tokens: Vec<u64> = self.streams.keys().copied().collect();
        for token in tokens {
            if let Some(stream) = self.streams.get(&token)
                && let Err(error) = stream.leave(&mut self.scratch, &mut self.store)
            {
                self.give_up(token, &error);
            }
        }
        self.store.tell_losses();
    }
}

type Received = Option<(Option<usize>, Vec<OwnedFd>)>;

/// One message and its descriptors; its length is none if it, or they, did not fit. None: the peer has closed.
fn receive(connection: &OwnedFd, buffer: &mut [u8]) -> rustix::io::Result<Received> {
    // Room for two: one too many is then seen, and refused.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let got = rustix::io::retry_on_intr(|| recvmsg(connection, &mut slices, &mut ancillary, flags))?;
    let fds: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    if got.bytes == 0 && fds.is_empty() {
        return Ok(None);
    }
    let whole = !got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    Ok(Some((whole.then_some(got.bytes), fds)))
}

/// Raise RLIMIT_NOFILE to what is allowed, and say how many pipes that is.
fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    let now = now.unwrap_or(1 << 20).min(1 << 20);
    usize::try_from(now.saturating_sub(DESCRIPTORS_RESERVED).max(16)).unwrap_or(16)
}
