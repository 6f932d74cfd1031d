//! A shared mapping of a small file, written without system calls.

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{Ordering, compiler_fence};

/// A mapping, MAP_SHARED, for writing only.
pub struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone; nothing in it refers to the thread that made it.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Map the first `length` bytes, which the file must have.
    pub fn new(fd: impl AsFd, length: NonZeroUsize) -> nix::Result<Self> {
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing.
        let start =
            unsafe { mmap(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, fd, 0) }?;
        Ok(Self { start, length: length.get() })
    }

    /// Write bytes at an offset, in program order with other writes; what would not fit is left out.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        for (at, byte) in (offset..self.length).zip(bytes) {
            // SAFETY: `at` is below `length`, within the mapping, which lives as long as `self`. Volatile, since another
            // process reads it.
            unsafe { self.start.as_ptr().cast::<u8>().add(at).write_volatile(*byte) };
        }
        compiler_fence(Ordering::SeqCst);
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: start and length are those of our own mapping, and nothing borrows from it.
        // A failure is impossible for a mapping that exists, and would only keep a page.
        let _ = unsafe { munmap(self.start, self.length) };
    }
}
