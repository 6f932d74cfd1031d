//! How init hands a process over to the exec helper, and how the helper answers.
//!
//! Init starts the helper with `std::process::Command`, whose child has just three descriptors that matter:
//!
//! | descriptor | is |
//! |---|---|
//! | 0 | one end of a SOCK_SEQPACKET pair; the handover messages are there already, but for the last |
//! | 1 | write end of the status pipe; the helper marks it close-on-exec, so its end of file means that execve succeeded |
//! | 2 | /dev/null |
//!
//! Each handover message is one byte, `1` if another follows and `0` for the last, with up to [`crate::FDS_MAX`] descriptors.
//! Descriptor 0 of the first message is the sealed memfd with the postcard form of [`crate::ExecSpec`]; all others, in order,
//! are the passed descriptors that the spec counts from 0. The last message has none: init sends it once it has noted that there is
//! this process. A helper that is not told to go on has done nothing yet, and ends when the other end is closed.
//! On failure the helper writes one [`StatusReport`] and exits with the step's exit code.

use crate::ExecStep;
use alloc::{string::String, vec::Vec};

/// Last byte of the handover.
pub const HANDOVER_LAST: u8 = 0;
/// More messages follow.
pub const HANDOVER_MORE: u8 = 1;
/// Longest detail of a status report, in bytes; well below PIPE_BUF, so that a report is written whole.
pub const DETAIL_MAX: usize = 1024;

/// A failed step: two bytes step, four bytes errno (both little-endian), then the detail as UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StatusReport {
    /// [`ExecStep`] as a number.
    pub step: u16,
    /// errno, 0 where there is none.
    pub errno: i32,
    /// A path, a user, a limit: what the step was about.
    pub detail: String,
}

impl StatusReport {
    /// The report as bytes, the detail cut at a character boundary to [`DETAIL_MAX`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut end = self.detail.len().min(DETAIL_MAX);
        while !self.detail.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = Vec::with_capacity(6 + end);
        bytes.extend_from_slice(&self.step.to_le_bytes());
        bytes.extend_from_slice(&self.errno.to_le_bytes());
        bytes.extend_from_slice(&self.detail.as_bytes()[..end]);
        bytes
    }

    /// The report that these bytes hold; none if they are too few. Text that is not UTF-8 is replaced, never refused.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (step, rest) = bytes.split_first_chunk::<2>()?;
        let (errno, detail) = rest.split_first_chunk::<4>()?;
        Some(Self {
            step: u16::from_le_bytes(*step),
            errno: i32::from_le_bytes(*errno),
            detail: String::from_utf8_lossy(detail).into_owned(),
        })
    }
}

impl ExecStep {
    /// Every step, in order.
    pub const ALL: [Self; 30] = [
        Self::Spec,
        Self::Cgroup,
        Self::Fds,
        Self::Setsid,
        Self::Stdin,
        Self::Stdout,
        Self::Stderr,
        Self::OomAdjust,
        Self::Nice,
        Self::SetScheduler,
        Self::CpuAffinity,
        Self::IoPriority,
        Self::Personality,
        Self::Environment,
        Self::User,
        Self::Group,
        Self::RuntimeDirectory,
        Self::StateDirectory,
        Self::CacheDirectory,
        Self::LogsDirectory,
        Self::ConfigurationDirectory,
        Self::Limits,
        Self::Chroot,
        Self::Capabilities,
        Self::Credentials,
        Self::SetUser,
        Self::Chdir,
        Self::NoNewPrivileges,
        Self::SignalMask,
        Self::Exec,
    ];

    /// The step with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|step| *step as u16 == number)
    }

    /// The exit code systemd uses for a failure of this step (systemd.exec(5), "Process Exit Codes").
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Spec | Self::Environment => 1,
            Self::Chdir => 200,
            Self::Nice => 201,
            Self::Fds => 202,
            Self::Exec => 203,
            Self::Limits => 205,
            Self::OomAdjust => 206,
            Self::SignalMask => 207,
            Self::Stdin => 208,
            Self::Stdout => 209,
            Self::Chroot => 210,
            Self::IoPriority => 211,
            Self::SetScheduler => 214,
            Self::CpuAffinity => 215,
            Self::Group | Self::Credentials => 216,
            Self::User | Self::SetUser => 217,
            Self::Capabilities => 218,
            Self::Cgroup => 219,
            Self::Setsid => 220,
            Self::Stderr => 222,
            Self::NoNewPrivileges => 227,
            Self::Personality => 230,
            Self::RuntimeDirectory => 233,
            Self::StateDirectory => 238,
            Self::CacheDirectory => 239,
            Self::LogsDirectory => 240,
            Self::ConfigurationDirectory => 241,
        }
    }

    /// What the step was about to do, for a sentence that begins with "cannot".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Spec => "read the exec spec",
            Self::Cgroup => "enter the control group",
            Self::Fds => "arrange the descriptors",
            Self::Setsid => "start a session",
            Self::Stdin => "set up standard input",
            Self::Stdout => "set up standard output",
            Self::Stderr => "set up standard error",
            Self::OomAdjust => "set the OOM score",
            Self::Nice => "set the nice level",
            Self::SetScheduler => "set the CPU scheduling policy",
            Self::CpuAffinity => "set the CPU affinity",
            Self::IoPriority => "set the I/O priority",
            Self::Personality => "set the personality",
            Self::Environment => "read the environment file",
            Self::User => "find the user",
            Self::Group => "find the group",
            Self::RuntimeDirectory => "make the runtime directory",
            Self::StateDirectory => "make the state directory",
            Self::CacheDirectory => "make the cache directory",
            Self::LogsDirectory => "make the logs directory",
            Self::ConfigurationDirectory => "make the configuration directory",
            Self::Limits => "set the resource limit",
            Self::Chroot => "change the root directory",
            Self::Chdir => "change the working directory",
            Self::Capabilities => "set the capabilities",
            Self::Credentials => "take on the groups",
            Self::SetUser => "take on the user",
            Self::NoNewPrivileges => "give up new privileges",
            Self::SignalMask => "reset the signals",
            Self::Exec => "execute the program",
        }
    }
}
