//! What ending means, depending on where init stands. One total function; nothing is done here.

use serde::{Deserialize, Serialize};
use sysmaster_link::{Role, ShutdownKind};

/// The status a container's init exits with to say "start me again", as systemd-nspawn(1) understands it.
pub const REBOOT_STATUS: u8 = 133;

/// How the system shall end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What was asked for.
    pub kind: ShutdownKind,
    /// Exit status, where there is one.
    pub status: u8,
    /// Argument of reboot(2), where there is one; empty: none.
    pub argument: String,
}

/// Which processes are killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything in this pid namespace: kill(-1), which only its process 1 may do.
    Namespace,
    /// Descendants, and what sits in init's own control groups. Never anything else.
    Own,
}

/// What init does last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// reboot(2), power off.
    PowerOff,
    /// reboot(2), restart; with the order's argument.
    Restart,
    /// reboot(2), halt.
    Halt,
    /// reboot(2), into the loaded kernel, or restart if none is loaded.
    Kexec,
    /// exit(2).
    Exit(u8),
}

/// All that ending consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who is killed.
    pub kill: Scope,
    /// Everything is unmounted and synced. Elsewhere than on a machine, the mounts init made are in a mount namespace
    /// of its own and go with it.
    pub unmount: bool,
    /// The last call.
    pub last: Last,
}

/// What this order means in this place.
///
/// A container or a subreaper exits; only the first process of a machine unmounts or calls reboot(2).
#[must_use]
pub fn ending(role: Role, order: &Order) -> Plan {
    use ShutdownKind::{Exit, Halt, Kexec, Poweroff, Reboot, SoftReboot, SwitchRoot};
    match role {
        Role::Machine => Plan {
            kill: Scope::Namespace,
            unmount: true,
            last: match order.kind {
                Poweroff | Exit => Last::PowerOff,
                Reboot | SoftReboot | SwitchRoot => Last::Restart,
                Halt => Last::Halt,
                Kexec => Last::Kexec,
            },
        },
        Role::Container | Role::Subreaper => Plan {
            kill: if role == Role::Container { Scope::Namespace } else { Scope::Own },
            unmount: false,
            last: Last::Exit(match order.kind {
                Poweroff | Halt | Exit => order.status,
                Reboot | Kexec | SoftReboot | SwitchRoot => REBOOT_STATUS,
            }),
        },
    }
}

/// What a signal to init asks for when there is no core to ask (systemd(1), "Signals"). None: nothing.
///
/// `rtmin` is the first real-time signal. SIGINT is Ctrl-Alt-Del on a machine, and Ctrl-C elsewhere.
#[must_use]
pub fn order_of_signal(role: Role, signal: i32, rtmin: i32) -> Option<ShutdownKind> {
    const SIGINT: i32 = 2;
    const SIGTERM: i32 = 15;
    const SIGPWR: i32 = 30;
    match signal {
        SIGTERM | SIGPWR => Some(ShutdownKind::Poweroff),
        SIGINT if role == Role::Machine => Some(ShutdownKind::Reboot),
        SIGINT => Some(ShutdownKind::Poweroff),
        _ => match signal.checked_sub(rtmin) {
            Some(3 | 13) => Some(ShutdownKind::Halt),
            Some(4 | 14) => Some(ShutdownKind::Poweroff),
            Some(5 | 15) => Some(ShutdownKind::Reboot),
            Some(6 | 16) => Some(ShutdownKind::Kexec),
            _ => None,
        },
    }
}

/// Whether a signal demands the end at once, without asking core (RTMIN+13 to +16).
#[must_use]
pub fn is_immediate(signal: i32, rtmin: i32) -> bool {
    signal.checked_sub(rtmin).is_some_and(|number| (13..=16).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ShutdownKind::*;

    const KINDS: [ShutdownKind; 7] = [Poweroff, Reboot, Halt, Kexec, Exit, SoftReboot, SwitchRoot];

    fn plan(role: Role, kind: ShutdownKind) -> Plan {
        ending(role, &Order { kind, status: 7, argument: String::new() })
    }

    #[test]
    fn the_table_of_endings_is_as_documented() {
        let table = [
            (Poweroff, Last::PowerOff, Last::Exit(7)),
            (Reboot, Last::Restart, Last::Exit(133)),
            (Halt, Last::Halt, Last::Exit(7)),
            (Kexec, Last::Kexec, Last::Exit(133)),
            (Exit, Last::PowerOff, Last::Exit(7)),
            (SoftReboot, Last::Restart, Last::Exit(133)),
            (SwitchRoot, Last::Restart, Last::Exit(133)),
        ];
        assert_eq!(table.map(|row| row.0), KINDS);
        for (kind, machine, elsewhere) in table {
            assert_eq!(plan(Role::Machine, kind), Plan { kill: Scope::Namespace, unmount: true, last: machine });
            assert_eq!(plan(Role::Container, kind), Plan { kill: Scope::Namespace, unmount: false, last: elsewhere });
            assert_eq!(plan(Role::Subreaper, kind), Plan { kill: Scope::Own, unmount: false, last: elsewhere });
        }
    }

    #[test]
    fn a_subreaper_never_kills_strangers_unmounts_or_reboots() {
        for kind in KINDS {
            let plan = plan(Role::Subreaper, kind);
            assert_eq!(plan.kill, Scope::Own);
            assert!(!plan.unmount);
            assert!(matches!(plan.last, Last::Exit(_)));
        }
    }

    #[test]
    fn the_shutdown_signals_have_their_meaning_and_no_other_signal_has_one() {
        let rtmin = 34;
        let meaning: Vec<_> =
            (1..=64).filter_map(|s| order_of_signal(Role::Machine, s, rtmin).map(|kind| (s, kind))).collect();
        assert_eq!(
            meaning,
            [
                (2, Reboot),
                (15, Poweroff),
                (30, Poweroff),
                (37, Halt),
                (38, Poweroff),
                (39, Reboot),
                (40, Kexec),
                (47, Halt),
                (48, Poweroff),
                (49, Reboot),
                (50, Kexec)
            ]
        );
        assert_eq!(order_of_signal(Role::Container, 2, rtmin), Some(Poweroff));
        assert_eq!(order_of_signal(Role::Subreaper, 2, rtmin), Some(Poweroff));
        assert!((1..=64).filter(|s| is_immediate(*s, rtmin)).eq(47..=50));
    }
}
