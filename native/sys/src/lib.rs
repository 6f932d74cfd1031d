//! The few system calls that no well-kept crate wraps safely: small, each with its reason.

pub mod exec_calls;
