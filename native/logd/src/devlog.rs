//! The socket at /dev/log: looked at, written down, passed on, and only then taken.

use crate::clock::Moment;
use crate::record::{Record, Sender};
use crate::store::{OWN_NAME, Store, is_unit_name};
use crate::syslog;
use rustix::fs::{Mode, chmod};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType, UCred, bind, recvmsg, sendmsg_addr, socket_with, sockopt,
};
use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// A longer datagram loses its end, as with the journal's syslog socket.
const DATAGRAM_MAX: usize = 64 * 1024;
/// At most this many a turn.
const TURN_MAX: usize = 256;
/// Wanted receive buffer: senders wait for us when it is full.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// The socket, and where its datagrams go on to.
pub struct DevLog {
    /// To be watched for input.
    pub socket: OwnedFd,
    forward: Option<Forward>,
    buffer: Vec<u8>,
}

struct Forward {
    socket: OwnedFd,
    address: SocketAddrUnix,
    /// Not passed on because the receiver was busy, and not yet told of.
    missed: u64,
}

impl DevLog {
    /// Bind the socket (mode 0666, since everyone may log), replacing one that is left over; `forward` is a receiver that may
    /// come and go.
    ///
    /// # Errors
    /// Those of socket(2) and bind(2); EADDRINUSE where something other than a socket is in its place.
    pub fn open(path: &Path, forward: Option<&Path>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        // Before bind, so that no datagram can come without credentials.
        sockopt::set_socket_passcred(&socket, true)?;
        if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
            sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        }
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            std::fs::remove_file(path)?;
        }
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        chmod(path, Mode::from_raw_mode(0o666))?;
        let forward = match forward {
            Some(path) => Some(Forward {
                socket: socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?,
                address: SocketAddrUnix::new(path)?,
                missed: 0,
            }),
            None => None,
        };
        Ok(Self { socket, forward, buffer: vec![0; DATAGRAM_MAX] })
    }

    /// Write down and pass on what waits, at most some hundreds; `invocation` knows a unit's present invocation id.
    /// True: there may be more.
    pub fn turn(&mut self, store: &mut Store, invocation: impl Fn(&str) -> String) -> io::Result<bool> {
        // A process that logs a lot is looked up once a turn.
        let mut units: HashMap<i32, String> = HashMap::new();
        for _ in 0..TURN_MAX {
            let (length, sender) = match receive(&self.socket, &mut self.buffer, RecvFlags::PEEK) {
                Err(Errno::AGAIN) => return Ok(false),
                result => result?,
            };
            let pid = sender.map_or(0, |sender| sender.pid.as_raw_pid());
            let unit = units.entry(pid).or_insert_with(|| {
                syslog::unit_of(pid).filter(|unit| is_unit_name(unit)).unwrap_or_else(|| "-".into())
            });
            let datagram = &self.buffer[..length];
            write_down(datagram, pid, unit, &invocation(unit), store);
            if let Some(forward) = &mut self.forward {
                forward.pass_on(datagram, sender, store);
            }
            let mut rest = [0_u8; 1];
            receive(&self.socket, &mut rest, RecvFlags::TRUNC)?;
        }
        Ok(true)
    }
}

/// One datagram, cut to the buffer, and who sent it.
fn receive(socket: &OwnedFd, buffer: &mut [u8], flags: RecvFlags) -> rustix::io::Result<(usize, Option<UCred>)> {
    // Room for credentials only: descriptors that someone attaches are closed by the kernel.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = flags | RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let got = rustix::io::retry_on_intr(|| recvmsg(socket, &mut slices, &mut ancillary, flags))?;
    let sender = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(sender) => Some(sender),
        _ => None,
    });
    let length = got.bytes;
    Ok((length.min(slices[0].len()), sender))
}

fn write_down(datagram: &[u8], pid: i32, unit: &str, invocation: &str, store: &mut Store) {
    let parsed = syslog::parse(datagram);
    if parsed.message.is_empty() {
        return;
    }
    let mut line = Vec::new();
    let record = Record {
        at: Moment::now(),
        priority: parsed.priority,
        unit,
        identifier: parsed.identifier,
        invocation,
        sender: Some(Sender { pid, facility: parsed.facility }),
        cut: false,
        message: parsed.message,
    };
    record.write_to(&mut line);
    store.append(unit, &line, 1);
}

impl Forward {
    /// Send the datagram as it came, in its sender's name where that is allowed. Never waits.
    fn pass_on(&mut self, datagram: &[u8], sender: Option<UCred>, store: &mut Store) {
        let result = match sender {
            Some(sender) => match self.send(datagram, Some(sender)) {
                // To speak for another takes CAP_SYS_ADMIN, and the other must still be there.
                Err(Errno::PERM | Errno::SRCH | Errno::INVAL) => self.send(datagram, None),
                result => result,
            },
            None => self.send(datagram, None),
        };
        match result {
            Ok(()) if self.missed > 0 => {
                let missed = std::mem::take(&mut self.missed);
                note(store, &format!("{missed} messages were not passed on: the receiver was busy"));
            }
            Err(Errno::AGAIN | Errno::NOBUFS) => self.missed += 1,
            // Nobody is there to receive: that is how it is on most machines.
            _ => {}
        }
    }

    fn send(&self, datagram: &[u8], sender: Option<UCred>) -> rustix::io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if let Some(sender) = sender {
            ancillary.push(SendAncillaryMessage::ScmCredentials(sender));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let slices = [IoSlice::new(datagram)];
        rustix::io::retry_on_intr(|| sendmsg_addr(&self.socket, &self.address, &slices, &mut ancillary, flags))
            .map(|_| ())
    }
}

/// Say something in this program's own log.
pub fn note(store: &mut Store, message: &str) {
    let mut line = Vec::new();
    let record = Record {
        at: Moment::now(),
        priority: 4,
        unit: OWN_NAME,
        identifier: OWN_NAME,
        invocation: "",
        sender: None,
        cut: false,
        message: message.as_bytes(),
    };
    record.write_to(&mut line);
    store.append(OWN_NAME, &line, 1);
}
