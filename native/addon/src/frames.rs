//! The link's frames: JSON text on this side, postcard on the wire, descriptors beside.

use crate::error::{About, Result, thrown};
use crate::raw::{borrow, own};
use napi_derive::napi;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use sysmaster_link::{FDS_MAX, FRAME_MAX, FromInit, ToInit, decode, encode};

/// One received message.
#[napi(object)]
pub struct Frame {
    /// The frame as JSON; absent if it was not one.
    pub json: Option<String>,
    /// The descriptors that came with it, now the caller's.
    pub fds: Vec<i32>,
    /// Why it is not a frame. Its descriptors were closed.
    pub error: Option<String>,
    /// The other side is gone; nothing follows.
    pub closed: bool,
}

/// Send a frame to init: `sent`, `full` (try again when writable) or `closed`.
#[napi]
pub fn send_frame(link: i32, json: String, fds: Vec<i32>) -> Result<&'static str> {
    send::<ToInit>(link, &json, &fds)
}

/// Read up to `max` frames from init; none: there are no more for now.
#[napi]
pub fn receive_frames(link: i32, max: u32) -> Result<Vec<Frame>> {
    receive::<FromInit>(link, max)
}

/// The same as [`send_frame`] with the roles exchanged: for tests and tools that play init.
#[napi]
pub fn send_as_init(link: i32, json: String, fds: Vec<i32>) -> Result<&'static str> {
    send::<FromInit>(link, &json, &fds)
}

/// The same as [`receive_frames`] with the roles exchanged: for tests and tools that play init.
#[napi]
pub fn receive_as_init(link: i32, max: u32) -> Result<Vec<Frame>> {
    receive::<ToInit>(link, max)
}

fn send<T: Serialize + DeserializeOwned>(link: i32, json: &str, fds: &[RawFd]) -> Result<&'static str> {
    let frame: T = serde_json::from_str(json).map_err(|why| thrown(Errno::EINVAL, format!("frame {json}: {why}")))?;
    let bytes = encode(&frame).map_err(|why| thrown(Errno::EMSGSIZE, format!("frame: {why:?}")))?;
    send_bytes(link, &bytes, fds)
}

/// sendmsg(2), never waiting, never SIGPIPE.
pub fn send_bytes(socket: i32, bytes: &[u8], fds: &[RawFd]) -> Result<&'static str> {
    if fds.len() > FDS_MAX {
        return Err(thrown(Errno::EINVAL, format!("{} descriptors in one message", fds.len())));
    }
    let rights = [ControlMessage::ScmRights(fds)];
    let control: &[ControlMessage<'_>] = if fds.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    match sendmsg::<()>(socket, &[IoSlice::new(bytes)], control, flags, None) {
        Ok(_) => Ok("sent"),
        Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS | Errno::ETOOMANYREFS) => Ok("full"),
        Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => Ok("closed"),
        Err(errno) => Err(errno).about("sendmsg"),
    }
}

fn receive<T: Serialize + DeserializeOwned>(link: i32, max: u32) -> Result<Vec<Frame>> {
    let socket = borrow(link).about("link")?;
    let mut frames = Vec::new();
    let mut buffer = vec![0u8; FRAME_MAX + 1];
    let mut control = cmsg_space!([RawFd; FDS_MAX]);
    // One reset more than frames: it is told before what is still queued, and only once.
    let mut resets = 0;
    while frames.len() < max as usize {
        let mut iov = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let (length, fds, cut) = match recvmsg::<()>(socket.as_raw_fd(), &mut iov, Some(&mut control), flags) {
            Ok(message) => (
                message.bytes,
                descriptors(&message),
                message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC),
            ),
            Err(Errno::EAGAIN) => break,
            Err(Errno::EINTR) => continue,
            Err(Errno::ECONNRESET) if resets == 0 => {
                resets += 1;
                continue;
            }
            Err(Errno::ECONNRESET) => (0, Vec::new(), false),
            Err(errno) => return Err(errno).about("link"),
        };
        if length == 0 {
            frames.push(Frame { json: None, fds: Vec::new(), error: None, closed: true });
            break;
        }
        frames.push(match frame::<T>(&buffer[..length], cut) {
            Ok(json) => Frame {
                json: Some(json),
                fds: fds.into_iter().map(IntoRawFd::into_raw_fd).collect(),
                error: None,
                closed: false,
            },
            Err(error) => Frame { json: None, fds: Vec::new(), error: Some(error), closed: false },
        });
    }
    Ok(frames)
}

fn frame<T: Serialize + DeserializeOwned>(bytes: &[u8], cut: bool) -> std::result::Result<String, String> {
    if cut {
        return Err("longer than a frame may be".to_string());
    }
    let frame: T = decode(bytes).map_err(|why| format!("{why:?}"))?;
    serde_json::to_string(&frame).map_err(|why| why.to_string())
}

/// The descriptors of a received message, each owned from here on.
pub fn descriptors<S>(message: &nix::sys::socket::RecvMsg<'_, '_, S>) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    if let Ok(controls) = message.cmsgs() {
        for control in controls {
            if let ControlMessageOwned::ScmRights(received) = control {
                fds.extend(received.into_iter().map(own));
            }
        }
    }
    fds
}
