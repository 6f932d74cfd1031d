//! Keeps what services write, per unit and bounded.
#![forbid(unsafe_code)]
fn main() {}
