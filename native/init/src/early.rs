//! What comes before the loop: where init stands, and the first process's duties.

use crate::say::say;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;
use sysmaster_link::Role;

/// Datagrams a notify socket holds; the kernel's 10 make senders wait.
const DATAGRAM_QUEUE: u32 = 512;

/// Where init stands.
///
/// Process 1 disables Ctrl-Alt-Del first of all. That fails with EINVAL in any pid namespace but the initial one (reboot(2)), so that
/// it tells the two apart before /proc is there; where /proc is there it must agree.
#[must_use]
pub fn role() -> Role {
    if std::process::id() != 1 {
        return Role::Subreaper;
    }
    let first = nix::sys::reboot::set_cad_enabled(false).is_ok();
    let agrees = !Path::new("/proc/self/ns/pid").exists() || crate::finish::is_first_namespace();
    if first && agrees { Role::Machine } else { Role::Container }
}

/// Whether uids and gids other than init's own can be set: the capabilities, and more than one uid mapped.
#[must_use]
pub fn can_set_uid() -> bool {
    const CAP_SETGID: u32 = 6;
    const CAP_SETUID: u32 = 7;
    let mapped: u64 = fs::read_to_string("/proc/self/uid_map")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().nth(2)?.parse::<u64>().ok())
        .fold(0, u64::saturating_add);
    has_capability(CAP_SETUID) && has_capability(CAP_SETGID) && mapped > 1
}

/// Whether an OOM score can be lowered (CAP_SYS_RESOURCE; in a user namespace that turns out only when tried).
#[must_use]
pub fn can_lower_oom() -> bool {
    const CAP_SYS_RESOURCE: u32 = 24;
    has_capability(CAP_SYS_RESOURCE)
}

fn has_capability(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).is_some_and(|set| set & (1 << number) != 0)
}

/// One file system the first process mounts if it is not there.
struct Api {
    path: &'static str,
    kind: &'static str,
    flags: MsFlags,
    /// The first that the kernel takes.
    options: &'static [&'static str],
}

fn apis() -> [Api; 7] {
    let (nosuid, noexec, nodev) = (MsFlags::MS_NOSUID, MsFlags::MS_NOEXEC, MsFlags::MS_NODEV);
    let plain = nosuid | noexec | nodev;
    [
        Api { path: "/proc", kind: "proc", flags: plain, options: &[""] },
        Api { path: "/sys", kind: "sysfs", flags: plain, options: &[""] },
        Api { path: "/dev", kind: "devtmpfs", flags: nosuid | MsFlags::MS_STRICTATIME, options: &["mode=0755"] },
        Api {
            path: "/dev/pts",
            kind: "devpts",
            flags: nosuid | noexec,
            options: &["gid=5,mode=620,ptmxmode=666", "mode=620,ptmxmode=666"],
        },
        Api { path: "/dev/shm", kind: "tmpfs", flags: nosuid | nodev, options: &["mode=1777"] },
        Api { path: "/run", kind: "tmpfs", flags: nosuid | nodev, options: &["mode=0755"] },
        Api {
            path: "/sys/fs/cgroup",
            kind: "cgroup2",
            flags: plain,
            options: &["nsdelegate,memory_recursiveprot", "nsdelegate", ""],
        },
    ]
}

/// Mount what is absent. A container mounts only inside a mount namespace of its own, which nothing of it leaves.
pub fn mount_apis(role: Role) {
    if role == Role::Subreaper {
        return;
    }
    // Without /proc there is no telling what is mounted, which is why it comes first.
    let absent: Vec<Api> = apis().into_iter().filter(|api| is_absent(api, role)).collect();
    if absent.is_empty() {
        return make_links(role);
    }
    if role == Role::Container {
        let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
        let own =
            unshare(CloneFlags::CLONE_NEWNS).and_then(|()| mount(None::<&str>, "/", None::<&str>, slave, None::<&str>));
        if let Err(error) = own {
            let names: Vec<&str> = absent.iter().map(|api| api.path).collect();
            return say(4, &format!("{}: not mounted: no mount namespace of our own: {error}", names.join(" ")));
        }
    }
    for api in &absent {
        if let Err(error) = mount_one(api) {
            say(3, &format!("{}: cannot mount {}: {error}", api.path, api.kind));
        }
    }
    make_links(role);
}

fn is_absent(api: &Api, role: Role) -> bool {
    match (api.path, role) {
        // A container's runtime chooses its devices and its control groups; missing ones are not ours to bring in.
        ("/dev" | "/dev/pts" | "/dev/shm" | "/sys/fs/cgroup" | "/sys", Role::Container) => false,
        ("/proc", _) => !proc_is_ours(),
        ("/run", Role::Container) => !Path::new("/run").is_dir(),
        ("/dev", _) => !Path::new("/dev/null").exists() || !is_mount_point("/dev"),
        (path, _) => !is_mount_point(path),
    }
}

/// Whether /proc shows this pid namespace. One of another namespace has the same numbers for other processes.
#[must_use]
pub fn proc_is_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|own| own.to_str() == Some(std::process::id().to_string().as_str()))
}

fn is_mount_point(path: &str) -> bool {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().any(|line| line.split(' ').nth(4) == Some(path))
}

fn mount_one(api: &Api) -> nix::Result<()> {
    // An existing directory is the usual case; a missing one that cannot be made shows in the mount's own error.
    let _ = fs::DirBuilder::new().recursive(true).mode(0o755).create(api.path);
    let mut last = Ok(());
    for options in api.options {
        last = mount(Some(api.kind), api.path, Some(api.kind), api.flags, Some(*options));
        if last.is_ok() {
            break;
        }
    }
    last
}

fn make_links(role: Role) {
    if role != Role::Machine {
        return;
    }
    let links = [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
    for (name, to) in links {
        let path = Path::new("/dev").join(name);
        if fs::symlink_metadata(&path).is_err()
            && let Err(error) = symlink(to, &path)
        {
            say(4, &format!("{}: cannot be made: {error}", path.display()));
        }
    }
}

/// Network, names and limits of a machine; of a container as far as they are plainly its own.
pub fn settle_system(role: Role) {
    if role == Role::Subreaper {
        return;
    }
    let fresh_network = match sysmaster_sys::machine::loopback_up() {
        Ok(was_down) => was_down,
        Err(error) => {
            say(4, &format!("lo: cannot be brought up: {error}"));
            false
        }
    };
    if role == Role::Machine {
        set_hostname();
        make_machine_id(Path::new("/etc/machine-id"));
    }
    let path = "/proc/sys/net/unix/max_dgram_qlen";
    let now = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok());
    if now.is_some_and(|now| now >= DATAGRAM_QUEUE) {
        return;
    }
    // A network whose loopback was down is new, so it is this container's; any other may be the host's.
    let raised = if role == Role::Machine || fresh_network {
        fs::write(path, DATAGRAM_QUEUE.to_string())
    } else {
        Err(std::io::ErrorKind::PermissionDenied.into())
    };
    if let Err(error) = raised {
        say(5, &format!("{path}: stays at {}: {error}; chatty services may wait for us", now.unwrap_or(0)));
    }
}

fn set_hostname() {
    let text = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let name = name.unwrap_or("localhost");
    if let Err(error) = nix::unistd::sethostname(name) {
        say(4, &format!("/etc/hostname: {name}: cannot be set: {error}"));
    }
}

/// Write a new machine-id(5) if there is none.
fn make_machine_id(path: &Path) {
    if fs::read_to_string(path).is_ok_and(|text| text.trim().len() == 32) {
        return;
    }
    let mut bytes = [0_u8; 16];
    // At boot the pool may not be ready yet, and waiting for it is not for init.
    if rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::INSECURE) != Ok(16) {
        return say(4, &format!("{}: no random numbers for it", path.display()));
    }
    // Version 4, as machine-id(5) says.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Err(error) = fs::write(path, format!("{text}\n")) {
        say(4, &format!("{}: missing, and cannot be written: {error}; mount / for writing once", path.display()));
    }
}
