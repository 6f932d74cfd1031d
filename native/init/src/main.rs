//! PID 1: spawns, reaps, keeps core alive, keeps descriptors, ends the system.
#![forbid(unsafe_code)]
fn main() {}
