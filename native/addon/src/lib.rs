//! What core needs of the kernel and Node lacks: the link to init, readiness of any descriptor, and single system calls.
//!
//! Mechanism only: no function here decides, retries, logs or remembers. Descriptors cross the border as numbers and belong
//! to the caller from then on; every descriptor made here is close-on-exec and, where that means anything, non-blocking.
//! Errors are thrown as an `Error` whose `code` is the errno by name (`ENOENT`) and whose message is what it was about.
//! The typed face of all this is `index.d.ts`, kept by hand beside `Cargo.toml`.
#![deny(unsafe_code)]
// Under test nothing is exported to JavaScript, so everything would count as unused.
#![cfg_attr(test, allow(dead_code))]

mod ahead;
mod blackbox;
mod checks;
mod checksum;
mod datagram;
mod error;
mod files;
mod frames;
mod paths;
mod peers;
mod poller;
#[allow(unsafe_code)]
mod raw;
mod sockets;
mod spec;
mod time;
mod watched;
