//! Init: PID 1, the only parent. It spawns, reaps, keeps the link, keeps core alive, keeps descriptors, ends the system; it knows no units.
//!
//! [`step`] decides, without a system call; [`turn`] is the loop that acts. [`state`] is all there is to know, and fits a memfd;
//! [`journal`] holds what has happened since it was saved, and [`replay`] goes on from there after a fault.
#![forbid(unsafe_code)]

pub mod accept;
pub mod act;
pub mod cgroup;
pub mod config;
pub mod container;
pub mod core;
pub mod early;
pub mod ending;
pub mod fault;
pub mod finish;
pub mod heirs;
pub mod inputs;
pub mod journal;
pub mod keeper;
pub mod kill;
pub mod link;
pub mod place;
pub mod process;
pub mod reexec;
pub mod replay;
pub mod say;
pub mod spawn;
pub mod start;
pub mod state;
pub mod step;
pub mod tables;
pub mod turn;
pub mod userspace;
