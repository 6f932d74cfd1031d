//! Accepting one connection on a listener that belongs to a unit.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddr, SocketFlags, acceptfrom_with, getpeername, getsockname, sockopt};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// A connection, and who is at the other end.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub socket: OwnedFd,
    /// Peer process of a unix connection, 0 otherwise.
    pub peer_pid: i32,
    /// Peer user of a unix connection.
    pub peer_uid: Option<u32>,
    /// Peer address of an IP connection, empty otherwise.
    pub peer: String,
}

/// Accept without waiting.
///
/// # Errors
/// EAGAIN if there is no connection; those of accept(2).
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<Accepted> {
    // The flag belongs to the open socket, which a service may share: it is put back.
    let flags = fcntl_getfl(listener)?;
    let blocking = !flags.contains(OFlags::NONBLOCK);
    if blocking {
        fcntl_setfl(listener, flags | OFlags::NONBLOCK)?;
    }
    let accepted = acceptfrom_with(listener, SocketFlags::CLOEXEC);
    if blocking {
        fcntl_setfl(listener, flags)?;
    }
    describe(accepted?.0)
}

/// The one connection among these sockets that was accepted on this listener; none: there is none.
///
/// An init that faulted between accepting and noting has left at most one.
pub fn find(listener: BorrowedFd<'_>, strays: Vec<OwnedFd>) -> Option<OwnedFd> {
    let own = getsockname(listener).ok()?;
    let kind = sockopt::socket_type(listener).ok()?;
    strays.into_iter().find(|socket| {
        let is_same = match (getsockname(socket).map(SocketAddr::try_from), SocketAddr::try_from(own.clone())) {
            // A listener on any address has connections on particular ones.
            (Ok(Ok(its)), Ok(own)) => its.port() == own.port(),
            (Ok(Err(_)), Err(_)) => getsockname(socket).is_ok_and(|its| its == own),
            _ => false,
        };
        is_same && sockopt::socket_type(socket) == Ok(kind) && sockopt::socket_acceptconn(socket) == Ok(false)
    })
}

/// Who is at the other end of a connection.
///
/// # Errors
/// Those of getsockopt(2) and getpeername(2).
pub fn describe(socket: OwnedFd) -> io::Result<Accepted> {
    let unix = sockopt::socket_domain(&socket)? == AddressFamily::UNIX;
    let (peer_pid, peer_uid) = match sockopt::socket_peercred(&socket) {
        Ok(peer) if unix => (peer.pid.as_raw_nonzero().get(), Some(peer.uid.as_raw())),
        _ => (0, None),
    };
    let peer = match getpeername(&socket).map(|address| address.map(SocketAddr::try_from)) {
        Ok(Some(Ok(SocketAddr::V4(address)))) => address.to_string(),
        Ok(Some(Ok(SocketAddr::V6(address)))) => address.to_string(),
        // The connection may be gone again already; it is accepted all the same, and its service sees the end of it.
        Ok(_) | Err(Errno::NOTCONN) => String::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(Accepted { socket, peer_pid, peer_uid, peer })
}
