//! Resource limits (systemd.exec(5), LimitCPU= and so on; getrlimit(2)).

use crate::failure::{At, Failure};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sysmaster_link::ExecStep;

/// Set them all, each as close as is permitted.
pub fn set_all(limits: &[sysmaster_link::Rlimit]) -> Result<(), Failure> {
    for limit in limits {
        let resource =
            resource(&limit.resource).ok_or_else(|| Failure::new(ExecStep::Limits, Errno::INVAL, &limit.resource))?;
        set_closest(resource, &Rlimit { current: limit.soft, maximum: limit.hard })
            .at(ExecStep::Limits, &limit.resource)?;
    }
    Ok(())
}

/// Where a limit may not be raised that far, raise it as far as its own hard limit, as systemd does in containers.
fn set_closest(resource: Resource, wanted: &Rlimit) -> rustix::io::Result<()> {
    match setrlimit(resource, *wanted) {
        Err(Errno::PERM) => {}
        result => return result,
    }
    match closest(wanted, &getrlimit(resource)) {
        Some(limit) => setrlimit(resource, limit),
        None => Err(Errno::PERM),
    }
}

/// None if the hard limit is infinite already: then the refusal had another reason.
fn closest(wanted: &Rlimit, present: &Rlimit) -> Option<Rlimit> {
    let ceiling = present.maximum?;
    let clamp = |value: Option<u64>| Some(value.map_or(ceiling, |value| value.min(ceiling)));
    Some(Rlimit { current: clamp(wanted.current), maximum: clamp(wanted.maximum) })
}

fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "CPU" => Resource::Cpu,
        "FSIZE" => Resource::Fsize,
        "DATA" => Resource::Data,
        "STACK" => Resource::Stack,
        "CORE" => Resource::Core,
        "RSS" => Resource::Rss,
        "NPROC" => Resource::Nproc,
        "NOFILE" => Resource::Nofile,
        "MEMLOCK" => Resource::Memlock,
        "AS" => Resource::As,
        "LOCKS" => Resource::Locks,
        "SIGPENDING" => Resource::Sigpending,
        "MSGQUEUE" => Resource::Msgqueue,
        "NICE" => Resource::Nice,
        "RTPRIO" => Resource::Rtprio,
        "RTTIME" => Resource::Rttime,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn limit(current: Option<u64>, maximum: Option<u64>) -> Rlimit {
        Rlimit { current, maximum }
    }

    #[test]
    fn a_limit_above_the_hard_one_is_brought_down_to_it() {
        assert_eq!(closest(&limit(Some(9), None), &limit(Some(1), Some(5))), Some(limit(Some(5), Some(5))));
        assert_eq!(closest(&limit(Some(2), Some(9)), &limit(Some(1), Some(5))), Some(limit(Some(2), Some(5))));
        assert_eq!(closest(&limit(Some(2), Some(9)), &limit(Some(1), None)), None);
    }

    #[test]
    fn an_unknown_resource_is_named_in_the_failure() {
        let unknown = sysmaster_link::Rlimit { resource: "SPEED".into(), soft: None, hard: None };
        assert_eq!(set_all(&[unknown]), Err(Failure::new(ExecStep::Limits, Errno::INVAL, "SPEED")));
    }
}
