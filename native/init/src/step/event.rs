//! What can happen, and what can be asked for: the words that the pure part and the loop share.

use crate::ending::{Last, Scope};
use crate::state::{Change, Watch};
use sysmaster_link::{EffectId, Ended, Report, StatusReport, ToInit};

/// Something that has happened. In the journal a frame stands as the bytes that came.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Event {
    /// A frame from core, with so many descriptors.
    Frame {
        /// The frame.
        frame: ToInit,
        /// How many.
        fds: usize,
    },
    /// A message from core that is not a frame.
    BadFrame {
        /// What is wrong with it.
        why: String,
    },
    /// A child was forked.
    Forked {
        /// Its serial.
        serial: u64,
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
    },
    /// A child could not be forked.
    ForkFailed {
        /// Its serial.
        serial: u64,
        /// Why.
        errno: i32,
        /// On what.
        detail: String,
    },
    /// A child's program runs.
    Execed {
        /// Its serial.
        serial: u64,
    },
    /// A child could not become its program.
    ExecFailed {
        /// Its serial.
        serial: u64,
        /// Where and why.
        report: StatusReport,
    },
    /// A process of ours has ended, spawned or inherited.
    Exited {
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
        /// How.
        ended: Ended,
        /// If it was core: the black box.
        black_box: Option<Vec<u8>>,
        /// Whom it has left behind, where that is asked for (heirs.rs): pids and start times.
        left: Vec<(i32, u64)>,
    },
    /// A kill reached so many processes.
    Signalled {
        /// The kill.
        id: EffectId,
        /// How many; 0: there was nobody.
        count: u32,
    },
    /// A process can be watched.
    Watching(Watch),
    /// A process to be watched is gone already.
    WatchedGone(Watch),
    /// A watched process has ended, and it was not ours to reap.
    WatchEnded {
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
    },
    /// A connection was accepted and stored.
    Accepted {
        /// The accept.
        id: EffectId,
        /// Its name.
        name: String,
        /// Peer process of a unix connection, 0 otherwise.
        peer_pid: i32,
        /// Peer user of a unix connection.
        peer_uid: Option<u32>,
        /// Peer address of an IP connection.
        peer: String,
    },
    /// Descriptors were stored.
    Stored {
        /// The effect.
        id: EffectId,
        /// Their names.
        names: Vec<String>,
    },
    /// Descriptors were dropped.
    Dropped {
        /// The effect.
        id: EffectId,
        /// Their names.
        names: Vec<String>,
    },
    /// An effect could not be carried out.
    EffectFailed {
        /// The effect.
        id: EffectId,
        /// Why.
        errno: i32,
    },
    /// A signal to init.
    Signal {
        /// Its number.
        signal: i32,
        /// The first real-time signal.
        rtmin: i32,
    },
    /// Time has passed.
    Tick,
    /// There is no child left, and nobody of init's own.
    NobodyLeft,
    /// This program has taken over from the one before it.
    Reexeced,
    /// Re-exec has failed.
    ReexecFailed {
        /// Why.
        errno: i32,
    },
}

/// An answer that is not a record: it goes with the link it is for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Reply {
    /// Not understood, or not allowed.
    Refused {
        /// For a person.
        why: String,
        /// The effect, where it could be read.
        id: Option<EffectId>,
        /// For a program.
        errno: i32,
    },
    /// Stored descriptors, still to be sent.
    Fds {
        /// Their names.
        names: Vec<String>,
    },
}

/// Whom a signal goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A child not yet reaped.
    Child {
        /// Its pid.
        pid: i32,
    },
    /// Any process.
    Process {
        /// Its pid.
        pid: i32,
        /// Clock ticks since boot.
        start_time: u64,
    },
    /// A control group with all below.
    Group {
        /// Below the root.
        path: String,
        /// Pids with start times.
        except: Vec<(i32, u64)>,
    },
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer core.
    Answer(Reply),
    /// Fork the child that was added with this serial, from descriptor 0 of the message and these stored ones.
    Spawn {
        /// Its serial.
        serial: u64,
        /// Names in the store.
        fds: Vec<String>,
    },
    /// Start core on a new link.
    StartCore {
        /// Its serial.
        serial: u64,
        /// The previous one.
        previous: bool,
        /// With a lowered OOM score.
        lower_oom: bool,
    },
    /// Start a shell on the console.
    StartShell {
        /// Its serial.
        serial: u64,
    },
    /// Start the child that unmounts and syncs.
    StartUnmount {
        /// Its serial.
        serial: u64,
    },
    /// Start a new init on the state, to see whether it understands it.
    StartCheck {
        /// Its serial.
        serial: u64,
        /// Its program.
        path: String,
    },
    /// Become this program, keeping everything.
    Reexec {
        /// Its program.
        path: String,
    },
    /// Signal.
    Kill {
        /// The effect to answer; none: init's own doing.
        id: Option<EffectId>,
        /// Whom.
        target: Target,
        /// Its number.
        signal: i32,
    },
    /// Watch a process.
    Watch(Watch),
    /// Accept a connection.
    Accept {
        /// The effect.
        id: EffectId,
        /// Name of the listener.
        listener: String,
        /// Name for the connection.
        name: String,
    },
    /// Store the message's descriptors.
    Store {
        /// The effect.
        id: EffectId,
        /// Their names.
        names: Vec<String>,
    },
    /// Close stored descriptors.
    Drop {
        /// The effect.
        id: EffectId,
        /// Their names.
        names: Vec<String>,
    },
    /// Signal all there are.
    KillAll {
        /// Whom.
        scope: Scope,
        /// Its number.
        signal: i32,
    },
    /// The last call.
    Finish {
        /// Which.
        last: Last,
        /// Its argument.
        argument: String,
    },
    /// Tell a person.
    Say {
        /// As in syslog(3).
        level: u8,
        /// What.
        text: String,
    },
}

/// What a step asks for: first the changes, then the actions, each in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// To the state.
    pub changes: Vec<Change>,
    /// To the world.
    pub actions: Vec<Action>,
}

impl Turn {
    pub(super) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn say(&mut self, level: u8, text: String) {
        self.act(Action::Say { level, text });
    }

    pub(super) fn report(&mut self, at_us: u64, id: Option<EffectId>, what: Report) {
        self.change(Change::Report { at_us, id, what });
    }

    pub(super) fn refuse(&mut self, id: Option<EffectId>, errno: i32, why: &str) {
        self.act(Action::Answer(Reply::Refused { why: why.to_owned(), id, errno }));
    }
}
