//! The black box: what core is doing at this moment, readable by init after core's death.
//!
//! Layout, 64 bytes: event number (u64, little-endian), phase (u8), length of the actor's name (u8), the name (40 bytes, UTF-8).

use crate::error::{About, Result};
use crate::raw::{Mapping, borrow};
use napi_derive::napi;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::num::NonZeroUsize;
use std::os::fd::IntoRawFd;

/// Size of the slot.
const SIZE: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// The longest name.
const ACTOR_MAX: usize = 40;

/// A mapped slot.
#[napi]
pub struct BlackBox {
    slot: Mapping,
}

#[napi]
impl BlackBox {
    /// Map the slot in a descriptor of at least 64 bytes; the descriptor stays the caller's.
    #[napi(constructor)]
    pub fn new(fd: i32) -> Result<Self> {
        let slot = Mapping::new(borrow(fd).about("black box")?, SIZE).about("black box")?;
        Ok(Self { slot })
    }

    /// A new memfd of the right size; the descriptor is the caller's.
    #[napi]
    pub fn create() -> Result<i32> {
        let memfd = memfd_create("black-box", MemfdFlags::CLOEXEC).about("memfd_create")?;
        ftruncate(&memfd, SIZE.get() as u64).about("black box")?;
        Ok(memfd.into_raw_fd())
    }

    /// Write what is about to be done; the name is cut at a character boundary. No system call.
    #[napi]
    pub fn mark(&mut self, seq: f64, phase: u32, actor: String) {
        let mut end = actor.len().min(ACTOR_MAX);
        while !actor.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = [0u8; 50];
        bytes[..8].copy_from_slice(&(seq.max(0.0) as u64).to_le_bytes());
        bytes[8] = u8::try_from(phase).unwrap_or(u8::MAX);
        bytes[9] = end as u8;
        bytes[10..10 + end].copy_from_slice(&actor.as_bytes()[..end]);
        // The name's length goes to zero first, so that a death in between never pairs a name with another's number.
        self.slot.write(9, &[0]);
        self.slot.write(10, &bytes[10..]);
        self.slot.write(0, &bytes[..9]);
        self.slot.write(9, &bytes[9..10]);
    }
}
