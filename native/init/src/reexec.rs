//! Becoming another init without losing anything: the state in a memfd, the descriptors kept open over execve(2).
//!
//! Asked for, the new program is first run as a child that only looks at the state (`--check`). What cannot be carried over is
//! nothing: the link stays, core does not notice. After a fault, a panic included, init executes itself: on the state that was saved
//! last, and the journal of what has happened since (journal.rs, replay.rs).

use crate::accept;
use crate::core::{own_program, spec};
use crate::fault::point;
use crate::journal::{Hand, Journal, Note};
use crate::link::{Link, Progress};
use crate::replay::{Frontier, Unreaped, faults_at_the_end, replay};
use crate::say::say;
use crate::spawn::Helper;
use crate::state::{STATE_VERSION, State};
use crate::step::{Action, Event};
use crate::tables::{Tables, Work};
use crate::turn::{Init, Outcome, errno, now_us};
use nix::unistd::execve;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Rlimit;
use serde::{Deserialize, Serialize};
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
/// Of what has brought down init so often, the rest is not tried again.
const TRIES_MAX: usize = 2;
/// No descriptor of init's has a higher number (start.rs raises the limit this far).
const DESCRIPTORS: RawFd = 65_536;

/// All of init, with the numbers of its descriptors. It is read whole, and written from what is there (`S`: the state, `N`: a name).
#[derive(Serialize, Deserialize)]
struct Saved<S = State, N = String> {
    /// A journal of the same generation goes on from here.
    generation: u64,
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
    /// Its descriptors.
    pub tables: Tables,
    /// The exec helper.
    pub helper: Helper,
    /// The limit on descriptors that init was given at first.
    pub limits: Rlimit,
    /// After a fault: where init goes on.
    pub fallen: Option<Fallen>,
}

/// What there is after a fault in addition.
pub struct Fallen {
    /// What init goes on noting in.
    pub journal: Journal,
    /// What init does first.
    pub rest: Rest,
}

/// What init does first.
pub struct Rest {
    net: Net,
    work: Work,
    gate: Option<OwnedFd>,
    unreaped: Option<Unreaped>,
    hand: Option<(Hand, Vec<OwnedFd>)>,
    orphan: Option<OwnedFd>,
}

/// The memfds a fault falls back on.
pub struct Net {
    slots: [File; fatal::SLOTS],
    next: usize,
    generation: u64,
    saved_bytes: usize,
    faults: u32,
    armed_us: u64,
}

impl Net {
    /// Make the memfds; `faults`: how many there were in a row.
    ///
    /// # Errors
    /// Those of memfd_create(2).
    pub fn spread(faults: u32) -> io::Result<Self> {
        let memfd = || memfd_create("state", MemfdFlags::CLOEXEC).map(File::from);
        let slots = [memfd()?, memfd()?];
        Ok(Self { slots, next: 0, generation: 0, saved_bytes: 0, faults, armed_us: now_us() })
    }

    /// How long the saved state is.
    #[must_use]
    pub const fn saved_bytes(&self) -> usize {
        self.saved_bytes
    }

    fn arm(&self, journal: &Journal) -> io::Result<()> {
        let number = |slot: usize| self.slots.get(slot % fatal::SLOTS).map_or(-1, AsRawFd::as_raw_fd);
        let argv = |slot: usize| {
            if self.faults >= FAULTS_MAX {
                return Vec::new();
            }
            let numbers = format!("{},{},{}", number(slot), number(slot + 1), journal.memfd().as_raw_fd());
            arguments_with(&[format!("--restore={numbers}"), format!("--fault={}", self.faults + 1)])
        };
        fatal::arm(c_string(&own_program()), [argv(0), argv(1)], environment())
    }
}

/// A fault from here on begins this restoration anew, until init can go on by itself.
pub fn arm_early(numbers: &[RawFd], faults: u32) {
    if numbers.is_empty() || faults >= FAULTS_MAX {
        return;
    }
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let words = [format!("--restore={}", numbers.join(",")), format!("--fault={}", faults + 1)];
    match fatal::arm(c_string(&own_program()), [arguments_with(&words), Vec::new()], environment()) {
        Ok(()) => fatal::saved(0, DESCRIPTORS),
        Err(error) => say(3, &format!("fault handler: {error}")),
    }
}

impl Init {
    /// Save the state that a fault falls back on; what was noted before is in it.
    pub(crate) fn save_state(&mut self) {
        let Some(mut net) = self.net.take() else { return self.journal.begin(0) };
        if net.faults > 0 && now_us().saturating_sub(net.armed_us) > FORGET_US {
            net.faults = 0;
            net.armed_us = now_us();
            if let Err(error) = net.arm(&self.journal) {
                say(3, &format!("fault handler: {error}"));
            }
        }
        let generation = net.generation.saturating_add(1);
        if let (Some(file), Ok(bytes)) = (net.slots.get(net.next), self.save(generation))
            && file.write_all_at(&bytes, 0).is_ok()
            && file.set_len(u64::try_from(bytes.len()).unwrap_or(0)).is_ok()
        {
            point("before a saved state counts");
            let own = net.slots.iter().map(AsRawFd::as_raw_fd).chain([self.journal.memfd().as_raw_fd()]);
            let highest = self.descriptors().iter().map(AsRawFd::as_raw_fd).chain(own).max().unwrap_or(2);
            fatal::saved(net.next, highest);
            point("before the journal begins anew");
            self.journal.begin(generation);
            point("after the journal has begun anew");
            net.next = (net.next + 1) % fatal::SLOTS;
            net.generation = generation;
            net.saved_bytes = bytes.len();
        }
        self.net = Some(net);
    }

    /// Have faults fall back on this, and on the state as it is now.
    pub(crate) fn spread_net(&mut self, net: Net) {
        match net.arm(&self.journal) {
            Ok(()) => self.net = Some(net),
            Err(error) => say(3, &format!("no fault handler: {error}")),
        }
        self.save_state();
    }

    /// Go on after a fault, exactly where init was.
    pub(crate) fn go_on(&mut self, rest: Rest) -> Net {
        let Rest { net, work, gate, unreaped, hand, orphan } = rest;
        self.orphan = orphan;
        if let Some(gate) = gate {
            self.open_gate(&gate);
        }
        if let Some(dead) = unreaped
            && peek(Whom::Pid(dead.pid)).is_ok_and(|zombie| zombie.is_some())
            && crate::process::start_time(dead.pid) == dead.start_time
        {
            self.lay_to_rest(dead);
        }
        if !work.is_done() {
            self.work = work;
            self.work_off();
        }
        match hand {
            Some((Hand::Message(bytes, told), fds)) => {
                let is_end = bytes.is_empty() && fds.is_empty() && self.tables.link.as_ref().is_none_or(Link::hung_up);
                if !is_end {
                    self.handle_message(&bytes, fds, told.truncated);
                }
            }
            Some((Hand::Signal(signal), _)) => self.take_signal(signal),
            Some((Hand::Status(serial, bytes), _)) => self.take_report(serial, &bytes),
            Some((Hand::Said, _)) => self.take_said(),
            Some((Hand::Empty, _)) | None => {}
        }
        self.orphan = None;
        net
    }

    /// Every descriptor that goes along.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let tables = &self.tables;
        let link = tables.link.iter().map(AsFd::as_fd);
        let others = tables.store.values().chain(tables.statuses.values()).chain(tables.pidfds.values());
        link.chain(others.map(AsFd::as_fd)).chain([self.helper.image(), self.helper.null()]).collect()
    }

    fn save(&self, generation: u64) -> io::Result<Vec<u8>> {
        let tables = &self.tables;
        let saved = Saved {
            generation,
            state: &self.state,
            link: tables.link.as_ref().map(|link| (link.as_fd().as_raw_fd(), link.progress.clone())),
            store: tables.store.iter().map(|(name, fd)| (name.as_str(), fd.as_raw_fd())).collect(),
            statuses: tables.statuses.iter().map(|(serial, fd)| (*serial, fd.as_raw_fd())).collect(),
            pidfds: tables.pidfds.iter().map(|(key, fd)| (*key, fd.as_raw_fd())).collect(),
            helper: self.helper.image().as_raw_fd(),
            null: self.helper.null().as_raw_fd(),
            limits: (self.limits.current, self.limits.maximum),
        };
        let head = STATE_VERSION.to_le_bytes().to_vec();
        postcard::to_extend(&saved, head).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    /// Run the new program as a child on the state, which it either understands or not.
    pub(crate) fn start_check(&self, serial: u64, path: &str) -> Outcome {
        let path = if path.is_empty() { own_program() } else { path.to_owned() };
        let mut check = spec("check", &[path, "--check".to_owned()]);
        check.stdin = sysmaster_link::Stdio::Fd(0);
        match self.save(0).and_then(|bytes| state_memfd(&bytes)) {
            Ok(memfd) => self.start_with(serial, &check, &[memfd.as_fd()]),
            Err(error) => Event::ForkFailed { serial, errno: errno(&error), detail: "state".to_owned() }.into(),
        }
    }

    /// Become the program at this path, or init's own. Comes back only if that failed, with the errno.
    pub(crate) fn reexec(&mut self, path: &str) -> i32 {
        let path = if path.is_empty() { own_program() } else { path.to_owned() };
        let memfd = match self.save(0).and_then(|bytes| state_memfd(&bytes)) {
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

    /// After a re-exec: find out about children that were lost in it. Only what was set aside can have lost any.
    pub(crate) fn count_children(&mut self) {
        let children: Vec<(u64, i32, u64)> =
            self.state.children.values().map(|child| (child.serial, child.pid, child.start_time)).collect();
        for (serial, pid, start_time) in children {
            if pid == 0 {
                self.handle(Event::ForkFailed { serial, errno: nix::libc::EINTR, detail: "fork".to_owned() });
            } else if peek(Whom::Pid(pid)).is_err() {
                say(3, &format!("process {pid}: ended while init faulted; how is not known"));
                let ended = Ended::Killed(nix::libc::SIGKILL);
                self.handle(Event::Exited { pid, start_time, ended, black_box: None, left: Vec::new() });
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

/// Take over what the init before left in these descriptors: the state; after a fault also the state before that one, and the journal.
///
/// # Errors
/// Words for a person. A descriptor that did not come through is left out and said; without the helper nothing goes on.
pub fn restore(numbers: &[RawFd], faults: u32) -> Result<Restored, String> {
    let take_own = |number: RawFd| take_fd(number).map_err(|error| format!("descriptor {number}: {error}"));
    let (state, fallen) = match numbers {
        [state] => (*state, None),
        [state, spare, journal] => (*state, Some((take_own(*spare)?, take_own(*journal)?))),
        _ => return Err("--restore: neither one descriptor nor three".to_owned()),
    };
    let mut file = File::from(take_own(state)?);
    let (saved, saved_bytes) = read_state(&mut file).map_err(|error| format!("the saved state: {error}"))?;
    let Saved { generation, mut state, helper, null, limits, .. } = saved;
    let mut tables = Tables {
        link: saved.link.map(|(socket, progress)| Link { socket, progress }),
        store: saved.store.into_iter().collect(),
        statuses: saved.statuses.into_iter().collect(),
        pidfds: saved.pidfds.into_iter().collect(),
    };
    let mut frontier = Frontier::default();
    let mut journal = None;
    let mut hand = None;
    if let Some((spare, memfd)) = fallen {
        let mut reopened = Journal::reopen(memfd).map_err(|error| format!("the journal: {error}"))?;
        if reopened.generation() == generation {
            hand = reopened.hand();
            frontier = replay(&mut state, &mut tables, notes_after_fault(&mut reopened));
        } else {
            // The state was saved, and the journal was about to begin anew.
            reopened.begin(generation);
        }
        let net =
            Net { slots: [file, File::from(spare)], next: 1, generation, saved_bytes, faults, armed_us: now_us() };
        journal = Some((reopened, net));
    }
    let take = |what: &str, number: RawFd| match take_fd(number) {
        Ok(fd) => Some(fd),
        Err(error) => {
            say(2, &format!("re-exec: {what} (descriptor {number}) did not come through: {error}"));
            None
        }
    };
    let tables = tables.map(take);
    let helper = Helper::restore(
        take("the exec helper", helper).ok_or("no exec helper")?,
        take("/dev/null", null).ok_or("no /dev/null")?,
    );
    let fallen = journal.map(|(journal, net)| {
        let Frontier { work, gate, unreaped } = frontier;
        let Work { at_us, events, actions, fds } = work;
        let fds = fds.into_iter().filter_map(|number| take("a descriptor of a message", number)).collect();
        let work = Work { at_us, events, actions, fds };
        let hand = hand.map(|hand| {
            let numbers = if let Hand::Message(_, told) = &hand { told.fds.clone() } else { Vec::new() };
            (hand, numbers.into_iter().filter_map(|number| take("a descriptor of a message", number)).collect())
        });
        let gate = gate.and_then(|number| take("a gate", number));
        let listener = match work.actions.front() {
            Some(Action::Accept { listener, .. }) => tables.store.get(listener),
            _ => None,
        };
        let orphan = listener.and_then(|listener| accept::find(listener.as_fd(), take_strays()));
        Fallen { journal, rest: Rest { net, work, gate, unreaped, hand, orphan } }
    });
    let limits = Rlimit { current: limits.0, maximum: limits.1 };
    Ok(Restored { state, tables, helper, limits, fallen })
}

/// The notes to go through; what has brought down init again and again is set aside first.
fn notes_after_fault(journal: &mut Journal) -> Vec<Note> {
    if journal.was_busy() {
        if faults_at_the_end(&journal.notes()) >= TRIES_MAX {
            say(2, "what init had in hand has brought it down three times; the rest of it is set aside");
            journal.note(None, &Note::SetAside);
            journal.busy(false);
        } else {
            journal.note(None, &Note::Fault);
        }
    }
    journal.notes()
}

/// Take every descriptor that was inherited and that nobody has taken.
#[must_use]
pub fn take_strays() -> Vec<OwnedFd> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let numbers: Vec<RawFd> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    // What has an owner already is refused, and so kept.
    numbers.into_iter().filter_map(|number| take_fd(number).ok()).collect()
}

fn read_state(file: &mut File) -> io::Result<(Saved, usize)> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let (version, body) = bytes.split_first_chunk::<2>().ok_or_else(|| bad("too short"))?;
    if u16::from_le_bytes(*version) != STATE_VERSION {
        return Err(bad("of another version"));
    }
    let saved = postcard::from_bytes(body).map_err(|_| bad("not understood"))?;
    Ok((saved, bytes.len()))
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
