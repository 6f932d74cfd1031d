//! Becoming another init without losing anything: the state in a memfd, the descriptors kept open over execve(2).
//!
//! The new program is first run as a child that only looks at the state (`--check`). What cannot be carried over is nothing:
//! the link stays, core does not notice. The same memfds, refreshed whenever the state has changed, are what a fault falls back on.

use crate::core::{own_program, spec};
use crate::link::{Link, Progress};
use crate::say::say;
use crate::spawn::Helper;
use crate::state::{STATE_VERSION, State};
use crate::step::Event;
use crate::turn::{Init, errno, now_us};
use nix::unistd::execve;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Rlimit;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use sysmaster_link::Ended;
use sysmaster_sys::descriptor::take_fd;
use sysmaster_sys::fatal;
use sysmaster_sys::wait::{Whom, peek};

/// How often init comes back from a fault before it stands still.
const FAULTS_MAX: u32 = 3;
/// After so long without a fault the earlier ones are forgotten.
const FORGET_US: u64 = 600_000_000;

/// How much of init's time may go into the state that a fault falls back on: one part in so many.
const SAVE_SHARE: u64 = 5;
/// Less than this is no matter.
const SAVE_CHEAP_US: u64 = 1_000;
/// Core is never kept waiting for longer than this.
const SAVE_APART_MAX_US: u64 = 50_000;

/// All of init, with the numbers of its descriptors. It is read whole, and written from what is there (`S`: the state, `N`: a name).
#[derive(Serialize, Deserialize)]
struct Saved<S = State, N = String> {
    state: S,
    link: Option<(RawFd, Progress)>,
    store: Vec<(N, RawFd)>,
    statuses: Vec<(u64, RawFd)>,
    pidfds: Vec<((i32, u64), RawFd)>,
    helper: RawFd,
    null: RawFd,
    /// RLIMIT_NOFILE, soft and hard.
    limits: (Option<u64>, Option<u64>),
}

/// What came through: everything but the loop itself.
pub struct Restored {
    /// All that is known.
    pub state: State,
    /// The link to core.
    pub link: Option<Link>,
    /// The descriptor store.
    pub store: BTreeMap<String, OwnedFd>,
    /// Status pipes.
    pub statuses: BTreeMap<u64, OwnedFd>,
    /// Watched processes.
    pub pidfds: BTreeMap<(i32, u64), OwnedFd>,
    /// The exec helper.
    pub helper: Helper,
    /// The limit on descriptors that init was given at first.
    pub limits: Rlimit,
}

/// The memfds a fault falls back on.
pub struct Net {
    slots: [File; fatal::SLOTS],
    next: usize,
    faults: u32,
    armed_us: u64,
    /// Before this the state is not written again.
    due_us: u64,
}

/// How long to wait after a write that took so long: nothing for a small state, and for one of ten thousand units, which is
/// megabytes, so long that writing it takes a fixed share of the time.
const fn apart_us(cost_us: u64) -> u64 {
    if cost_us < SAVE_CHEAP_US {
        return 0;
    }
    let apart_us = cost_us.saturating_mul(SAVE_SHARE - 1);
    if apart_us < SAVE_APART_MAX_US { apart_us } else { SAVE_APART_MAX_US }
}

/// Processor time of this thread, in microseconds: on a busy machine a small state is written no less often.
fn spent_us() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0) / 1000)
}

impl Net {
    /// Make the memfds and arm the handler; `faults`: how many there were in a row.
    ///
    /// # Errors
    /// Those of memfd_create(2) and sigaction(2).
    pub fn spread(faults: u32) -> io::Result<Self> {
        let memfd = || memfd_create("state", MemfdFlags::CLOEXEC).map(File::from);
        let net = Self { slots: [memfd()?, memfd()?], next: 0, faults, armed_us: now_us(), due_us: 0 };
        net.arm()?;
        Ok(net)
    }

    fn arm(&self) -> io::Result<()> {
        let argv = |slot: usize| {
            let number = self.slots.get(slot).map_or(-1, AsRawFd::as_raw_fd);
            if self.faults >= FAULTS_MAX {
                return Vec::new();
            }
            arguments_with(&[format!("--restore={number}"), format!("--fault={}", self.faults + 1)])
        };
        fatal::arm(c_string(&own_program()), [argv(0), argv(1)], environment())
    }
}

impl Init {
    /// When [`Self::refresh_net`] may be called again.
    pub(crate) fn net_due_us(&self) -> u64 {
        self.net.as_ref().map_or(0, |net| net.due_us)
    }

    /// Bring the state a fault falls back on up to date.
    pub(crate) fn refresh_net(&mut self) {
        let Some(mut net) = self.net.take() else { return };
        if net.faults > 0 && now_us().saturating_sub(net.armed_us) > FORGET_US {
            net.faults = 0;
            net.armed_us = now_us();
            if let Err(error) = net.arm() {
                say(3, &format!("fault handler: {error}"));
            }
        }
        let slot = net.next;
        let began_us = spent_us();
        if let (Some(file), Ok(bytes)) = (net.slots.get(slot), self.save())
            && file.write_all_at(&bytes, 0).is_ok()
            && file.set_len(u64::try_from(bytes.len()).unwrap_or(0)).is_ok()
        {
            let highest = self.descriptors().iter().map(AsRawFd::as_raw_fd).max().unwrap_or(2);
            fatal::saved(slot, highest.max(file.as_raw_fd()));
            net.next = (slot + 1) % fatal::SLOTS;
        }
        let cost_us = spent_us().saturating_sub(began_us);
        net.due_us = now_us().saturating_add(apart_us(cost_us));
        self.net = Some(net);
    }

    /// Every descriptor that goes along.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let link = self.link.iter().map(AsFd::as_fd);
        let tables = self.store.values().chain(self.statuses.values()).chain(self.pidfds.values()).map(AsFd::as_fd);
        link.chain(tables).chain([self.helper.image(), self.helper.null()]).collect()
    }

    fn save(&self) -> io::Result<Vec<u8>> {
        let saved = Saved {
            state: &self.state,
            link: self.link.as_ref().map(|link| (link.as_fd().as_raw_fd(), link.progress.clone())),
            store: self.store.iter().map(|(name, fd)| (name.as_str(), fd.as_raw_fd())).collect(),
            statuses: self.statuses.iter().map(|(serial, fd)| (*serial, fd.as_raw_fd())).collect(),
            pidfds: self.pidfds.iter().map(|(key, fd)| (*key, fd.as_raw_fd())).collect(),
            helper: self.helper.image().as_raw_fd(),
            null: self.helper.null().as_raw_fd(),
            limits: (self.limits.current, self.limits.maximum),
        };
        let head = STATE_VERSION.to_le_bytes().to_vec();
        postcard::to_extend(&saved, head).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    /// Run the new program as a child on the state, which it either understands or not.
    pub(crate) fn start_check(&mut self, serial: u64, path: &str) -> Event {
        let path = if path.is_empty() { own_program() } else { path.to_owned() };
        let mut check = spec("check", &[path, "--check".to_owned()]);
        check.stdin = sysmaster_link::Stdio::Fd(0);
        match self.save().and_then(|bytes| state_memfd(&bytes)) {
            Ok(memfd) => self.start_with(serial, &check, &[memfd.as_fd()]),
            Err(error) => Event::ForkFailed { serial, errno: errno(&error), detail: "state".to_owned() },
        }
    }

    /// Become the program at this path, or init's own. Comes back only if that failed, with the errno.
    pub(crate) fn reexec(&mut self, path: &str) -> i32 {
        let path = if path.is_empty() { own_program() } else { path.to_owned() };
        let memfd = match self.save().and_then(|bytes| state_memfd(&bytes)) {
            Ok(memfd) => memfd,
            Err(error) => return errno(&error),
        };
        let mut kept = self.descriptors();
        kept.push(memfd.as_fd());
        let inherit = |flags: FdFlags| kept.iter().try_for_each(|fd| fcntl_setfd(fd, flags));
        let failed = match inherit(FdFlags::empty()) {
            Ok(()) => {
                let words = arguments_with(&[format!("--restore={}", memfd.as_raw_fd())]);
                execve(&c_string(&path), &words, &environment()).err().map_or(0, |errno| errno as i32)
            }
            Err(error) => error.raw_os_error(),
        };
        if let Err(error) = inherit(FdFlags::CLOEXEC) {
            say(3, &format!("re-exec: {error}"));
        }
        failed
    }

    /// After a re-exec: find out about children that were lost in it. Only a fault can have lost any.
    pub(crate) fn count_children(&mut self) {
        let children: Vec<(u64, i32, u64)> =
            self.state.children.values().map(|child| (child.serial, child.pid, child.start_time)).collect();
        for (serial, pid, start_time) in children {
            if pid == 0 {
                self.handle(
                    Event::ForkFailed { serial, errno: nix::libc::EINTR, detail: "fork".to_owned() },
                    Vec::new(),
                );
            } else if peek(Whom::Pid(pid)).is_err() {
                say(3, &format!("process {pid}: ended while init faulted; how is not known"));
                let ended = Ended::Killed(nix::libc::SIGKILL);
                self.handle(Event::Exited { pid, start_time, ended, black_box: None }, Vec::new());
            }
        }
    }
}

/// Whether descriptor 0 holds a state that this program understands (`--check`).
#[must_use]
pub fn check() -> bool {
    let Ok(fd) = io::stdin().as_fd().try_clone_to_owned() else { return false };
    read_state(&mut File::from(fd)).is_ok()
}

/// Take over what the init before left in this descriptor.
///
/// # Errors
/// Words for a person. A descriptor that did not come through is left out and said; without the helper nothing goes on.
pub fn restore(number: RawFd) -> Result<Restored, String> {
    let memfd = take_fd(number).map_err(|error| format!("descriptor {number}: {error}"))?;
    let saved = read_state(&mut File::from(memfd)).map_err(|error| format!("the saved state: {error}"))?;
    let take = |what: &str, number: RawFd| match take_fd(number) {
        Ok(fd) => Some(fd),
        Err(error) => {
            say(2, &format!("re-exec: {what} (descriptor {number}) did not come through: {error}"));
            None
        }
    };
    let helper = take("the exec helper", saved.helper).ok_or("no exec helper")?;
    let null = take("/dev/null", saved.null).ok_or("no /dev/null")?;
    let link = saved.link.and_then(|(number, progress)| Some(Link::restore(take("the link", number)?, progress)));
    Ok(Restored {
        state: saved.state,
        link,
        store: saved.store.into_iter().filter_map(|(name, fd)| take(&name, fd).map(|fd| (name, fd))).collect(),
        statuses: saved
            .statuses
            .into_iter()
            .filter_map(|(key, fd)| take("a status pipe", fd).map(|fd| (key, fd)))
            .collect(),
        pidfds: saved.pidfds.into_iter().filter_map(|(key, fd)| take("a pidfd", fd).map(|fd| (key, fd))).collect(),
        helper: Helper::restore(helper, null),
        limits: Rlimit { current: saved.limits.0, maximum: saved.limits.1 },
    })
}

/// Close every descriptor that was inherited and that nobody has taken: init has no use for it, and no child may have it.
pub fn close_strays() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<RawFd> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    // What has an owner already is refused, and so kept.
    numbers.into_iter().for_each(|number| drop(take_fd(number)));
}

fn read_state(file: &mut File) -> io::Result<Saved> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let (version, body) = bytes.split_first_chunk::<2>().ok_or_else(|| bad("too short"))?;
    if u16::from_le_bytes(*version) != STATE_VERSION {
        return Err(bad("of another version"));
    }
    postcard::from_bytes(body).map_err(|_| bad("not understood"))
}

fn state_memfd(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("state", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Init's own command line, with these words in place of those of an earlier re-exec.
fn arguments_with(words: &[String]) -> Vec<CString> {
    let old = std::env::args().filter(|word| !word.starts_with("--restore=") && !word.starts_with("--fault="));
    old.chain(words.iter().cloned()).map(|word| c_string(&word)).collect()
}

fn environment() -> Vec<CString> {
    use std::os::unix::ffi::OsStrExt;
    std::env::vars_os()
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
        .filter(|word| !crate::userspace::is_word(word))
        .chain([crate::userspace::word().into_bytes()])
        .filter_map(|word| CString::new(word).ok())
        .collect()
}

/// Words that came from a command line or a path hold no NUL; one that does becomes empty and then fails to execute.
fn c_string(word: &str) -> CString {
    CString::new(word).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_state_is_written_whenever_it_has_changed() {
        assert_eq!(apart_us(0), 0);
        assert_eq!(apart_us(SAVE_CHEAP_US - 1), 0);
    }

    #[test]
    fn writing_a_large_state_takes_a_fixed_share_of_the_time() {
        for cost_us in [SAVE_CHEAP_US, 3_000, 10_000] {
            assert_eq!(cost_us + apart_us(cost_us), SAVE_SHARE * cost_us);
        }
    }

    #[test]
    fn core_is_not_kept_waiting_however_long_it_takes() {
        assert_eq!(apart_us(u64::MAX), SAVE_APART_MAX_US);
    }
}
