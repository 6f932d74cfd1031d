//! Faults on demand, in test builds only: at the n-th boundary between two operations, init faults.
//!
//! SYSMASTER_FAULT_AT is a list of `NUMBER:HOW`, one for each life of the program (the first one, the one after its first fault …);
//! HOW is `segv` or `panic`. SYSMASTER_FAULT_LOG names a file that gets the name of each boundary of the first life, a line each.
//! docs/reference/crash-simulation.md says how it is used. In a release build there is nothing of this.

/// Here a fault may be asked for.
#[cfg(not(any(debug_assertions, feature = "fault-points")))]
#[inline(always)]
pub fn point(_name: &'static str) {}

/// This life is the one after so many faults.
#[cfg(not(any(debug_assertions, feature = "fault-points")))]
#[inline(always)]
pub fn life(_faults: u32) {}

#[cfg(any(debug_assertions, feature = "fault-points"))]
pub use on_demand::{life, point};

#[cfg(any(debug_assertions, feature = "fault-points"))]
mod on_demand {
    use std::fs::File;
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Plan {
        at: u64,
        panics: bool,
        log: Option<File>,
    }

    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);

    /// This life is the one after so many faults.
    pub fn life(faults: u32) {
        let _ = PLAN.set(plan(faults));
    }

    fn plan(faults: u32) -> Option<Plan> {
        let log = std::env::var_os("SYSMASTER_FAULT_LOG").filter(|_| faults == 0);
        let log = log.and_then(|path| File::options().append(true).create(true).open(path).ok());
        let lives = std::env::var("SYSMASTER_FAULT_AT").unwrap_or_default();
        let life = lives.split(',').nth(usize::try_from(faults).unwrap_or(usize::MAX)).unwrap_or_default();
        let (at, how) = life.split_once(':').unwrap_or((life, "segv"));
        match at.parse() {
            Ok(at) => Some(Plan { at, panics: how == "panic", log }),
            Err(_) => log.map(|log| Plan { at: 0, panics: false, log: Some(log) }),
        }
    }

    /// Here a fault may be asked for.
    pub fn point(name: &'static str) {
        let Some(Some(plan)) = PLAN.get() else { return };
        let count = COUNT.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if let Some(mut log) = plan.log.as_ref() {
            // One write a line: nothing is left in a buffer by a fault.
            let _ = log.write_all(format!("{name}\n").as_bytes());
        }
        if count != plan.at {
            return;
        }
        assert!(!plan.panics, "asked for, at boundary {count}: {name}");
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let _ = sysmaster_sys::signal::kill_child(own, nix::libc::SIGSEGV);
    }
}
