//! Files: change notices, locks, room on disk, process descriptors, leaving.

use crate::error::{About, Result, thrown};
use crate::raw::{borrow, exit_now};
use napi_derive::napi;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::event::EventfdFlags;
use rustix::fs::inotify;
use std::mem::MaybeUninit;
use std::os::fd::IntoRawFd;

/// One change, see inotify(7).
#[napi(object)]
pub struct Change {
    /// Which watch; -1: the queue overflowed.
    pub watch: i32,
    /// IN_ bits.
    pub mask: u32,
    /// The entry of a watched directory.
    pub name: Option<String>,
}

/// A non-blocking inotify descriptor.
#[napi]
pub fn inotify_create() -> Result<i32> {
    inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
        .about("inotify_init1")
        .map(IntoRawFd::into_raw_fd)
}

/// Watch a path; answers the watch's number, the same for the same inode.
#[napi]
pub fn inotify_add(fd: i32, path: String, mask: u32) -> Result<i32> {
    let fd = borrow(fd).about("inotify")?;
    inotify::add_watch(fd, path.as_str(), inotify::WatchFlags::from_bits_retain(mask)).about(path)
}

/// Stop watching; a number that is gone already is no error.
#[napi]
pub fn inotify_remove(fd: i32, watch: i32) -> Result<()> {
    let fd = borrow(fd).about("inotify")?;
    match inotify::remove_watch(fd, watch) {
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno).about("inotify"),
    }
}

/// Up to `max` changes, oldest first.
#[napi]
pub fn inotify_read(fd: i32, max: u32) -> Result<Vec<Change>> {
    let fd = borrow(fd).about("inotify")?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    let mut reader = inotify::Reader::new(fd, &mut buffer);
    let mut changes = Vec::new();
    // What was read into the buffer must not be lost with it, so the bound counts only where it is empty.
    while changes.len() < max as usize || !reader.is_buffer_empty() {
        match reader.next() {
            Ok(event) => changes.push(Change {
                watch: event.wd(),
                mask: event.events().bits(),
                name: event.file_name().map(|name| name.to_string_lossy().into_owned()),
            }),
            Err(rustix::io::Errno::AGAIN) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno).about("inotify"),
        }
    }
    Ok(changes)
}

/// Take an exclusive lock on the whole file that belongs to the open file, not the process (F_OFD_SETLK). False: another has it.
#[napi]
pub fn lock_file(fd: i32) -> Result<bool> {
    let fd = borrow(fd).about("lock")?;
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(fd, FcntlArg::F_OFD_SETLK(&lock)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno).about("lock"),
    }
}

/// Reserve room for the first `bytes` bytes (posix_fallocate(3)), growing the file if it is shorter. `from`: so many of them have theirs.
#[napi]
pub fn allocate(fd: i32, bytes: i64, from: Option<i64>) -> Result<()> {
    let fd = borrow(fd).about("fallocate")?;
    let from = from.unwrap_or(0);
    nix::fcntl::posix_fallocate(fd, from, bytes.saturating_sub(from)).about("fallocate")
}

/// An empty file in memory that has no name in any file system (memfd_create(2)); the descriptor is the caller's.
#[napi]
pub fn memory_file(name: String) -> Result<i32> {
    let memfd = rustix::fs::memfd_create(name.as_str(), rustix::fs::MemfdFlags::CLOEXEC).about("memfd_create")?;
    Ok(memfd.into_raw_fd())
}

/// pidfd_open(2): readable when the process has ended.
#[napi]
pub fn open_pidfd(pid: i32) -> Result<i32> {
    let about = format!("pid {pid}");
    let pid = rustix::process::Pid::from_raw(pid).ok_or_else(|| thrown(Errno::EINVAL, &about))?;
    let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).about(about)?;
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC).about("pidfd")?;
    Ok(fd.into_raw_fd())
}

/// A non-blocking eventfd with count zero.
#[napi]
pub fn create_eventfd() -> Result<i32> {
    rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .about("eventfd")
        .map(IntoRawFd::into_raw_fd)
}

/// Write without waiting where the file allows that: how many bytes, or -1 if it cannot take any now.
#[napi]
pub fn write_line(fd: i32, line: String) -> Result<i32> {
    let file = borrow(fd).about("write")?;
    match rustix::io::write(file, line.as_bytes()) {
        Ok(count) => Ok(i32::try_from(count).unwrap_or(i32::MAX)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(-1),
        Err(errno) => Err(errno).about("write"),
    }
}

/// Give back what the allocator keeps, and drop the mappings of text that only a start needed; what is used again comes back.
#[napi]
pub fn let_go_of_text() -> Result<()> {
    sysmaster_sys::memory::trim_heap();
    sysmaster_sys::memory::let_go_of_text(|| ()).0.about("memory")
}

/// End the process at once, without waiting for threads that may hang in a system call (_exit(2)).
#[napi]
pub fn leave(status: i32) {
    exit_now(status);
}
