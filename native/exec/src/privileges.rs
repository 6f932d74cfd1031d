//! Giving up privileges: groups and user, capabilities(7), no_new_privs.

use crate::failure::{At, Failure};
use crate::users::Identity;
use rustix::io::Errno;
use rustix::thread::{self, CapabilitySet};
use std::fs;
use sysmaster_link::{ExecSpec, ExecStep};

/// Bounding set and ambient set, then groups, then the user, then the ambient set once more, since changing the user empties it.
pub fn take_on(spec: &ExecSpec, identity: &Identity) -> Result<(), Failure> {
    let ambient = parse(&spec.ambient_capabilities)?;
    if let Some(kept) = &spec.capability_bounding_set {
        bound(parse(kept)?)?;
    }
    if !ambient.is_empty() {
        inherit(ambient).and_then(|()| raise(ambient)).at(ExecStep::Capabilities, "ambient set")?;
    }
    if spec.keep_credentials {
        return Ok(());
    }
    set_groups(identity)?;
    if let Some(uid) = identity.uid {
        if uid != 0 && !ambient.is_empty() {
            thread::set_keep_capabilities(true).at(ExecStep::Capabilities, "keep capabilities")?;
        }
        let raw = thread::Uid::from_raw(uid);
        thread::set_thread_res_uid(raw, raw, raw).at(ExecStep::SetUser, format!("uid {uid}"))?;
        if !ambient.is_empty() {
            raise(ambient).at(ExecStep::Capabilities, "ambient set")?;
        }
    }
    Ok(())
}

fn set_groups(identity: &Identity) -> Result<(), Failure> {
    if let Some(groups) = &identity.groups {
        let groups: Vec<thread::Gid> = groups.iter().copied().map(thread::Gid::from_raw).collect();
        match thread::set_thread_groups(&groups) {
            // A user namespace that an ordinary user made may not change groups at all; systemd goes on there as well.
            Err(Errno::PERM) if groups_are_denied() => {}
            result => result.at(ExecStep::Credentials, "supplementary groups")?,
        }
    }
    if let Some(gid) = identity.gid {
        let raw = thread::Gid::from_raw(gid);
        thread::set_thread_res_gid(raw, raw, raw).at(ExecStep::Credentials, format!("gid {gid}"))?;
    }
    Ok(())
}

fn groups_are_denied() -> bool {
    fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

/// Capabilities by name, with or without `CAP_`, in any case.
fn parse(names: &[String]) -> Result<CapabilitySet, Failure> {
    let mut set = CapabilitySet::empty();
    for name in names {
        let upper = name.to_ascii_uppercase();
        let known = CapabilitySet::from_name(upper.strip_prefix("CAP_").unwrap_or(&upper));
        set |= known.ok_or_else(|| Failure::new(ExecStep::Capabilities, Errno::INVAL, name))?;
    }
    Ok(set)
}

/// Every capability that this kernel knows, numbered from 0 without gaps.
fn every_capability() -> impl Iterator<Item = CapabilitySet> {
    (0..u64::BITS)
        .map(|number| CapabilitySet::from_bits_retain(1 << number))
        .take_while(|capability| thread::capability_is_in_bounding_set(*capability).is_ok())
}

/// Take everything else out of the bounding set, and out of the inheritable set, which could bring it back.
fn bound(kept: CapabilitySet) -> Result<(), Failure> {
    for capability in every_capability().filter(|capability| !kept.contains(*capability)) {
        let present = thread::capability_is_in_bounding_set(capability).at(ExecStep::Capabilities, "bounding set")?;
        if present {
            thread::remove_capability_from_bounding_set(capability).at(ExecStep::Capabilities, "bounding set")?;
        }
    }
    let mut sets = thread::capabilities(None).at(ExecStep::Capabilities, "inheritable set")?;
    let inheritable = sets.inheritable & kept;
    if inheritable == sets.inheritable {
        return Ok(());
    }
    sets.inheritable = inheritable;
    thread::set_capabilities(None, sets).at(ExecStep::Capabilities, "inheritable set")
}

fn inherit(ambient: CapabilitySet) -> rustix::io::Result<()> {
    let mut sets = thread::capabilities(None)?;
    sets.inheritable |= ambient;
    thread::set_capabilities(None, sets)
}

fn raise(ambient: CapabilitySet) -> rustix::io::Result<()> {
    for capability in every_capability().filter(|capability| ambient.contains(*capability)) {
        thread::configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_known_by_their_names_and_no_others() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let both = parse(&names(&["CAP_CHOWN", "cap_net_bind_service"])).unwrap();
        assert_eq!(both, CapabilitySet::CHOWN | CapabilitySet::NET_BIND_SERVICE);
        assert_eq!(parse(&names(&["CAP_FLY"])), Err(Failure::new(ExecStep::Capabilities, Errno::INVAL, "CAP_FLY")));
    }
}
