//! Who is at the other end of a unix socket (sock_diag(7)), and which processes hold a socket (proc(5), /proc/PID/fd).
//!
//! The kernel answers a question of sock_diag while it is asked, so nothing here waits; and whatever could be long is cut.

use crate::error::{About, Result};
use napi_derive::napi;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};
use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const AF_UNIX: u8 = 1;
const SHOW_NAME: u32 = 0x1;
const SHOW_PEER: u32 = 0x4;
const SHOW_ICONS: u32 = 0x8;
const ATTRIBUTE_NAME: u16 = 0;
const ATTRIBUTE_PEER: u16 = 2;
const ATTRIBUTE_ICONS: u16 = 3;
/// The state of a listener, as a bit (TCP_LISTEN of the kernel).
const LISTENING: u32 = 1 << 10;
const HEADER: usize = 16;
const BUFFER: usize = 32 * 1024;
/// Messages of one answer that are read: some thousand listeners.
const MESSAGES: usize = 256;
/// Pairs that `socket_holders` answers with.
const HOLDERS: usize = 64;

/// The other end of a unix connection.
#[napi(object)]
pub struct UnixPeer {
    /// Its inode; 0: nobody has accepted the connection yet.
    pub peer: u32,
    /// The inode of the listener in whose queue the connection waits; 0: in none.
    pub listener: u32,
    /// The address of the other end, or of that listener: a path, or `@name`.
    pub name: Option<String>,
}

/// A process that holds a socket.
#[napi(object)]
pub struct SocketHolder {
    /// The socket.
    pub inode: u32,
    /// The process.
    pub pid: i32,
}

/// What sock_diag says of one socket.
struct Record {
    inode: u32,
    name: Option<String>,
    peer: Option<u32>,
    /// Clients whose connections wait to be accepted.
    queue: Vec<u32>,
}

/// The other end of the unix socket with this inode; none: it is not connected, or not of this network namespace.
#[napi]
pub fn unix_peer(inode: u32) -> Result<Option<UnixPeer>> {
    let diag = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkSockDiag,
    )
    .about("sock_diag")?;
    let Some(peer) = ask(&diag, inode, u32::MAX, SHOW_PEER)?.pop().and_then(|own| own.peer) else {
        return Ok(None);
    };
    if peer != 0 {
        let name = ask(&diag, peer, u32::MAX, SHOW_NAME)?.pop().and_then(|other| other.name);
        return Ok(Some(UnixPeer { peer, listener: 0, name }));
    }
    let listeners = ask(&diag, 0, LISTENING, SHOW_NAME | SHOW_ICONS)?;
    let listener = listeners.into_iter().find(|one| one.queue.contains(&inode));
    Ok(Some(match listener {
        Some(Record { inode: listener, name, .. }) => UnixPeer { peer, listener, name },
        None => UnixPeer { peer, listener: 0, name: None },
    }))
}

/// One socket by inode, or, with inode 0, all in these states.
fn ask(diag: &OwnedFd, inode: u32, states: u32, show: u32) -> Result<Vec<Record>> {
    let mut request = Vec::with_capacity(HEADER + 24);
    let flags = if inode == 0 { NLM_F_REQUEST | NLM_F_DUMP } else { NLM_F_REQUEST };
    request.extend_from_slice(&40u32.to_ne_bytes());
    request.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend_from_slice(&flags.to_ne_bytes());
    request.extend_from_slice(&[0; 8]);
    request.extend_from_slice(&[AF_UNIX, 0, 0, 0]);
    for word in [states, inode, show, u32::MAX, u32::MAX] {
        request.extend_from_slice(&word.to_ne_bytes());
    }
    sendto(diag.as_raw_fd(), &request, &NetlinkAddr::new(0, 0), MsgFlags::MSG_DONTWAIT).about("sock_diag")?;
    let mut found = Vec::new();
    let mut buffer = vec![0u8; BUFFER];
    for _ in 0..MESSAGES {
        let size = match recv(diag.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(size) => size,
            Err(Errno::EINTR) => continue,
            Err(Errno::EAGAIN) => break,
            Err(errno) => return Err(errno).about("sock_diag"),
        };
        let over = read_messages(buffer.get(..size).unwrap_or_default(), &mut found);
        if over || inode != 0 {
            break;
        }
    }
    Ok(found)
}

/// Add what the messages say. True: there is no more, or the kernel knows no such socket.
fn read_messages(mut bytes: &[u8], found: &mut Vec<Record>) -> bool {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = length as usize;
        if kind == NLMSG_DONE || kind == NLMSG_ERROR || length < HEADER {
            return true;
        }
        let Some(message) = bytes.get(HEADER..length) else { return true };
        if kind == SOCK_DIAG_BY_FAMILY {
            found.extend(read_record(message));
        }
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    false
}

/// `struct unix_diag_msg` and its attributes.
fn read_record(message: &[u8]) -> Option<Record> {
    let mut record = Record { inode: u32_at(message, 4)?, name: None, peer: None, queue: Vec::new() };
    let mut rest = message.get(16..)?;
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let length = usize::from(length);
        let Some(value) = rest.get(4..length) else { break };
        match kind {
            ATTRIBUTE_NAME => record.name = name_of(value),
            ATTRIBUTE_PEER => record.peer = u32_at(value, 0),
            ATTRIBUTE_ICONS => record.queue = value.chunks_exact(4).filter_map(|word| u32_at(word, 0)).collect(),
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Some(record)
}

/// A path ends at its NUL; a name of the abstract namespace begins with one.
fn name_of(value: &[u8]) -> Option<String> {
    match value.split_first()? {
        (0, name) => Some(format!("@{}", String::from_utf8_lossy(name))),
        _ => value.split(|byte| *byte == 0).next().map(|path| String::from_utf8_lossy(path).into_owned()),
    }
}

fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// The processes that hold these sockets, by pid; no more than `max_links` descriptors are looked at.
#[napi]
pub fn socket_holders(inodes: Vec<u32>, max_links: u32) -> Result<Vec<SocketHolder>> {
    let wanted: HashMap<Vec<u8>, u32> =
        inodes.into_iter().map(|inode| (format!("socket:[{inode}]").into_bytes(), inode)).collect();
    let mut found = Vec::new();
    let mut left = max_links;
    for process in std::fs::read_dir("/proc").about("/proc")?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // It may have ended meanwhile, or be nobody's to look at.
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            if left == 0 || found.len() == HOLDERS {
                return Ok(found);
            }
            left -= 1;
            let Ok(target) = std::fs::read_link(descriptor.path()) else { continue };
            let Some(&inode) = wanted.get(target.as_os_str().as_encoded_bytes()) else { continue };
            if !found.iter().any(|one: &SocketHolder| one.pid == pid && one.inode == inode) {
                found.push(SocketHolder { inode, pid });
            }
        }
    }
    Ok(found)
}
