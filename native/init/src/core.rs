//! The children init starts of its own: core, the emergency shell, the unmounting helper; and what it reads of core's end.

use crate::act;
use crate::config::Config;
use crate::keeper::BLACK_BOX_BYTES;
use crate::kill;
use crate::link::Link;
use crate::place;
use crate::process;
use crate::say::say;
use crate::spawn::spec_memfd;
use crate::step::Event;
use crate::turn::{Init, Outcome, errno};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use sysmaster_link::{ExecSpec, Rlimit, SPEC_VERSION, Stdio, TtyAcquire};
use sysmaster_sys::signal::kill_everybody_else;

/// The name core's black box has in the store.
pub const BLACK_BOX: &str = "blackbox";
/// Core's words to descriptor 2 are kept up to this size; at the next start what is longer begins anew.
const CORE_STDERR_MAX: u64 = 1 << 20;
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// glibc gives memory back (mallopt(3)): what core's engine needs only to start is a quarter of what it would keep.
const THRIFTY_MALLOC: [&str; 3] =
    ["MALLOC_ARENA_MAX=1", "MALLOC_MMAP_THRESHOLD_=32768", "MALLOC_TRIM_THRESHOLD_=65536"];
const CORE_OOM_SCORE: i32 = -900;

impl Init {
    /// Start core on a new link.
    pub(crate) fn start_core(&self, serial: u64, previous: bool, lower_oom: bool) -> Outcome {
        let words = if previous { &self.config.previous_core } else { &self.config.core };
        let mut found = Vec::new();
        let mut tell = |what: String| {
            say(4, &what);
            found.push(what);
        };
        let run_dir = place::directory(&self.config.run_dir, &mut tell);
        let output = place::file(&format!("{run_dir}/core.stderr"), CORE_STDERR_MAX, &mut tell);
        let mut spec = core_spec(words, &self.config, &self.state.facts.cgroup_root, lower_oom);
        spec.environment.push(format!("SYSMASTER_RUN_DIR={run_dir}"));
        if !found.is_empty() {
            spec.environment.push(format!("SYSMASTER_FOUND={}", found.join("\n")));
        }
        if output.is_some() {
            (spec.stdout, spec.stderr) = (Stdio::Fd(1), Stdio::Fd(1));
        }
        let started = Link::pair().and_then(|(link, theirs)| {
            let spec = spec_memfd(&spec)?;
            let fds: Vec<_> = [Some(theirs.as_fd()), output.as_ref().map(AsFd::as_fd)].into_iter().flatten().collect();
            let started = self.helper.start(spec.as_fd(), &fds, &self.limits)?;
            Ok((link, started))
        });
        match started {
            Ok((link, started)) => act::started(serial, Ok(started), Some(link)),
            Err(error) => Event::ForkFailed { serial, errno: errno(&error), detail: "core".to_owned() }.into(),
        }
    }

    /// Start a child of init's own.
    pub(crate) fn start_own(&self, serial: u64, spec: &ExecSpec) -> Outcome {
        self.start_with(serial, spec, &[])
    }

    pub(crate) fn start_with(&self, serial: u64, spec: &ExecSpec, fds: &[BorrowedFd<'_>]) -> Outcome {
        let started = spec_memfd(spec).and_then(|spec| self.helper.start(spec.as_fd(), fds, &self.limits));
        act::started(serial, started, None)
    }

    /// The black box of the core that has just ended, if it had stored one.
    pub(crate) fn black_box(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; BLACK_BOX_BYTES];
        let count = rustix::io::pread(self.tables.store.get(BLACK_BOX)?, &mut bytes, 0).ok()?;
        bytes.truncate(count);
        Some(bytes)
    }

    /// Once it is noted, it is emptied: the next core may die before it writes anything, and is not to be taken for what the one
    /// before it did.
    pub(crate) fn empty_black_box(&self) {
        if let Some(slot) = self.tables.store.get(BLACK_BOX)
            && let Err(error) = rustix::io::pwrite(slot, &[0; BLACK_BOX_BYTES], 0)
        {
            say(3, &format!("black box: cannot be emptied: {error}"));
        }
    }

    /// Signal all that ending is to reach.
    pub(crate) fn kill_all(&self, scope: crate::ending::Scope, signal: i32) {
        let facts = &self.state.facts;
        match scope {
            crate::ending::Scope::Namespace => {
                // ESRCH: there is nobody else.
                if let Err(error) = kill_everybody_else(signal)
                    && errno(&error) != nix::libc::ESRCH
                {
                    say(3, &format!("shutdown: cannot signal all processes: {error}"));
                }
            }
            crate::ending::Scope::Own => {
                kill::kill_own(facts.pid, self.own_root(), signal);
            }
        }
    }

    /// The control group that is init's alone.
    fn own_root(&self) -> Option<&str> {
        let facts = &self.state.facts;
        facts.cgroup_home.as_ref().map(|_| facts.cgroup_root.as_str())
    }

    /// Whether nobody is left in the groups that are init's alone.
    pub(crate) fn is_alone(&self) -> bool {
        let own = self.state.facts.pid;
        let zombie = |pid: i32| process::stat(pid).is_none_or(|stat| stat.state == 'Z');
        self.own_root()
            .is_none_or(|root| kill::members(Path::new(root)).into_iter().all(|pid| pid == own || zombie(pid)))
    }
}

fn core_spec(words: &[String], config: &Config, cgroup_root: &str, lower_oom: bool) -> ExecSpec {
    let mut environment = vec![PATH.to_owned()];
    // How long core may be silent, so that it speaks oftener; it knows none of the other settings.
    environment.push(format!("SYSMASTER_WATCHDOG_USEC={}", config.watchdog_us));
    environment.push(crate::userspace::word());
    environment.extend(THRIFTY_MALLOC.map(str::to_owned));
    environment.extend(config.core_environment.iter().cloned());
    ExecSpec {
        cgroups: if cgroup_root.is_empty() { Vec::new() } else { vec![format!("{cgroup_root}/core.scope")] },
        environment,
        stdin: Stdio::Fd(0),
        rlimits: vec![Rlimit { resource: "CORE".to_owned(), soft: Some(0), hard: Some(0) }],
        oom_score_adjust: lower_oom.then_some(CORE_OOM_SCORE),
        ..spec("core", words)
    }
}

/// The emergency shell: on the console, which becomes its controlling terminal.
pub(crate) fn shell_spec(config: &Config) -> ExecSpec {
    let sulogin = ["/usr/sbin/sulogin", "/sbin/sulogin"].into_iter().find(|path| Path::new(path).exists());
    let default = [sulogin.unwrap_or("/bin/sh").to_owned()];
    let words = if config.emergency_shell.is_empty() { &default[..] } else { &config.emergency_shell };
    let tty = |acquire| Stdio::Tty { path: "/dev/console".to_owned(), acquire };
    ExecSpec {
        environment: vec![PATH.to_owned(), "TERM=linux".to_owned(), "HOME=/root".to_owned()],
        stdin: tty(TtyAcquire::Force),
        stdout: tty(TtyAcquire::None),
        stderr: tty(TtyAcquire::None),
        ..spec("emergency", words)
    }
}

/// Init's own program, unmounting: it may wait for a dead server, so it is a child with a deadline.
pub(crate) fn unmount_spec() -> ExecSpec {
    let console = || Stdio::Tty { path: "/dev/console".to_owned(), acquire: TtyAcquire::None };
    let words = [own_program(), "--unmount".to_owned()];
    ExecSpec { stdout: console(), stderr: console(), ..spec("unmount", &words) }
}

/// The path of init's own program.
pub(crate) fn own_program() -> String {
    fs::read_link("/proc/self/exe").map_or_else(
        |_: io::Error| std::env::args().next().unwrap_or_default(),
        |path| path.to_string_lossy().trim_end_matches(" (deleted)").to_owned(),
    )
}

/// A plain spec for these words.
pub(crate) fn spec(unit: &str, words: &[String]) -> ExecSpec {
    ExecSpec {
        version: SPEC_VERSION,
        unit: unit.to_owned(),
        path: words.first().cloned().unwrap_or_default(),
        argv: words.to_vec(),
        ..ExecSpec::default()
    }
}
