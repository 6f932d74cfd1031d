//! Readiness: one epoll instance, itself watched by Node's event loop.

use crate::error::{About, Result, thrown};
use crate::raw::{Watch, borrow};
use napi::bindgen_prelude::{Env, Function, JsValue};
use napi_derive::napi;
use nix::errno::Errno;
use rustix::event::{PollFd, PollFlags, epoll};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

/// The most events one `wait` answers.
const EVENTS_MAX: usize = 256;

/// An epoll instance, see epoll(7); the interest bits are EPOLLIN and so on.
#[napi]
pub struct Poller {
    epoll: OwnedFd,
    watch: Option<Watch>,
}

#[napi]
impl Poller {
    /// Create one; nothing calls back until `watch`.
    #[napi(constructor)]
    pub fn new() -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).about("epoll_create1")?;
        Ok(Self { epoll, watch: None })
    }

    /// Call this function from Node's event loop as long as anything is ready; replaces an earlier one.
    #[napi]
    pub fn watch(&mut self, env: Env, on_ready: Function<'_, (), ()>) -> Result<()> {
        self.watch = None;
        let watch = Watch::start(env.raw(), on_ready.raw(), self.epoll.as_raw_fd());
        self.watch = Some(watch.about("watching epoll from the event loop")?);
        Ok(())
    }

    /// Add a descriptor.
    #[napi]
    pub fn add(&self, fd: i32, token: u32, interest: u32) -> Result<()> {
        let source = borrow(fd).about("epoll add")?;
        epoll::add(&self.epoll, source, epoll::EventData::new_u64(token.into()), flags(interest)).about("epoll add")
    }

    /// Change the interest of a descriptor, or arm a one-shot one again.
    #[napi]
    pub fn modify(&self, fd: i32, token: u32, interest: u32) -> Result<()> {
        let source = borrow(fd).about("epoll modify")?;
        epoll::modify(&self.epoll, source, epoll::EventData::new_u64(token.into()), flags(interest))
            .about("epoll modify")
    }

    /// Remove a descriptor; must come before it is closed if it has duplicates.
    #[napi]
    pub fn remove(&self, fd: i32) -> Result<()> {
        let source = borrow(fd).about("epoll remove")?;
        epoll::delete(&self.epoll, source).about("epoll remove")
    }

    /// What is ready now, waiting at most `timeout_ms`: token, events, token, events … in the kernel's order.
    #[napi]
    pub fn wait(&self, timeout_ms: u32) -> Result<Vec<u32>> {
        let mut buffer = [MaybeUninit::<epoll::Event>::uninit(); EVENTS_MAX];
        let timeout = rustix::time::Timespec {
            tv_sec: i64::from(timeout_ms / 1000),
            tv_nsec: i64::from(timeout_ms % 1000) * 1_000_000,
        };
        match epoll::wait(&self.epoll, &mut buffer, Some(&timeout)) {
            Ok((ready, _)) => Ok(ready
                .iter()
                .flat_map(|event| {
                    let (data, flags) = (event.data, event.flags);
                    [u32::try_from(data.u64()).unwrap_or(u32::MAX), flags.bits()]
                })
                .collect()),
            Err(rustix::io::Errno::INTR) => Ok(Vec::new()),
            Err(errno) => Err(errno).about("epoll_wait"),
        }
    }

    /// Let the poller keep Node's event loop alive, or not.
    #[napi]
    pub fn keep_alive(&self, keep: bool) {
        if let Some(watch) = &self.watch {
            watch.keep_alive(keep);
        }
    }

    /// Stop calling back. The object is of no use afterwards.
    #[napi]
    pub fn close(&mut self) {
        self.watch = None;
    }
}

fn flags(interest: u32) -> epoll::EventFlags {
    epoll::EventFlags::from_bits_retain(interest)
}

/// Wait until a descriptor is readable or broken, for at most so long: only for start-up, where there is no loop yet.
#[napi]
pub fn wait_readable(fd: i32, timeout_ms: u32) -> Result<bool> {
    let source = borrow(fd).about("poll")?;
    let timeout = rustix::time::Timespec {
        tv_sec: i64::from(timeout_ms / 1000),
        tv_nsec: i64::from(timeout_ms % 1000) * 1_000_000,
    };
    let mut fds = [PollFd::new(&source, PollFlags::IN)];
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Ok(false),
        Ok(_) if fds[0].revents().contains(PollFlags::NVAL) => Err(thrown(Errno::EBADF, "poll")),
        Ok(_) => Ok(true),
        Err(errno) => Err(errno).about("poll"),
    }
}
