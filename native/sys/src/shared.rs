//! Memory that outlives the program: a mapped memfd, and system calls whose outcome the kernel itself notes in it.
//!
//! Whatever is taken with one of these calls is in the mapping at the very moment at which it is gone from its source: a fault
//! between the two does not exist. Nothing in here is interpreted; the caller gives places as offsets, which are checked.

use nix::libc;
use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What a message has not been told of yet: no message is that long.
const UNTOLD: u32 = u32::MAX;
/// The first bytes of a place for [`Shared::read_whole`] that has not been read into.
const UNREAD: [u8; 2] = [0xff; 2];

/// A mapped memfd. Only one thread of one process has it mapped, and it is never made shorter.
#[derive(Debug)]
pub struct Shared {
    base: NonNull<u8>,
    bytes: usize,
}

/// Where a message goes: its header (64 bytes), its control data and its bytes, as offsets.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The header; a multiple of 8.
    pub header: usize,
    /// Control data and its length; a multiple of 8.
    pub control: (usize, usize),
    /// The bytes and their length.
    pub data: (usize, usize),
}

/// What is known of a message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// How long it is.
    pub bytes: usize,
    /// The numbers of its descriptors.
    pub fds: Vec<RawFd>,
    /// Something did not fit.
    pub truncated: bool,
}

impl Shared {
    /// Map this memfd.
    ///
    /// # Errors
    /// EINVAL if it is shorter than this; those of fstat(2) and mmap(2).
    pub fn map(memfd: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        if rustix::fs::fstat(memfd)?.st_size < i64::try_from(bytes).unwrap_or(i64::MAX) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let mode = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe { libc::mmap(null_mut(), bytes, mode, libc::MAP_SHARED, memfd.as_raw_fd(), 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<u8>()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        Ok(Self { base, bytes })
    }

    /// A place of so many bytes, if it is inside.
    fn place(&self, at: usize, bytes: usize) -> io::Result<*mut u8> {
        if at.checked_add(bytes).is_none_or(|end| end > self.bytes) {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        // SAFETY: inside the mapping, as was just checked.
        Ok(unsafe { self.base.as_ptr().add(at) })
    }

    fn word(&self, at: usize) -> Option<&AtomicU64> {
        let place = self.place(at, 8).ok().filter(|_| at.is_multiple_of(8))?;
        // SAFETY: inside, aligned, lives as long as the mapping, and is only ever used atomically or by the kernel.
        Some(unsafe { AtomicU64::from_ptr(place.cast()) })
    }

    /// The word at this offset, a multiple of 8; outside: 0.
    #[must_use]
    pub fn load(&self, at: usize) -> u64 {
        self.word(at).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// Set the word at this offset; everything written before is there when it is.
    pub fn store(&self, at: usize, value: u64) {
        if let Some(word) = self.word(at) {
            word.store(value, Ordering::SeqCst);
        }
    }

    /// Copy bytes in; false if they do not fit.
    #[must_use]
    pub fn write(&self, at: usize, bytes: &[u8]) -> bool {
        let Ok(place) = self.place(at, bytes.len()) else { return false };
        // SAFETY: inside the mapping; nobody has a reference into it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        true
    }

    /// Copy bytes out; outside: nothing.
    #[must_use]
    pub fn read(&self, at: usize, bytes: usize) -> Vec<u8> {
        let Ok(place) = self.place(at, bytes) else { return Vec::new() };
        let mut copy = vec![0; bytes];
        // SAFETY: inside the mapping, and as long as the copy.
        unsafe { std::ptr::copy_nonoverlapping(place, copy.as_mut_ptr(), bytes) };
        copy
    }

    /// Give the pages from this offset on back to the kernel; they read as zeroes.
    ///
    /// # Errors
    /// Those of madvise(2).
    pub fn release(&self, from: usize) -> io::Result<()> {
        let from = from.next_multiple_of(4096);
        if from >= self.bytes {
            return Ok(());
        }
        let place = self.place(from, self.bytes - from)?;
        // SAFETY: inside the mapping, and shared, as MADV_REMOVE wants it.
        if unsafe { libc::madvise(place.cast(), self.bytes - from, libc::MADV_REMOVE) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn told_word(&self, header: usize) -> io::Result<&AtomicU32> {
        let place = self.place(header, size_of::<libc::mmsghdr>())?;
        if !header.is_multiple_of(8) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: the member of a header that is inside and aligned; only ever used atomically or by the kernel.
        Ok(unsafe { AtomicU32::from_ptr(place.add(offset_of!(libc::mmsghdr, msg_len)).cast()) })
    }

    /// Forget what was received, read or sent with this header.
    pub fn forget(&self, header: usize) {
        if let Ok(told) = self.told_word(header) {
            told.store(UNTOLD, Ordering::SeqCst);
        }
    }

    /// Receive one message into its place (recvmmsg(2)), without waiting; its descriptors are close-on-exec. `None`: nothing there.
    ///
    /// # Errors
    /// Those of recvmsg(2) but EAGAIN and EINTR; EFAULT for a place that is not inside.
    pub fn receive(&self, socket: BorrowedFd<'_>, place: Place) -> io::Result<Option<(Told, Vec<OwnedFd>)>> {
        let told = self.told_word(place.header)?;
        let control = self.place(place.control.0, place.control.1)?;
        let data = self.place(place.data.0, place.data.1)?;
        let header = self.place(place.header, size_of::<libc::mmsghdr>())?.cast::<libc::mmsghdr>();
        let mut part = libc::iovec { iov_base: data.cast(), iov_len: place.data.1 };
        // SAFETY: all-zero is a valid header; the place is inside and aligned, as `told_word` has checked.
        unsafe {
            header.write(std::mem::zeroed());
            (*header).msg_hdr.msg_iov = &raw mut part;
            (*header).msg_hdr.msg_iovlen = 1;
            (*header).msg_hdr.msg_control = control.cast();
            (*header).msg_hdr.msg_controllen = place.control.1 as _;
        }
        told.store(UNTOLD, Ordering::SeqCst);
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: one complete header, whose buffers are inside the mapping and as long as it says.
        if unsafe { libc::recvmmsg(socket.as_raw_fd(), header, 1, flags as _, null_mut()) } < 1 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => Ok(None),
                _ => Err(error),
            };
        }
        Ok(self.told(place).map(|told| {
            // SAFETY: the kernel has just made these descriptors, and nothing else owns them.
            let fds = told.fds.iter().map(|number| unsafe { OwnedFd::from_raw_fd(*number) }).collect();
            (told, fds)
        }))
    }

    /// What the kernel has told of the message that was received into this place; none: none was.
    #[must_use]
    pub fn told(&self, place: Place) -> Option<Told> {
        let bytes = self.told_word(place.header).ok()?.load(Ordering::SeqCst);
        if bytes == UNTOLD {
            return None;
        }
        let header = self.place(place.header, size_of::<libc::mmsghdr>()).ok()?.cast::<libc::mmsghdr>();
        // SAFETY: inside, aligned, and written by `receive` and the kernel, or zeroes.
        let (used, flags) = unsafe { ((*header).msg_hdr.msg_controllen as usize, (*header).msg_hdr.msg_flags) };
        let fds = numbers_in(&self.read(place.control.0, used.min(place.control.1)));
        let truncated = flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
        Some(Told { bytes: usize::try_from(bytes).unwrap_or(0).min(place.data.1), fds, truncated })
    }

    /// Send one message with these descriptors (sendmmsg(2)), without waiting and without SIGPIPE; that it is sent is noted in
    /// the header. `control`: a place for the descriptors.
    ///
    /// # Errors
    /// Those of sendmsg(2); EFAULT for a place that is not inside, or too small.
    pub fn send(
        &self,
        socket: BorrowedFd<'_>,
        header: usize,
        control: (usize, usize),
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let told = self.told_word(header)?;
        let rights = rights_of(fds);
        if rights.len() > control.1 || !self.write(control.0, &rights) {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        let control = self.place(control.0, control.1)?;
        let header = self.place(header, size_of::<libc::mmsghdr>())?.cast::<libc::mmsghdr>();
        let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        // SAFETY: as in `receive`.
        unsafe {
            header.write(std::mem::zeroed());
            (*header).msg_hdr.msg_iov = &raw mut part;
            (*header).msg_hdr.msg_iovlen = 1;
            if !rights.is_empty() {
                (*header).msg_hdr.msg_control = control.cast();
                (*header).msg_hdr.msg_controllen = rights.len() as _;
            }
        }
        told.store(UNTOLD, Ordering::SeqCst);
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: one complete header; the bytes are only read.
        if unsafe { libc::sendmmsg(socket.as_raw_fd(), header, 1, flags as _) } < 1 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Whether the message with this header was sent.
    #[must_use]
    pub fn sent(&self, header: usize) -> bool {
        self.told_word(header).is_ok_and(|told| told.load(Ordering::SeqCst) != UNTOLD)
    }

    /// Read once into a place (read(2)), which shows afterwards whether anything was read; what comes never begins with two bytes
    /// 0xff. How much was read.
    ///
    /// # Errors
    /// Those of read(2); EFAULT for a place that is not inside.
    pub fn read_whole(&self, from: BorrowedFd<'_>, at: usize, most: usize) -> io::Result<usize> {
        let place = self.place(at, most.max(UNREAD.len()))?;
        if !self.forget_read(at) {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        // SAFETY: a place of that length inside the mapping.
        let count = unsafe { libc::read(from.as_raw_fd(), place.cast(), most) };
        if count < 0 { Err(io::Error::last_os_error()) } else { Ok(usize::try_from(count).unwrap_or(0)) }
    }

    /// Nothing has been read into this place yet; false if it is not inside.
    #[must_use]
    pub fn forget_read(&self, at: usize) -> bool {
        self.write(at, &UNREAD)
    }

    /// Whether anything was read into this place.
    #[must_use]
    pub fn was_read(&self, at: usize) -> bool {
        self.read(at, UNREAD.len()) != UNREAD
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; no reference into it outlives `self`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// The layout of a control message: its length with this header, level, type (cmsg(3)).
const CMSG_HEADER: usize = size_of::<libc::cmsghdr>();

/// Descriptors as one control message; none: no bytes.
fn rights_of(fds: &[BorrowedFd<'_>]) -> Vec<u8> {
    if fds.is_empty() {
        return Vec::new();
    }
    let mut bytes = Vec::with_capacity(CMSG_HEADER + 4 * fds.len() + 4);
    bytes.extend((CMSG_HEADER + 4 * fds.len()).to_ne_bytes());
    bytes.extend(libc::SOL_SOCKET.to_ne_bytes());
    bytes.extend(libc::SCM_RIGHTS.to_ne_bytes());
    fds.iter().for_each(|fd| bytes.extend(fd.as_raw_fd().to_ne_bytes()));
    bytes
}

/// The descriptors in control data. Total over all bytes.
fn numbers_in(mut bytes: &[u8]) -> Vec<RawFd> {
    let mut numbers = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<{ size_of::<usize>() }>() {
        let length = usize::from_ne_bytes(*length);
        let Some((level, rest)) = rest.split_first_chunk::<4>() else { break };
        let Some((kind, rest)) = rest.split_first_chunk::<4>() else { break };
        let Some(data) = length.checked_sub(CMSG_HEADER).and_then(|length| rest.get(..length)) else { break };
        if (i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind)) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            numbers.extend(data.as_chunks::<4>().0.iter().map(|number| RawFd::from_ne_bytes(*number)));
        }
        let Some(next) = bytes.get(length.next_multiple_of(size_of::<usize>())..) else { break };
        bytes = next;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::os::fd::AsFd;

    const BYTES: usize = 65_536;
    const PLACE: Place = Place { header: 64, control: (128, 1024), data: (4096, 4096) };

    fn shared() -> Shared {
        let memfd = memfd_create("test", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&memfd, BYTES as u64).unwrap();
        assert!(Shared::map(memfd.as_fd(), BYTES + 1).is_err());
        Shared::map(memfd.as_fd(), BYTES).unwrap()
    }

    #[test]
    fn a_message_with_descriptors_goes_through_and_both_sides_know_of_it() {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let shared = shared();
        shared.forget(64);
        shared.forget(2048);
        assert!(!shared.sent(2048));
        assert!(shared.receive(theirs.as_fd(), PLACE).unwrap().is_none());
        assert_eq!(shared.told(PLACE), None);
        let fds = [ours.as_fd(), theirs.as_fd(), ours.as_fd()];
        shared.send(ours.as_fd(), 2048, (2176, 512), b"hello", &fds).unwrap();
        assert!(shared.sent(2048));
        let (told, fds) = shared.receive(theirs.as_fd(), PLACE).unwrap().unwrap();
        assert_eq!((told.bytes, told.truncated, fds.len()), (5, false, 3));
        assert_eq!(told.fds, fds.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>());
        assert_eq!(shared.told(PLACE), Some(told));
        assert_eq!(shared.read(4096, 5), b"hello");
        assert!(fds.iter().all(|fd| rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC)));
        shared.send(ours.as_fd(), 2048, (2176, 512), b"", &[]).unwrap();
        assert_eq!(shared.receive(theirs.as_fd(), PLACE).unwrap().unwrap().0.bytes, 0);
        drop((theirs, fds));
        assert!(shared.send(ours.as_fd(), 2048, (2176, 512), b"x", &[]).is_err());
        assert!(!shared.sent(2048));
    }

    #[test]
    fn what_does_not_fit_is_said_and_what_is_not_inside_is_refused() {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let shared = shared();
        shared.send(ours.as_fd(), 2048, (2176, 512), &[7; 5000], &[ours.as_fd()]).unwrap();
        let short = Place { control: (128, 0), ..PLACE };
        let (told, fds) = shared.receive(theirs.as_fd(), short).unwrap().unwrap();
        assert_eq!((told.bytes, told.truncated, fds.len()), (4096, true, 0));
        for place in [Place { header: BYTES - 8, ..PLACE }, Place { data: (BYTES, 1), ..PLACE }] {
            assert!(shared.receive(theirs.as_fd(), place).is_err());
        }
        assert!(shared.send(ours.as_fd(), 2048, (2176, 8), b"", &[ours.as_fd()]).is_err());
        assert!(!shared.write(BYTES - 1, b"ab") && shared.read(BYTES, 1).is_empty());
        shared.store(BYTES, 1);
        assert_eq!(shared.load(BYTES), 0);
    }

    #[test]
    fn released_pages_read_as_zeroes() {
        let shared = shared();
        assert!(shared.write(8192, b"x") && shared.write(10, b"y"));
        shared.release(5000).unwrap();
        assert_eq!((shared.read(8192, 1), shared.read(10, 1)), (vec![0], vec![b'y']));
    }

    #[test]
    fn it_is_seen_whether_anything_was_read() {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        let shared = shared();
        assert!(shared.read_whole(read.as_fd(), 4096, 10).is_err());
        assert!(!shared.was_read(4096));
        rustix::io::write(&write, b"abc").unwrap();
        assert_eq!(shared.read_whole(read.as_fd(), 4096, 10).unwrap(), 3);
        assert!(shared.was_read(4096));
    }

    #[test]
    fn any_control_data_is_read_without_a_panic() {
        for length in 0..64_u8 {
            for value in [0, 1, 16, 20, 0xff] {
                let mut bytes = vec![value; usize::from(length)];
                numbers_in(&bytes);
                if let Some(first) = bytes.first_mut() {
                    *first = 16;
                }
                numbers_in(&bytes);
            }
        }
    }
}
