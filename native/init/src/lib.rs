//! Init: PID 1, the only parent. It spawns, reaps, keeps the link, keeps core alive, keeps descriptors, ends the system; it knows no units.
//!
//! [`step`] decides, without a system call; [`turn`] is the loop that acts. [`state`] is all there is to know, and fits a memfd.
#![forbid(unsafe_code)]

pub mod accept;
pub mod act;
pub mod cgroup;
pub mod config;
pub mod container;
pub mod core;
pub mod early;
pub mod ending;
pub mod finish;
pub mod keeper;
pub mod kill;
pub mod link;
pub mod process;
pub mod reexec;
pub mod say;
pub mod spawn;
pub mod start;
pub mod state;
pub mod step;
pub mod turn;
pub mod userspace;
