//! Questions about paths that may hang (a dead network mount): each batch on a thread of its own, which nobody waits for.

use crate::error::{About, Result, thrown};
use crate::paths::{Request, evaluate};
use napi_derive::napi;
use nix::errno::Errno;
use rustix::event::EventfdFlags;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

/// Stack of a checking thread: it runs stat, glob and a short read, nothing recursive of ours.
const STACK_BYTES: usize = 256 * 1024;

/// The answer to one batch.
#[napi(object)]
pub struct CheckAnswer {
    /// The number it was asked under.
    pub token: u32,
    /// JSON: an array, one element a check.
    pub json: String,
}

/// Evaluate a batch of checks here and now: JSON in, JSON out. For paths that cannot hang.
#[napi]
pub fn check_paths_now(request: String) -> Result<String> {
    let request: Request =
        serde_json::from_str(&request).map_err(|why| thrown(Errno::EINVAL, format!("path checks: {why}")))?;
    answer(&request)
}

fn answer(request: &Request) -> Result<String> {
    serde_json::to_string(&evaluate(request)).map_err(|why| thrown(Errno::EINVAL, format!("path checks: {why}")))
}

/// Checks on threads. Its descriptor is readable when an answer is there.
#[napi]
pub struct PathChecker {
    wake: Arc<OwnedFd>,
    answers: Arc<Mutex<Vec<CheckAnswer>>>,
}

#[napi]
impl PathChecker {
    /// Create one; no thread runs until something is asked.
    #[napi(constructor)]
    pub fn new() -> Result<Self> {
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).about("eventfd")?;
        Ok(Self { wake: Arc::new(wake), answers: Arc::default() })
    }

    /// The descriptor to watch; it stays the checker's.
    #[napi(getter)]
    pub fn fd(&self) -> i32 {
        self.wake.as_raw_fd()
    }

    /// Start one thread for this batch. It ends with its answer, or hangs for as long as the file system does.
    #[napi]
    pub fn ask(&self, token: u32, request: String) -> Result<()> {
        let request: Request =
            serde_json::from_str(&request).map_err(|why| thrown(Errno::EINVAL, format!("path checks: {why}")))?;
        let (wake, answers) = (Arc::clone(&self.wake), Arc::clone(&self.answers));
        std::thread::Builder::new()
            .name("path-checks".to_string())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let json = answer(&request).unwrap_or_else(|_| "[]".to_string());
                answers.lock().unwrap_or_else(PoisonError::into_inner).push(CheckAnswer { token, json });
                // An eventfd fails to count up only where it is readable already.
                let _ = rustix::io::write(&*wake, &1u64.to_ne_bytes());
            })
            .map(drop)
            .about("thread")
    }

    /// The answers that have come in.
    #[napi]
    pub fn take(&self) -> Vec<CheckAnswer> {
        let mut count = [0u8; 8];
        // EAGAIN: somebody asked without having been woken, which is harmless.
        let _ = rustix::io::read(&*self.wake, &mut count);
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
