//! The few system calls that no well-kept crate wraps safely: small, each with its reason.

pub mod descriptor;
pub mod exec_calls;
pub mod fatal;
pub mod machine;
pub mod memory;
pub mod shared;
pub mod signal;
pub mod stdio;
pub mod wait;
