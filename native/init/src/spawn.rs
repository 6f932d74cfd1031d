//! Starting a child: always the exec helper, from a sealed memfd, by posix_spawn (no code of ours between fork and exec).

use crate::say::say;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use sysmaster_link::{ExecSpec, FDS_MAX, HANDOVER_LAST, HANDOVER_MORE};

/// Bytes of control data for the most descriptors a message can carry.
const CONTROL_BYTES: usize = rustix::cmsg_space!(ScmRights(FDS_MAX));
/// The largest program that is loaded as helper.
const IMAGE_MAX: u64 = 64 << 20;

/// A child that has been forked.
#[derive(Debug)]
pub struct Started {
    /// Its pid.
    pub pid: i32,
    /// Read end of its status pipe, non-blocking.
    pub status: OwnedFd,
    /// The child does nothing before it is told to by [`let_go`]; closed without a word, it ends.
    pub gate: OwnedFd,
}

/// The child may go on: it is known by now. Done twice it is the same.
pub fn let_go(gate: &OwnedFd) {
    // A child that has been killed meanwhile needs no word; its end is reported like any other.
    let _ = send_marker(gate, HANDOVER_LAST, &[]);
}

/// The exec helper, ready to be started without touching a file system.
#[derive(Debug)]
pub struct Helper {
    image: OwnedFd,
    null: OwnedFd,
}

impl Helper {
    /// Load the helper at this path.
    ///
    /// # Errors
    /// Those of reading it and of memfd_create(2).
    pub fn load(path: &Path, null: OwnedFd) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if file.metadata()?.len() > IMAGE_MAX {
            return Err(Errno::FBIG.into());
        }
        let mut image = File::from(executable_memfd()?);
        io::copy(&mut file, &mut image)?;
        let image = OwnedFd::from(image);
        fcntl_add_seals(&image, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(Self { image, null })
    }

    /// A helper that has come through a re-exec.
    #[must_use]
    pub fn restore(image: OwnedFd, null: OwnedFd) -> Self {
        Self { image, null }
    }

    /// Its descriptor, to take it through a re-exec.
    #[must_use]
    pub fn image(&self) -> BorrowedFd<'_> {
        self.image.as_fd()
    }

    /// Its /dev/null, for the same reason.
    #[must_use]
    pub fn null(&self) -> BorrowedFd<'_> {
        self.null.as_fd()
    }

    /// The name the kernel gives a process that has not yet become its program (proc(5), comm).
    #[must_use]
    pub fn comm(&self) -> String {
        self.image.as_raw_fd().to_string()
    }

    /// Fork a child that waits at its gate. The spec is descriptor 0 of the handover, `fds` are the ones it counts.
    ///
    /// # Errors
    /// errno of what failed: no memory, no process, no descriptor left.
    pub fn start(&self, spec: BorrowedFd<'_>, fds: &[BorrowedFd<'_>], original: &Rlimit) -> io::Result<Started> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        hand_over(&ours, spec, fds)?;
        let (status, report) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&status, true)?;
        let null = self.null.try_clone()?;
        let mut command = Command::new(format!("/proc/self/fd/{}", self.image.as_raw_fd()));
        command.arg0("sysmaster-exec").env_clear();
        command.stdin(Stdio::from(theirs)).stdout(Stdio::from(report)).stderr(Stdio::from(null));
        // Init's own limit is raised for its store; a child inherits the one init was given. From here to the second call init
        // opens nothing, so that the lower limit does not matter to it.
        let raised = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, *original)?;
        let spawned = command.spawn();
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            say(2, &format!("RLIMIT_NOFILE: cannot be raised again: {error}"));
        }
        let pid = i32::try_from(spawned?.id()).map_err(|_| Errno::OVERFLOW)?;
        Ok(Started { pid, status, gate: ours })
    }
}

/// A sealed memfd with this spec.
///
/// # Errors
/// Those of memfd_create(2) and write(2).
pub fn spec_memfd(spec: &ExecSpec) -> io::Result<OwnedFd> {
    let bytes = postcard::to_allocvec(spec).map_err(|_| Errno::INVAL)?;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("spec", flags)?);
    file.write_all(&bytes)?;
    let memfd = OwnedFd::from(file);
    fcntl_add_seals(&memfd, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(memfd)
}

/// Kernels from 6.3 on want to be told that it will be executed; older ones refuse to be told.
fn executable_memfd() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create("sysmaster-exec", flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => Ok(memfd_create("sysmaster-exec", flags)?),
        answer => Ok(answer?),
    }
}

fn hand_over(socket: &OwnedFd, spec: BorrowedFd<'_>, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let all: Vec<BorrowedFd<'_>> = std::iter::once(spec).chain(fds.iter().copied()).collect();
    all.chunks(FDS_MAX).try_for_each(|part| send_marker(socket, HANDOVER_MORE, part))
}

fn send_marker(socket: &OwnedFd, marker: u8, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); CONTROL_BYTES];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::NOBUFS.into());
    }
    sendmsg(socket, &[IoSlice::new(&[marker])], &mut control, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
    Ok(())
}
