//! From execve to the loop: what is set up once, and what is taken over from the init before.

use crate::cgroup;
use crate::config::{Arguments, Config};
use crate::core::own_program;
use crate::early;
use crate::fault;
use crate::journal::Journal;
use crate::keeper::{self, Sign};
use crate::reexec::{Net, Restored, arm_early, restore, take_strays};
use crate::say::{LogTarget, say, set_target};
use crate::spawn::Helper;
use crate::state::{CHILDREN_MAX, Facts, Policy, State};
use crate::step::Event;
use crate::turn::{Init, now_us};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use sysmaster_link::Role;
use sysmaster_sys::signal::Signals;

/// Init's own limit on descriptors, as far as the hard limit goes.
const DESCRIPTORS: u64 = 65_536;
/// Descriptors kept back for init itself and for what is in flight.
const DESCRIPTORS_KEPT: u64 = 128;

/// Everything up to the loop.
///
/// # Errors
/// Words for a person: init cannot work at all.
pub fn start(arguments: &Arguments) -> Result<Init, String> {
    fault::life(arguments.fault);
    // A panic is a fault like any other, so that there is one way back only. Where there is none, the loop goes on.
    std::panic::set_hook(Box::new(|info| {
        say(2, &format!("fault: {info}"));
        sysmaster_sys::fatal::again();
    }));
    arm_early(&arguments.restore, arguments.fault);
    let role = early::role();
    set_target(if role == Role::Machine { LogTarget::Console } else { LogTarget::Stderr });
    // Every signal is blocked before the first child can end and before the first wait.
    let signals = Signals::open().map_err(|error| format!("signals: {error}"))?;
    early::mount_apis(role);
    if !early::proc_is_ours() {
        return Err("/proc: not of this pid namespace; mount it before init is started".to_owned());
    }
    let (config, complaints) = Config::load(arguments, Path::new(&own_program()));
    if let Some(target) = config.log_target {
        set_target(target);
    }
    arguments.complaints.iter().chain(&complaints).for_each(|complaint| say(4, complaint));
    if role == Role::Subreaper {
        rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1))
            .map_err(|error| format!("cannot become a child subreaper: {error}"))?;
    }
    let restored =
        if arguments.restore.is_empty() { None } else { Some(restore(&arguments.restore, arguments.fault)?) };
    // Whatever else was inherited: init has no use for it, and no child may have it.
    drop(take_strays());
    let limits = raise_limit(restored.as_ref().map(|restored| restored.limits));
    match restored {
        Some(restored) => resume(restored, config, signals, limits),
        None => {
            let mut init = begin(role, config, signals, limits)?;
            match Net::spread(arguments.fault) {
                Ok(net) => init.spread_net(net),
                Err(error) => say(3, &format!("no fault handler: {error}")),
            }
            Ok(init)
        }
    }
}

fn begin(role: Role, config: Config, signals: Signals, limits: Rlimit) -> Result<Init, String> {
    // The new files of the first process are not to depend on what the kernel or a launcher left.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    if role != Role::Subreaper {
        // Without a session of its own process 1 could not serve autofs, and a terminal could become its own.
        if let Err(error) = rustix::process::setsid()
            && error != rustix::io::Errno::PERM
        {
            say(4, &format!("setsid: {error}"));
        }
    }
    if let Err(error) = std::env::set_current_dir("/") {
        say(4, &format!("/: {error}"));
    }
    early::settle_system(role);
    if config.core.is_empty() {
        let todo = "name one with --core or with Core= in /etc/sysmaster/init.conf";
        if role != Role::Machine {
            return Err(format!("no core is configured; {todo}, or a command after --"));
        }
        say(1, &format!("no core is configured; {todo}"));
    }
    let helper = load_helper(&config)?;
    let groups = cgroup::settle(role, config.cgroup_root.as_deref()).unwrap_or_else(|why| {
        say(4, &format!("no control groups: {why}; processes are followed by descent only"));
        cgroup::Groups::default()
    });
    let facts = Facts {
        role,
        pid: i32::try_from(std::process::id()).unwrap_or(0),
        cgroup_root: groups.root,
        cgroup_base: groups.base,
        cgroup_home: groups.home,
        can_set_uid: early::can_set_uid(),
        can_lower_oom: early::can_lower_oom(),
    };
    let state = State::new(facts, policy(&config));
    Init::new(state, config, (helper, limits), signals, journal()?).map_err(|error| format!("epoll: {error}"))
}

fn journal() -> Result<Journal, String> {
    Journal::new().map_err(|error| format!("the journal: {error}"))
}

fn resume(restored: Restored, config: Config, signals: Signals, limits: Rlimit) -> Result<Init, String> {
    let Restored { state, tables, helper, fallen, .. } = restored;
    let (journal, rest) = match fallen {
        Some(fallen) => (fallen.journal, Some(fallen.rest)),
        None => (journal()?, None),
    };
    // A new helper comes with a new init; if it cannot be read, the old one still works.
    let helper = match rest {
        Some(_) => helper,
        None => load_helper(&config).unwrap_or_else(|why| {
            say(4, &format!("{why}; the old one is used on"));
            helper
        }),
    };
    let policy = policy(&config);
    let mut init =
        Init::new(state, config, (helper, limits), signals, journal).map_err(|error| format!("epoll: {error}"))?;
    init.tables = tables;
    init.watch_everything();
    let net = match rest {
        Some(rest) => init.go_on(rest),
        None => Net::spread(0).map_err(|error| format!("no memory for the state: {error}"))?,
    };
    init.state.policy = policy;
    // Core could not be heard meanwhile.
    init.state.core = keeper::lives(&init.state.core, &init.state.policy, Sign::Beat, now_us());
    init.spread_net(net);
    init.count_children();
    init.handle(Event::Reexeced);
    Ok(init)
}

/// What a person has set, as the pure part wants it.
fn policy(config: &Config) -> Policy {
    Policy {
        watchdog_us: config.watchdog_us,
        start_us: config.start_us.max(config.watchdog_us),
        intensity: config.intensity,
        period_us: config.period_us,
        has_previous: !config.previous_core.is_empty(),
        has_core: !config.core.is_empty(),
        store_max: store_max(),
        children_max: CHILDREN_MAX,
        grace_us: config.grace_us,
    }
}

/// How many names the store may have; see [`store_share`].
fn store_max() -> usize {
    store_share(getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS))
}

/// Three quarters of the descriptors there are. A service needs two or three for as long as it is loaded; the rest is for children,
/// which need one each until they run their program, and for watches, one each. Where there is none left, that is their errno.
fn store_share(limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(DESCRIPTORS_KEPT) / 4 * 3).unwrap_or(usize::MAX)
}

/// Raise init's own limit on descriptors; what comes back is the one it was given, which its children get ([`Helper::start`]).
/// The hard limit is raised only where it can be lowered and raised again for each child (CAP_SYS_RESOURCE).
fn raise_limit(earlier: Option<Rlimit>) -> Rlimit {
    let now = getrlimit(Resource::Nofile);
    let given = earlier.unwrap_or(now);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= DESCRIPTORS);
    let far = Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) };
    let near = Rlimit { current: now.maximum.map_or(Some(DESCRIPTORS), Some), maximum: now.maximum };
    let raised = if enough(now.current) {
        Ok(())
    } else if enough(now.maximum) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum: now.maximum })
    } else {
        setrlimit(Resource::Nofile, far).or_else(|_| setrlimit(Resource::Nofile, near))
    };
    if let Err(error) = raised {
        say(4, &format!("RLIMIT_NOFILE: cannot be raised: {error}"));
    }
    given
}

fn load_helper(config: &Config) -> Result<Helper, String> {
    let own = PathBuf::from(own_program());
    let candidates = match &config.exec {
        Some(path) => vec![path.clone()],
        None => vec![own.with_file_name("exec"), own.with_file_name("sysmaster-exec")],
    };
    let path = candidates.iter().find(|path| path.is_file()).or(candidates.first());
    let path = path.ok_or("no exec helper is configured")?;
    let null = null().map_err(|error| format!("/dev/null: {error}"))?;
    Helper::load(path, null).map_err(|error| format!("{}: the exec helper cannot be loaded: {error}", path.display()))
}

/// /dev/null, or where it is missing something as quiet.
fn null() -> io::Result<OwnedFd> {
    match open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(null) => Ok(null),
        Err(_) => Ok(rustix::fs::memfd_create("null", rustix::fs::MemfdFlags::CLOEXEC)?),
    }
}

/// A shell for a person where not even the helper can be loaded. Never ends before the shell does; waits where there is none.
pub fn last_shell() {
    let console = || std::fs::File::options().read(true).write(true).open("/dev/console");
    let shell = console().and_then(|input| {
        let (output, error) = (console()?, console()?);
        std::process::Command::new("/bin/sh").env_clear().stdin(input).stdout(output).stderr(error).status()
    });
    if let Err(error) = shell {
        say(0, &format!("/bin/sh: {error}; nothing is left to try but to wait"));
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}

#[cfg(test)]
mod tests {
    use super::{DESCRIPTORS, store_share};

    /// Both ends of a log pipe and a notify socket.
    const NAMES_A_SERVICE: usize = 3;

    #[test]
    fn the_store_holds_what_16000_services_need_where_the_limit_can_be_raised() {
        assert!(store_share(DESCRIPTORS) / NAMES_A_SERVICE >= 16_000);
    }

    #[test]
    fn a_hard_limit_of_20000_leaves_room_for_4900_services_and_as_many_children_that_start() {
        let names = 4_900 * NAMES_A_SERVICE;
        assert!(store_share(20_000) >= names);
        assert!(20_000 - store_share(20_000) >= 4_900);
    }

    #[test]
    fn a_limit_below_what_is_kept_back_leaves_nothing_to_store() {
        assert_eq!(store_share(100), 0);
    }
}
