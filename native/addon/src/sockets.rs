//! Sockets, pipes and queues: one system call each.

use crate::error::{About, Result, thrown};
use crate::frames::send_bytes;
use crate::raw::{borrow, get_option, message_queue, own, set_option};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, NetlinkAddr, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, UnixAddr,
    VsockAddr, accept4, bind, connect, getsockopt, listen as listen_on, send, socketpair, sockopt,
};
use rustix::net::SocketFlags;
use std::ffi::CString;
use std::net::{IpAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, RawFd};

/// How much `drain` throws away in one call, in messages or connections.
const DRAIN_MAX: usize = 4096;

/// A process at the other end of a unix connection.
#[napi(object)]
pub struct Peer {
    /// Its pid when it connected.
    pub pid: i32,
    /// Its uid.
    pub uid: u32,
    /// Its gid.
    pub gid: u32,
}

/// An accepted connection.
#[napi(object)]
pub struct Accepted {
    /// The caller's from now on.
    pub fd: i32,
    /// Who connected.
    pub peer: Peer,
}

/// socket(2), by numbers, close-on-exec and non-blocking.
#[napi]
pub fn socket(family: i32, kind: i32, protocol: i32) -> Result<i32> {
    let raw = |number: i32| u32::try_from(number).map_err(|_| thrown(Errno::EINVAL, "socket"));
    let protocol = std::num::NonZeroU32::new(raw(protocol)?).map(rustix::net::Protocol::from_raw);
    let family = u16::try_from(family).map_err(|_| thrown(Errno::EAFNOSUPPORT, "socket"))?;
    rustix::net::socket_with(
        rustix::net::AddressFamily::from_raw(family),
        rustix::net::SocketType::from_raw(raw(kind)?),
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        protocol,
    )
    .about("socket")
    .map(IntoRawFd::into_raw_fd)
}

/// socketpair(2) of unix sockets: `stream`, `datagram` or `seqpacket`; close-on-exec and non-blocking.
#[napi]
pub fn socket_pair(kind: String) -> Result<Vec<i32>> {
    let (one, other) =
        socketpair(AddressFamily::Unix, kind_of(&kind)?, None, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)
            .about("socketpair")?;
    Ok(vec![one.into_raw_fd(), other.into_raw_fd()])
}

fn kind_of(kind: &str) -> Result<SockType> {
    match kind {
        "stream" => Ok(SockType::Stream),
        "datagram" => Ok(SockType::Datagram),
        "seqpacket" => Ok(SockType::SeqPacket),
        _ => Err(thrown(Errno::EINVAL, kind)),
    }
}

/// A path, or `@name` for the abstract namespace.
fn unix_address(address: &str) -> Result<UnixAddr> {
    match address.strip_prefix('@') {
        Some(name) => UnixAddr::new_abstract(name.as_bytes()),
        None => UnixAddr::new(address),
    }
    .about(address)
}

fn bind_to(fd: i32, address: &dyn SockaddrLike, about: &str) -> Result<()> {
    borrow(fd).and_then(|fd| bind(fd.as_raw_fd(), address)).about(about)
}

/// bind(2) to a unix address: a path, or `@name`.
#[napi]
pub fn bind_unix(fd: i32, address: String) -> Result<()> {
    bind_to(fd, &unix_address(&address)?, &address)
}

/// bind(2) to an IP address in text form; `scope` is an interface number for IPv6, 0: none.
#[napi]
pub fn bind_inet(fd: i32, host: String, port: u32, scope: u32) -> Result<()> {
    let about = format!("{host} port {port}");
    let port = u16::try_from(port).map_err(|_| thrown(Errno::EINVAL, &about))?;
    match host.parse::<IpAddr>().map_err(|_| thrown(Errno::EINVAL, &about))? {
        IpAddr::V4(ip) => bind_to(fd, &SockaddrIn::from(SocketAddrV4::new(ip, port)), &about),
        IpAddr::V6(ip) => bind_to(fd, &SockaddrIn6::from(SocketAddrV6::new(ip, port, 0, scope)), &about),
    }
}

/// bind(2) of a netlink socket to multicast groups, as a bit mask.
#[napi]
pub fn bind_netlink(fd: i32, groups: u32) -> Result<()> {
    bind_to(fd, &NetlinkAddr::new(0, groups), "netlink")
}

/// bind(2) to a vsock address.
#[napi]
pub fn bind_vsock(fd: i32, cid: u32, port: u32) -> Result<()> {
    bind_to(fd, &VsockAddr::new(cid, port), &format!("vsock:{cid}:{port}"))
}

/// The number of a network interface (if_nametoindex(3)).
#[napi]
pub fn interface_number(name: String) -> Result<u32> {
    nix::net::if_::if_nametoindex(name.as_str()).about(name)
}

/// listen(2); the kernel cuts the backlog at net.core.somaxconn.
#[napi]
pub fn listen(fd: i32, backlog: u32) -> Result<()> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    let backlog = Backlog::new(backlog.min(Backlog::MAXCONN.into())).unwrap_or(Backlog::MAXCONN);
    borrow(fd).and_then(|fd| listen_on(&fd, backlog)).about("listen")
}

/// setsockopt(2) of an `int`.
#[napi]
pub fn set_socket_option(fd: i32, level: i32, option: i32, value: i32) -> Result<()> {
    borrow(fd).and_then(|fd| set_option(fd, level, option, &value.to_ne_bytes())).about("setsockopt")
}

/// setsockopt(2) of a text, without its NUL (SO_BINDTODEVICE, TCP_CONGESTION).
#[napi]
pub fn set_socket_option_text(fd: i32, level: i32, option: i32, value: String) -> Result<()> {
    borrow(fd).and_then(|fd| set_option(fd, level, option, value.as_bytes())).about("setsockopt")
}

/// getsockopt(2) of an `int`.
#[napi]
pub fn get_socket_option(fd: i32, level: i32, option: i32) -> Result<i32> {
    borrow(fd).and_then(|fd| get_option(fd, level, option)).about("getsockopt")
}

/// accept4(2) on a unix listener; none: nobody waits. A connection that broke off meanwhile is passed over.
#[napi]
pub fn accept_unix(listener: i32) -> Result<Option<Accepted>> {
    let fd = borrow(listener).about("accept")?;
    for _ in 0..DRAIN_MAX {
        match accept4(fd.as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK) {
            Ok(raw) => {
                let connection = own(raw);
                let peer = getsockopt(&connection, sockopt::PeerCredentials).about("SO_PEERCRED")?;
                let peer = Peer { pid: peer.pid(), uid: peer.uid(), gid: peer.gid() };
                return Ok(Some(Accepted { fd: connection.into_raw_fd(), peer }));
            }
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            Err(errno) => return Err(errno).about("accept"),
        }
    }
    Ok(None)
}

/// Who is at the other end of a unix connection (SO_PEERCRED).
#[napi]
pub fn peer_credentials(fd: i32) -> Result<Peer> {
    let fd = borrow(fd).about("SO_PEERCRED")?;
    let peer = getsockopt(&fd, sockopt::PeerCredentials).about("SO_PEERCRED")?;
    Ok(Peer { pid: peer.pid(), uid: peer.uid(), gid: peer.gid() })
}

/// Connect to a unix listener without waiting; EAGAIN: its backlog is full.
#[napi]
pub fn connect_unix(address: String, kind: String) -> Result<i32> {
    let socket = nix::sys::socket::socket(
        AddressFamily::Unix,
        kind_of(&kind)?,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )
    .about("socket")?;
    connect(socket.as_raw_fd(), &unix_address(&address)?).about(address)?;
    Ok(socket.into_raw_fd())
}

/// One message with descriptors on a unix socket: `sent`, `full` or `closed`.
#[napi]
pub fn send_message(fd: i32, text: String, fds: Vec<i32>) -> Result<&'static str> {
    send_bytes(fd, text.as_bytes(), &fds)
}

/// Read what is there: none: nothing now; empty: the end.
#[napi]
pub fn read_some(fd: i32, max: u32) -> Result<Option<Buffer>> {
    let source = borrow(fd).about("read")?;
    let mut bytes = vec![0u8; max.clamp(1, 1 << 20) as usize];
    match rustix::io::read(source, &mut bytes) {
        Ok(count) => {
            bytes.truncate(count);
            bytes.shrink_to_fit();
            Ok(Some(bytes.into()))
        }
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(rustix::io::Errno::CONNRESET) => Ok(Some(Vec::new().into())),
        Err(errno) => Err(errno).about("read"),
    }
}

/// Write what fits to a socket, without SIGPIPE: how many bytes, or -1 where the other side is gone.
#[napi]
pub fn write_some(fd: i32, bytes: Buffer, offset: u32) -> Result<i32> {
    let rest = bytes.get(offset as usize..).unwrap_or_default();
    match send(fd, rest, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
        Ok(count) => Ok(i32::try_from(count).unwrap_or(i32::MAX)),
        Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => Ok(0),
        Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => Ok(-1),
        Err(errno) => Err(errno).about("write"),
    }
}

/// O_NONBLOCK on or off. It belongs to the open file, so it is seen by everybody who has a duplicate.
#[napi]
pub fn set_non_blocking(fd: i32, on: bool) -> Result<()> {
    let fd = borrow(fd).about("O_NONBLOCK")?;
    rustix::io::ioctl_fionbio(fd, on).about("O_NONBLOCK")
}

/// Throw away what waits: connections of a listener, data of anything else. True: there may be more.
#[napi]
pub fn drain(fd: i32) -> Result<bool> {
    let source = borrow(fd).about("drain")?;
    let flags = rustix::fs::fcntl_getfl(source).about("drain")?;
    if flags.contains(rustix::fs::OFlags::NONBLOCK) {
        return drain_now(source);
    }
    // What services are given blocks, as they expect; it must not for this moment.
    rustix::fs::fcntl_setfl(source, flags | rustix::fs::OFlags::NONBLOCK).about("drain")?;
    let result = drain_now(source);
    rustix::fs::fcntl_setfl(source, flags).about("drain")?;
    result
}

fn drain_now(source: BorrowedFd<'_>) -> Result<bool> {
    let listener = get_option(source, libc::SOL_SOCKET, libc::SO_ACCEPTCONN).is_ok_and(|accepts| accepts != 0);
    let mut bytes = [0u8; 16 * 1024];
    for _ in 0..DRAIN_MAX {
        let result = if listener {
            accept4(source.as_raw_fd(), SockFlag::SOCK_CLOEXEC).map(|raw| {
                drop(own(raw));
                1
            })
        } else if is_socket(source.as_raw_fd()) {
            // A datagram may be empty: only the error says that there is no more.
            nix::sys::socket::recv(source.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT).map(|_| 1)
        } else {
            rustix::io::read(source, &mut bytes).map_err(|errno| Errno::from_raw(errno.raw_os_error()))
        };
        match result {
            Ok(0) | Err(Errno::EAGAIN) => return Ok(false),
            Ok(_) | Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            Err(errno) => return Err(errno).about("drain"),
        }
    }
    Ok(true)
}

fn is_socket(fd: RawFd) -> bool {
    borrow(fd).is_ok_and(|fd| get_option(fd, libc::SOL_SOCKET, libc::SO_TYPE).is_ok())
}

/// pipe2(2), close-on-exec: read end, write end. The write end blocks, as services expect of their output; the read end does not.
#[napi]
pub fn pipe() -> Result<Vec<i32>> {
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).about("pipe")?;
    rustix::io::ioctl_fionbio(&read, true).about("pipe")?;
    Ok(vec![read.into_raw_fd(), write.into_raw_fd()])
}

/// The capacity of a pipe or FIFO (fcntl(2), F_SETPIPE_SZ).
#[napi]
pub fn set_pipe_size(fd: i32, bytes: u32) -> Result<()> {
    let pipe = borrow(fd).about("F_SETPIPE_SZ")?;
    rustix::pipe::fcntl_setpipe_size(pipe, bytes as usize).map(drop).about("F_SETPIPE_SZ")
}

/// mkfifo(3); the mode is subject to the umask.
#[napi]
pub fn make_fifo(path: String, mode: u32) -> Result<()> {
    nix::unistd::mkfifo(path.as_str(), nix::sys::stat::Mode::from_bits_truncate(mode)).about(path)
}

/// mq_open(3), made if it is missing; zero in both limits takes the system's defaults.
#[napi]
pub fn open_message_queue(name: String, mode: u32, max_messages: i64, message_size: i64) -> Result<i32> {
    let text = CString::new(name.as_str()).map_err(|_| thrown(Errno::EINVAL, &name))?;
    message_queue(&text, mode, max_messages, message_size).about(name).map(IntoRawFd::into_raw_fd)
}

/// A duplicate, close-on-exec.
#[napi]
pub fn duplicate(fd: i32) -> Result<i32> {
    let source = borrow(fd).about("dup")?;
    rustix::io::fcntl_dupfd_cloexec(source, 3).about("dup").map(IntoRawFd::into_raw_fd)
}

/// Close a descriptor; one that is not open is an error, as it shows a mistake of the caller.
#[napi]
pub fn close(fd: i32) -> Result<()> {
    borrow(fd).and_then(|_| nix::unistd::close(fd)).about("close")
}
