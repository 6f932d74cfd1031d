//! What the kernel thinks of this process: OOM score, scheduling, affinity, personality.

use crate::failure::{At, Failure};
use nix::libc;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit, setpriority_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fs;
use sysmaster_link::{ExecSpec, ExecStep};
use sysmaster_sys::exec_calls;

/// All of it, in the order of the steps.
pub fn apply(spec: &ExecSpec) -> Result<(), Failure> {
    if let Some(score) = spec.oom_score_adjust {
        set_oom_score(score)?;
    }
    if let Some(nice) = spec.nice {
        set_nice(nice).at(ExecStep::Nice, nice.to_string())?;
    }
    set_scheduler(spec)?;
    set_affinity(&spec.cpu_affinity)?;
    set_io_priority(spec)?;
    set_personality(&spec.personality)
}

/// A lower score needs CAP_SYS_RESOURCE, which containers lack: then it stays as it is, as in systemd.
fn set_oom_score(score: i32) -> Result<(), Failure> {
    match fs::write("/proc/self/oom_score_adj", score.to_string()) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        result => result.at(ExecStep::OomAdjust, score.to_string()),
    }
}

/// A level that may not be had is brought to the best that RLIMIT_NICE allows.
fn set_nice(level: i32) -> rustix::io::Result<()> {
    match setpriority_process(None, level) {
        Err(Errno::ACCESS | Errno::PERM) => {
            let limit = getrlimit(Resource::Nice).current.unwrap_or(40).min(40);
            let best = 20 - i32::try_from(limit).unwrap_or(0);
            setpriority_process(None, level.max(best).min(19))
        }
        result => result,
    }
}

fn set_scheduler(spec: &ExecSpec) -> Result<(), Failure> {
    let step = ExecStep::SetScheduler;
    let policy = match spec.cpu_scheduling_policy.as_str() {
        "" => return Ok(()),
        "other" => libc::SCHED_OTHER,
        "batch" => libc::SCHED_BATCH,
        "idle" => libc::SCHED_IDLE,
        "fifo" => libc::SCHED_FIFO,
        "rr" => libc::SCHED_RR,
        unknown => return Err(Failure::new(step, Errno::INVAL, unknown)),
    };
    let priority = i32::try_from(spec.cpu_scheduling_priority).unwrap_or(i32::MAX);
    exec_calls::set_scheduler(policy, priority, spec.cpu_scheduling_reset_on_fork)
        .at(step, format!("{} {priority}", spec.cpu_scheduling_policy))
}

fn set_affinity(cpus: &[u32]) -> Result<(), Failure> {
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for cpu in cpus {
        match usize::try_from(*cpu) {
            Ok(number) if number < CpuSet::MAX_CPU => set.set(number),
            _ => return Err(Failure::new(ExecStep::CpuAffinity, Errno::INVAL, cpu.to_string())),
        }
    }
    let list = cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    sched_setaffinity(None, &set).at(ExecStep::CpuAffinity, list)
}

fn set_io_priority(spec: &ExecSpec) -> Result<(), Failure> {
    let step = ExecStep::IoPriority;
    let class = match spec.io_scheduling_class.as_str() {
        "" => return Ok(()),
        "none" => 0,
        "realtime" => 1,
        "best-effort" => 2,
        "idle" => 3,
        unknown => return Err(Failure::new(step, Errno::INVAL, unknown)),
    };
    // The classes without levels take no other than 0.
    let level = if matches!(class, 1 | 2) { u8::try_from(spec.io_scheduling_priority).unwrap_or(u8::MAX) } else { 0 };
    exec_calls::set_io_priority(class, level).at(step, format!("{} {level}", spec.io_scheduling_class))
}

fn set_personality(name: &str) -> Result<(), Failure> {
    const PER_LINUX: u32 = 0;
    const PER_LINUX32: u32 = 8;
    const NATIVE: &str = if cfg!(target_arch = "x86_64") {
        "x86-64"
    } else if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        std::env::consts::ARCH
    };
    const NATIVE_32: &str = if cfg!(target_arch = "x86_64") {
        "x86"
    } else if cfg!(target_arch = "aarch64") {
        "arm"
    } else {
        ""
    };
    let domain = match name {
        "" => return Ok(()),
        NATIVE => PER_LINUX,
        NATIVE_32 => PER_LINUX32,
        unknown => return Err(Failure::new(ExecStep::Personality, Errno::INVAL, unknown)),
    };
    exec_calls::set_personality(domain).at(ExecStep::Personality, name)
}
