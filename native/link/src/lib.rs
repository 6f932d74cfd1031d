//! The one definition of what init, exec and core say to each other.
//!
//! Three things cross a process boundary, and all three are plain data:
//! a [`ToInit`] frame from core, a [`FromInit`] frame to core, and an [`ExecSpec`] in a sealed memfd.
//! On the wire a frame is two bytes (protocol version, reserved zero) and a postcard body; core sees the same
//! types as JSON, through the addon, with the field names written here (camelCase) and enums externally tagged.
//! Decoding is total: any byte string gives a frame or a [`FrameError`], never a panic.
#![forbid(unsafe_code)]
#![no_std]
extern crate alloc;

mod frame;
mod handover;
mod spec;

pub use frame::*;
pub use handover::*;
pub use spec::*;
