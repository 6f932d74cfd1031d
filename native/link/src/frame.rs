//! Frames of the link: a SOCK_SEQPACKET pair, one frame a message.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of this protocol. A frame of another version is refused, never guessed at.
pub const PROTOCOL: u8 = 1;
/// The longest frame, in bytes; a longer one is EMSGSIZE on some kernels' default buffers.
pub const FRAME_MAX: usize = 64 * 1024;
/// The most descriptors one message can carry (SCM_MAX_FD in the kernel).
pub const FDS_MAX: usize = 253;

/// Names one effect for ever: (epoch, event number, index within the event's effects).
///
/// The epoch is new whenever core's state was not restored from a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId {
    /// Which history of core's state the effect belongs to.
    pub epoch: u32,
    /// The number of the event that asked for it.
    pub seq: u64,
    /// Its place among the effects of that event.
    pub index: u32,
}

impl EffectId {
    /// No effect of core's: `done` with it says that another init has taken over from the one before.
    pub const REEXEC: Self = Self { epoch: 0, seq: 0, index: 0 };
}

/// A process init can signal without ever hitting a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessRef {
    /// A child init spawned, by its serial, which is never reused.
    Child(u64),
    /// Any other process: pid, and start time in clock ticks since boot (proc(5), /proc/PID/stat field 22).
    Watched(i32, u64),
}

/// Whom a signal is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum KillTarget {
    /// One process.
    Process(ProcessRef),
    /// Every process of a control group and of the groups below it, but for some.
    Group {
        /// Path below init's control-group root, without a leading slash.
        path: String,
        /// Processes that have had their signal already.
        except: Vec<ProcessRef>,
    },
}

/// How the system ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShutdownKind {
    /// Power off; as a container's init, exit with the given status.
    Poweroff,
    /// Restart the machine.
    Reboot,
    /// Stop the machine, leave the power on.
    Halt,
    /// Restart into the loaded kernel.
    Kexec,
    /// Exit with the given status: containers and tests.
    Exit,
    /// Reserved; answered as refused.
    SoftReboot,
    /// Reserved; answered as refused.
    SwitchRoot,
}

/// From core to init.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ToInit {
    /// Start a process. Descriptor 0 of the message is the sealed memfd that holds the [`ExecSpec`].
    Spawn {
        /// The effect this is.
        id: EffectId,
        /// What core calls the process; given back in `hello` and in every record.
        tag: String,
        /// Names in the descriptor store, handed to the helper in this order ([`ExecSpec`] counts them from 0).
        fds: Vec<String>,
    },
    /// Send a signal.
    Kill {
        /// The effect this is.
        id: EffectId,
        /// Whom.
        target: KillTarget,
        /// Signal number; SIGKILL to a group uses cgroup.kill where the kernel has it.
        signal: i32,
    },
    /// Report the exit of a process init did not spawn (PIDFile=, MAINPID=).
    Watch {
        /// The effect this is.
        id: EffectId,
        /// What core calls the process.
        tag: String,
        /// Its pid.
        pid: i32,
        /// Its start time, clock ticks since boot; 0: take what /proc says now.
        start_time: u64,
    },
    /// Accept one connection on a stored listener and keep it in the store under `name`.
    Accept {
        /// The effect this is.
        id: EffectId,
        /// Name of the listener.
        listener: String,
        /// Name for the connection.
        name: String,
    },
    /// Every record numbered `through` or less has been committed: forget it.
    Ack {
        /// A record number.
        through: u64,
    },
    /// Keep the message's descriptors under these names; a name that exists is replaced.
    StoreFd {
        /// The effect this is.
        id: EffectId,
        /// As many names as descriptors.
        names: Vec<String>,
    },
    /// Close stored descriptors; unknown names are no error.
    DropFd {
        /// The effect this is.
        id: EffectId,
        /// Which.
        names: Vec<String>,
    },
    /// Give duplicates of stored descriptors: answered by one or more [`FromInit::Fds`].
    FetchFds {
        /// Which; unknown ones are left out of the answer.
        names: Vec<String>,
    },
    /// The turn loop has just made a real turn.
    Beat,
    /// Core is busy loading and may not beat for this long, at most ten minutes.
    Loading {
        /// How long, in milliseconds.
        for_ms: u32,
    },
    /// Core has recovered or started, and is in charge.
    Ready,
    /// End the system. The units' stop phase is over, unless core dies before saying `final`.
    Shutdown {
        /// How.
        kind: ShutdownKind,
        /// Init ends the system by itself when this many milliseconds have passed.
        deadline_ms: u32,
        /// Exit status for `exit`, and for `poweroff` in a container.
        status: u8,
        /// The argument of reboot(2) RB_RESTART2; empty: none.
        argument: String,
        /// False: the stop phase begins (core is still restarted if it dies). True: kill what is left and end now.
        now: bool,
    },
    /// Core is about to exit on purpose: start the next one at once, and do not count it as a failure.
    ReexecCore,
    /// Replace init by the binary at this path (empty: its own), keeping everything.
    ReexecInit {
        /// An absolute path, or empty.
        path: String,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// By exit(2), with this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// By this signal, with a core dump.
    Dumped(i32),
}

/// Something that happened once and is repeated to every new core until it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Rises by one for each record during init's life, re-exec included.
    pub number: u64,
    /// CLOCK_MONOTONIC, microseconds, when init saw it.
    pub at_us: u64,
    /// What happened.
    pub what: Report,
}

/// A tag with this end asks for a [`Report::Left`] when the process has ended. Every init gives it back as it is, and every core knows
/// such a process by what comes before it: so the one may be older than the other.
pub const LEAVES: &str = "|leaves";
/// The most processes that a [`Report::Left`] names.
pub const LEFT_MAX: usize = 16;

/// A process that another one has left behind, and that became init's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heir {
    /// Its pid.
    pub pid: i32,
    /// Clock ticks since boot.
    pub start_time: u64,
    /// How it has ended, if it has and this is not acknowledged yet.
    pub ended: Option<Ended>,
}

/// What a [`Record`] reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Report {
    /// There is a process that can be signalled. Enough for Type=simple.
    Forked {
        /// The spawn.
        id: EffectId,
        /// Core's name for it.
        tag: String,
        /// Its serial.
        serial: u64,
        /// Its pid, for display and for MAINPID.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
    },
    /// Its program runs: execve(2) succeeded.
    Execed {
        /// The spawn.
        id: EffectId,
        /// Core's name for it.
        tag: String,
        /// Its serial.
        serial: u64,
    },
    /// It could not be started. With a serial an `exited` follows, which is not counted again.
    SpawnFailed {
        /// The spawn.
        id: EffectId,
        /// Core's name for it.
        tag: String,
        /// The process, if there ever was one.
        serial: Option<u64>,
        /// Where it failed: [`ExecStep`] as a number, or 0 for fork and what comes before it.
        step: u16,
        /// Why.
        errno: i32,
        /// What it failed on (a path, a user), for people; may be empty.
        detail: String,
    },
    /// A spawned process has ended.
    Exited {
        /// Core's name for it.
        tag: String,
        /// Its serial.
        serial: u64,
        /// Its pid.
        pid: i32,
        /// How.
        ended: Ended,
    },
    /// A watched process has ended. `ended` is none if it was not ours to reap, or was gone before.
    WatchedExited {
        /// The watch.
        id: EffectId,
        /// Core's name for it.
        tag: String,
        /// Its pid.
        pid: i32,
        /// How, where known.
        ended: Option<Ended>,
    },
    /// A signal was sent to at least one process.
    Signalled {
        /// The kill.
        id: EffectId,
        /// To how many.
        count: u32,
    },
    /// There was nobody to signal: news, not an error.
    Gone {
        /// The kill.
        id: EffectId,
    },
    /// A connection was accepted and is stored under its name.
    Accepted {
        /// The accept.
        id: EffectId,
        /// The name it has in the store.
        name: String,
        /// Peer process of a unix connection, 0 otherwise.
        peer_pid: i32,
        /// Peer user of a unix connection.
        peer_uid: Option<u32>,
        /// Peer address of an IP connection.
        peer: String,
    },
    /// Done: store-fd, drop-fd, watch.
    Done {
        /// The effect.
        id: EffectId,
    },
    /// Not done, and will not be: accept without a connection (EAGAIN), store full, no such name.
    Failed {
        /// The effect.
        id: EffectId,
        /// Why.
        errno: i32,
    },
    /// A signal to init itself (SIGINT: Ctrl-Alt-Del, SIGTERM, SIGPWR, SIGHUP, SIGRTMIN+n).
    Signal {
        /// Its number.
        signal: i32,
    },
    /// Whom a process has left behind in its control group, right before the report of its end: only where its tag ends in [`LEAVES`],
    /// and where it has left anybody. What becomes of them is noted in here until it is acknowledged: a core that comes
    /// later hears more than the one before.
    Left {
        /// The tag of the one that has ended.
        tag: String,
        /// Its pid.
        pid: i32,
        /// The heirs of one another: each but the first was left behind by the one before it, which ended with status 0 and left nobody
        /// else. False: the first [`LEFT_MAX`] of several, by rising pid.
        line: bool,
        /// They.
        heirs: Vec<Heir>,
    },
}

/// Where init stands, and so what ending means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// PID 1 of the initial pid namespace.
    Machine,
    /// PID 1 of another pid namespace.
    Container,
    /// Not PID 1: a child subreaper.
    Subreaper,
}

/// What core was doing when it ended: the black box, read by init after each death.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlackBox {
    /// CLOCK_MONOTONIC, microseconds, of the death.
    pub at_us: u64,
    /// How it ended; none while it runs (re-exec of init).
    pub ended: Option<Ended>,
    /// True if init killed it for not beating.
    pub hung: bool,
    /// Number of the event, effect or recovery step in progress; 0: none.
    pub seq: u64,
    /// 0 idle, 1 step, 2 effect, 3 recovery, 4 compaction.
    pub phase: u8,
    /// The actor or source, cut to 40 bytes.
    pub actor: String,
}

/// From init to core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum FromInit {
    /// First frame of a link.
    Hello {
        /// Where init stands.
        role: Role,
        /// The pid of init as it sees itself.
        pid: i32,
        /// The highest epoch seen in any effect; 0: none yet.
        epoch: u32,
        /// Absolute path of the control group that everything lives below; empty: no control groups.
        cgroup_root: String,
        /// How many cores came before this one.
        cores: u32,
        /// True: use no checkpoint.
        safe_mode: bool,
        /// True: core died or was replaced during the stop phase of a shutdown; go on with it.
        stopping: Option<ShutdownKind>,
        /// The last deaths of core, newest first, at most three.
        deaths: Vec<BlackBox>,
        /// True if a uid or gid other than init's own can be set.
        can_set_uid: bool,
    },
    /// One live child. Sent between `hello` and `hello-end`.
    HelloChild {
        /// The spawn it came from.
        id: EffectId,
        /// Core's name for it.
        tag: String,
        /// Its serial.
        serial: u64,
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
        /// Its program runs.
        execed: bool,
    },
    /// Names of stored descriptors. Sent between `hello` and `hello-end`, as often as needed.
    HelloFds {
        /// Some names.
        names: Vec<String>,
    },
    /// The list is complete; the unacknowledged records follow.
    HelloEnd {
        /// How many exits of unknown orphans were dropped from the ring so far.
        orphans_dropped: u64,
        /// How many records follow.
        records: u32,
    },
    /// See [`Record`].
    Record(Record),
    /// Answer to `fetch-fds`: the descriptors of the message, in the order of the names.
    Fds {
        /// Their names.
        names: Vec<String>,
        /// False: more frames of the same answer follow.
        last: bool,
    },
    /// A frame that was not understood or not allowed; its descriptors were closed.
    Refused {
        /// What for a person to read.
        why: String,
        /// The effect, where the frame could be read.
        id: Option<EffectId>,
        /// EPROTO, EOPNOTSUPP, EAGAIN …
        errno: i32,
    },
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Shorter than its header, or cut off in a field.
    Short,
    /// Longer than [`FRAME_MAX`].
    Long,
    /// A version that is not [`PROTOCOL`].
    Version(u8),
    /// Not a frame of this version: unknown verb, bad text, bytes left over.
    Malformed,
}

/// Encode a frame. Fails with [`FrameError::Long`] where it would not fit one message.
pub fn encode<T: Serialize>(frame: &T) -> Result<Vec<u8>, FrameError> {
    let bytes = postcard::to_extend(frame, alloc::vec![PROTOCOL, 0]).map_err(|_| FrameError::Malformed)?;
    if bytes.len() > FRAME_MAX { Err(FrameError::Long) } else { Ok(bytes) }
}

/// Decode a frame; total over all byte strings.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    if bytes.len() > FRAME_MAX {
        return Err(FrameError::Long);
    }
    match bytes {
        [PROTOCOL, 0, body @ ..] => match postcard::take_from_bytes::<T>(body) {
            Ok((frame, [])) => Ok(frame),
            Ok(_) => Err(FrameError::Malformed),
            Err(postcard::Error::DeserializeUnexpectedEnd) => Err(FrameError::Short),
            Err(_) => Err(FrameError::Malformed),
        },
        [PROTOCOL, ..] => Err(FrameError::Malformed),
        [version, _, ..] => Err(FrameError::Version(*version)),
        _ => Err(FrameError::Short),
    }
}
