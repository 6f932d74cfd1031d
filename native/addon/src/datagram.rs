//! Notify datagrams: peeked, known by their identity, taken later.
//!
//! With SO_PEEK_OFF each peek goes on behind the last, so a batch can be read without taking anything (socket(7), unix(7)).
//! The offset belongs to the open file and must be set to 0 by whoever takes over a socket. Three things follow:
//! an empty datagram is shown by no peek but stays at the head, so it is dropped at sight; a datagram is taken only if the
//! one at the head is the one that was meant; and what is taken moves the offset back by its length.

use crate::error::{About, Result, thrown};
use crate::frames::descriptors;
use crate::raw::{borrow, get_option, set_option};
use napi_derive::napi;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{SO_PASSCRED, SO_PEEK_OFF, SO_TIMESTAMPNS, SOL_SOCKET};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg};
use nix::sys::time::TimeSpec;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

/// The longest datagram that is looked at; longer ones are junk (sd_notify(3) messages end at 4096).
const TEXT_MAX: usize = 16 * 1024;
/// How many useless datagrams one call drops from the head.
const JUNK_MAX: usize = 1024;

/// A datagram as it was peeked.
#[napi(object)]
pub struct Peeked {
    /// Its bytes as UTF-8; what is not UTF-8 is replaced.
    pub text: String,
    /// Who sent it, as the kernel says; 0: a process that is not visible here.
    pub pid: i32,
    /// The sender's uid.
    pub uid: u32,
    /// The kernel's CLOCK_REALTIME stamp, nanoseconds, in decimal.
    pub at_ns: String,
    /// FNV-1a of the bytes, 64 bits, in hexadecimal.
    pub hash: String,
    /// How many descriptors came with it.
    pub fds: u32,
    /// Longer than can be used: its text is cut, and it is dropped when it gets to the head.
    pub junk: bool,
}

struct Received {
    text: Vec<u8>,
    length: usize,
    pid: i32,
    uid: u32,
    at_ns: i128,
    fds: Vec<OwnedFd>,
}

impl Received {
    fn is_junk(&self) -> bool {
        self.length == 0 || self.length > TEXT_MAX
    }

    fn is(&self, pid: i32, at_ns: &str, hash: &str) -> bool {
        self.pid == pid && self.at_ns.to_string() == at_ns && fnv(&self.text) == hash
    }
}

fn fnv(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// Make a datagram socket ready for peeking: credentials and time stamps on, offset 0. For new and for inherited sockets.
#[napi]
pub fn prepare_peeking(socket: i32) -> Result<()> {
    let fd = borrow(socket).about("notify socket")?;
    for option in [SO_PASSCRED, SO_TIMESTAMPNS] {
        set_option(fd, SOL_SOCKET, option, &1i32.to_ne_bytes()).about("notify socket")?;
    }
    set_offset(fd, 0).about("SO_PEEK_OFF")
}

/// Peek up to `max` datagrams behind those peeked before. Descriptors that came with them are only counted.
#[napi]
pub fn peek_datagrams(socket: i32, max: u32) -> Result<Vec<Peeked>> {
    let fd = borrow(socket).about("notify socket")?;
    drop_junk(fd).about("notify socket")?;
    let mut peeked = Vec::new();
    for _ in 0..max {
        let Some(received) = receive(fd, true).about("notify socket")? else { break };
        if received.length > TEXT_MAX {
            // The kernel moved the offset by what was copied; the rest of the datagram is to be skipped as well.
            let at = get_option(fd, SOL_SOCKET, SO_PEEK_OFF).about("SO_PEEK_OFF")?;
            let rest = i32::try_from(received.length - received.text.len()).unwrap_or(i32::MAX);
            set_offset(fd, at.saturating_add(rest)).about("SO_PEEK_OFF")?;
        }
        if received.length > 0 {
            peeked.push(Peeked {
                junk: received.is_junk(),
                text: String::from_utf8_lossy(&received.text).into_owned(),
                pid: received.pid,
                uid: received.uid,
                at_ns: received.at_ns.to_string(),
                hash: fnv(&received.text),
                fds: u32::try_from(received.fds.len()).unwrap_or(u32::MAX),
            });
        }
    }
    Ok(peeked)
}

/// Duplicates of the descriptors of the datagram at the head, if it is this one; none: it is another, or there is none.
#[napi]
pub fn head_descriptors(socket: i32, pid: i32, at_ns: String, hash: String) -> Result<Option<Vec<i32>>> {
    let fd = borrow(socket).about("notify socket")?;
    drop_junk(fd).about("notify socket")?;
    let head = with_plain_peek(fd, || receive(fd, true)).about("notify socket")?;
    Ok(head
        .filter(|head| head.is(pid, &at_ns, &hash))
        .map(|head| head.fds.into_iter().map(IntoRawFd::into_raw_fd).collect()))
}

/// Take the datagram at the head if it is this one, closing its descriptors. False: it is another, or there is none.
#[napi]
pub fn take_datagram(socket: i32, pid: i32, at_ns: String, hash: String) -> Result<bool> {
    let fd = borrow(socket).about("notify socket")?;
    drop_junk(fd).about("notify socket")?;
    let head = with_plain_peek(fd, || receive(fd, true)).about("notify socket")?;
    if !head.is_some_and(|head| head.is(pid, &at_ns, &hash)) {
        return Ok(false);
    }
    // Core is the only reader, so the head is still the same. Taking it moves the offset back by its length.
    let taken = receive(fd, false).about("notify socket")?;
    if !taken.is_some_and(|taken| taken.is(pid, &at_ns, &hash)) {
        return Err(thrown(Errno::ESTALE, "notify socket: another process reads it"));
    }
    drop_junk(fd).about("notify socket")?;
    Ok(true)
}

/// Drop empty and overlong datagrams from the head.
fn drop_junk(fd: BorrowedFd<'_>) -> nix::Result<()> {
    for _ in 0..JUNK_MAX {
        match with_plain_peek(fd, || receive(fd, true))? {
            Some(head) if head.is_junk() => drop(receive(fd, false)?),
            _ => break,
        }
    }
    Ok(())
}

/// Do something that peeks at the very head, whatever was peeked before.
fn with_plain_peek<T>(fd: BorrowedFd<'_>, peek: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    let offset = get_option(fd, SOL_SOCKET, SO_PEEK_OFF)?;
    set_offset(fd, -1)?;
    let result = peek();
    set_offset(fd, offset)?;
    result
}

fn set_offset(fd: BorrowedFd<'_>, offset: i32) -> nix::Result<()> {
    set_option(fd, SOL_SOCKET, SO_PEEK_OFF, &offset.to_ne_bytes())
}

/// One recvmsg(2), never waiting; none: there is nothing (more).
fn receive(fd: BorrowedFd<'_>, peek: bool) -> nix::Result<Option<Received>> {
    let mut text = vec![0u8; TEXT_MAX];
    let mut control = cmsg_space!([RawFd; 253], UnixCredentials, TimeSpec);
    // MSG_TRUNC as a flag: the answer is the whole length, however much of it was copied.
    let mut flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_TRUNC;
    flags.set(MsgFlags::MSG_PEEK, peek);
    let mut iov = [IoSliceMut::new(&mut text)];
    let mut result = Received { text: Vec::new(), length: 0, pid: 0, uid: u32::MAX, at_ns: 0, fds: Vec::new() };
    loop {
        match recvmsg::<()>(fd.as_raw_fd(), &mut iov, Some(&mut control), flags) {
            Ok(message) => {
                result.length = message.bytes;
                result.fds = descriptors(&message);
                for control in message.cmsgs()? {
                    match control {
                        ControlMessageOwned::ScmCredentials(sender) => {
                            (result.pid, result.uid) = (sender.pid(), sender.uid())
                        }
                        ControlMessageOwned::ScmTimestampns(stamp) => {
                            result.at_ns = i128::from(stamp.tv_sec()) * 1_000_000_000 + i128::from(stamp.tv_nsec());
                        }
                        _ => {}
                    }
                }
                break;
            }
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    text.truncate(result.length);
    result.text = text;
    Ok(Some(result))
}
