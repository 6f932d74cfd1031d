//! What the exec helper is told: plain data, versioned, in a sealed memfd.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// The version of [`ExecSpec`]; a helper refuses any other.
pub const SPEC_VERSION: u16 = 1;

/// A path that may be missing (`-` in front of it in the unit file).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionalPath {
    /// Absolute; may hold globs in EnvironmentFile=.
    pub path: String,
    /// No error if it is missing.
    pub optional: bool,
}

/// Where a standard stream goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Stdio {
    /// /dev/null.
    #[default]
    Null,
    /// The passed descriptor with this number, counted from 0.
    Fd(u32),
    /// Opened for reading (stdin), or created and written.
    File {
        /// Absolute.
        path: String,
        /// O_APPEND.
        append: bool,
        /// O_TRUNC.
        truncate: bool,
    },
    /// A terminal.
    Tty {
        /// Absolute, such as /dev/console.
        path: String,
        /// Make it the controlling terminal, waiting for it (tty), failing (tty-fail) or taking it (tty-force).
        acquire: TtyAcquire,
    },
}

/// How a terminal is acquired: StandardInput=tty, tty-force, tty-fail; `none` for output only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TtyAcquire {
    /// Only write to it.
    None,
    /// Wait until it is free.
    Wait,
    /// Take it from its owner.
    Force,
    /// Fail if it has an owner.
    Fail,
}

/// One of RuntimeDirectory=, StateDirectory=, CacheDirectory=, LogsDirectory=, ConfigurationDirectory=.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedDirectories {
    /// Which kind it is.
    pub kind: DirectoryKind,
    /// Paths below the kind's root, with the symlinks to make for each.
    pub paths: Vec<ManagedDirectory>,
    /// Mode of the last component.
    pub mode: u32,
    /// The directory they lie below; empty: the system manager's for this kind (see [`DirectoryKind`]).
    #[serde(default)]
    pub root: String,
}

/// One managed directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedDirectory {
    /// Relative.
    pub path: String,
    /// Symlinks to it, relative to the same root.
    #[serde(default)]
    pub symlinks: Vec<String>,
}

/// The kind decides root, exit code, environment variable and ownership rule (systemd.exec(5), "Sandboxing", table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectoryKind {
    /// /run, RUNTIME_DIRECTORY.
    Runtime,
    /// /var/lib, STATE_DIRECTORY.
    State,
    /// /var/cache, CACHE_DIRECTORY.
    Cache,
    /// /var/log, LOGS_DIRECTORY.
    Logs,
    /// /etc, CONFIGURATION_DIRECTORY; one that exists is left as it is.
    Configuration,
}

/// A soft and a hard limit; `u64::MAX` is infinity. JSON: a number, or null for infinity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rlimit {
    /// Name without prefix: NOFILE, CORE, AS … (getrlimit(2)).
    pub resource: String,
    /// None: infinity.
    pub soft: Option<u64>,
    /// None: infinity.
    pub hard: Option<u64>,
}

/// Everything the helper needs to become one process of one unit.
///
/// The order of the steps is [`ExecStep`]'s, which is systemd's. Fields that a later version adds come with a new version number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecSpec {
    /// [`SPEC_VERSION`].
    pub version: u16,
    /// The unit, for messages.
    pub unit: String,
    /// Control-group directories to create and enter (absolute; the v2 one first), before anything else.
    pub cgroups: Vec<String>,
    /// The program: absolute, or a name looked for in `exec_search_path`.
    pub path: String,
    /// ExecSearchPath=; empty: the fixed one, /usr/local/sbin to /bin. The unit's own PATH is not used (systemd.service(5), "Command lines").
    pub exec_search_path: Vec<String>,
    /// Arguments, argv[0] first, before variable substitution.
    pub argv: Vec<String>,
    /// Substitute $VAR and ${VAR} in argv (systemd.service(5), "Command lines"); false for a `:` prefix.
    pub expand: bool,
    /// NAME=value, in order; later ones win. The helper starts from nothing else, and puts first what it knows itself:
    /// HOME, LOGNAME, USER, SHELL, TERM, LISTEN_*, WATCHDOG_PID, SYSTEMD_EXEC_PID, RUNTIME_DIRECTORY and its kin.
    pub environment: Vec<String>,
    /// Read by the helper, after `environment` (systemd.exec(5) EnvironmentFile=).
    pub environment_files: Vec<OptionalPath>,
    /// NAME or NAME=value to remove at the end.
    pub unset_environment: Vec<String>,
    /// Standard input.
    pub stdin: Stdio,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
    /// Passed descriptors that become 3, 4, … with LISTEN_FDS and LISTEN_PID: numbers into the passed list.
    pub listen_fds: Vec<u32>,
    /// LISTEN_FDNAMES, one for each of them; `unknown` for those that have none.
    pub listen_names: Vec<String>,
    /// How many at the end of `listen_fds` come from the unit's descriptor store: their O_NONBLOCK is left alone.
    pub stored_fds: u32,
    /// NonBlocking=: O_NONBLOCK set, or else cleared, on the other `listen_fds`.
    pub non_blocking: bool,
    /// User= (name or number); empty: none.
    pub user: String,
    /// Group=; empty: the user's own.
    pub group: String,
    /// SupplementaryGroups=.
    pub supplementary_groups: Vec<String>,
    /// A `+`, `!` or `!!` prefix: the user is looked up, for directories and environment, but not taken on.
    pub keep_credentials: bool,
    /// Delegate= together with User=: the first control group is given to the user.
    pub delegate: bool,
    /// RootDirectory=; empty: none.
    pub root_directory: String,
    /// WorkingDirectory=; empty: /. `~`: the user's home.
    pub working_directory: String,
    /// WorkingDirectory=-…
    pub working_directory_optional: bool,
    /// UMask=.
    pub umask: Option<u32>,
    /// Limit…=.
    pub rlimits: Vec<Rlimit>,
    /// Nice=.
    pub nice: Option<i32>,
    /// OOMScoreAdjust=.
    pub oom_score_adjust: Option<i32>,
    /// CPUSchedulingPolicy= by name: other, batch, idle, fifo, rr; empty: unchanged.
    pub cpu_scheduling_policy: String,
    /// CPUSchedulingPriority=.
    pub cpu_scheduling_priority: u32,
    /// CPUSchedulingResetOnFork=.
    pub cpu_scheduling_reset_on_fork: bool,
    /// IOSchedulingClass= by name: realtime, best-effort, idle; empty: unchanged.
    pub io_scheduling_class: String,
    /// IOSchedulingPriority=, 0..7.
    pub io_scheduling_priority: u32,
    /// CPUAffinity=: CPU numbers; empty: unchanged.
    pub cpu_affinity: Vec<u32>,
    /// IgnoreSIGPIPE= (default yes in systemd: the caller says it).
    pub ignore_sigpipe: bool,
    /// NoNewPrivileges=.
    pub no_new_privileges: bool,
    /// CapabilityBoundingSet=: capability names kept; None: unchanged.
    pub capability_bounding_set: Option<Vec<String>>,
    /// AmbientCapabilities=.
    pub ambient_capabilities: Vec<String>,
    /// Directories to create and own.
    pub directories: Vec<ManagedDirectories>,
    /// Personality= as uname(1) says it (x86-64, x86, arm64, …); empty: unchanged.
    pub personality: String,
    /// TTYPath= and friends apply to `Stdio::Tty`.
    pub tty_reset: bool,
    /// TTYVHangup=.
    pub tty_vhangup: bool,
    /// Stay in the caller's session: only for core and tests.
    pub keep_session: bool,
    /// The path of the dynamically linked helper that asks name services; empty: none, only /etc/passwd and /etc/group.
    pub name_service_helper: String,
}

/// The steps, in order, each with systemd's exit code (systemd.exec(5), "Process Exit Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u16)]
pub enum ExecStep {
    /// Read and check the spec.
    Spec = 1,
    /// Enter the control groups.
    Cgroup,
    /// Descriptors: receive, order, duplicate.
    Fds,
    /// Session of its own.
    Setsid,
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// OOMScoreAdjust=.
    OomAdjust,
    /// Nice=.
    Nice,
    /// CPUScheduling….
    SetScheduler,
    /// CPUAffinity=.
    CpuAffinity,
    /// IOScheduling….
    IoPriority,
    /// Personality=.
    Personality,
    /// EnvironmentFile=.
    Environment,
    /// User=, found.
    User,
    /// Group= and SupplementaryGroups=, found.
    Group,
    /// RuntimeDirectory=.
    RuntimeDirectory,
    /// StateDirectory=.
    StateDirectory,
    /// CacheDirectory=.
    CacheDirectory,
    /// LogsDirectory=.
    LogsDirectory,
    /// ConfigurationDirectory=.
    ConfigurationDirectory,
    /// Limit…=.
    Limits,
    /// RootDirectory=.
    Chroot,
    /// CapabilityBoundingSet=, AmbientCapabilities=.
    Capabilities,
    /// Supplementary groups and gid taken on.
    Credentials,
    /// Uid taken on.
    SetUser,
    /// WorkingDirectory=, as the user, since only the user may be allowed to go there (NFS).
    Chdir,
    /// NoNewPrivileges=.
    NoNewPrivileges,
    /// Dispositions and mask.
    SignalMask,
    /// The program: found and executed.
    Exec,
}
