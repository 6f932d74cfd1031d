//! A core for tests: it hands its link to whoever listens on the socket named by FAKE_CORE_SOCKET, and then lives until it is told
//! to end through that connection (a byte: its exit status), or killed. So a test plays core itself.
#![forbid(unsafe_code)]

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

fn main() {
    let Some(path) = std::env::var_os("FAKE_CORE_SOCKET") else {
        eprintln!("fake core: FAKE_CORE_SOCKET is not set");
        std::process::exit(2);
    };
    let mut socket = match UnixStream::connect(&path) {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("fake core: {}: {error}", path.display());
            std::process::exit(3);
        }
    };
    let link = std::io::stdin();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
    let fds = [link.as_fd()];
    control.push(rustix::net::SendAncillaryMessage::ScmRights(&fds));
    let pid = std::process::id().to_le_bytes();
    let flags = rustix::net::SendFlags::empty();
    if let Err(error) = rustix::net::sendmsg(&socket, &[std::io::IoSlice::new(&pid)], &mut control, flags) {
        eprintln!("fake core: sendmsg: {error}");
        std::process::exit(4);
    }
    let mut byte = [0];
    let told = socket.read(&mut byte).unwrap_or(0);
    // The test has gone: there is nobody to play for.
    if told == 0 {
        std::process::exit(0);
    }
    std::process::exit(i32::from(byte[0]));
}
