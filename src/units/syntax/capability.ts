/**
 * Capabilities by name and number.
 * Source: capabilities(7); systemd.exec(5), CapabilityBoundingSet=.
 */

/** In the order of their numbers, as Linux 5.9 and later has them. */
const NAMES = `
CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP
CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER
CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE
CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP
CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF
CAP_CHECKPOINT_RESTORE`;

/** All of them; the index is the number. */
export const CAPABILITIES: readonly string[] = NAMES.trim().split(/\s+/);

/** Numbers that fit the kernel's sets; those above the known names have none. */
const NUMBER_MAX = 62;

/** The name of `CAP_KILL`, `cap_kill` or `5`; undefined: no capability. A number without a name is its own name. */
export function parseCapability(text: string): string | undefined {
  if (/^[0-9]{1,3}$/.test(text)) {
    const number = Number(text);
    return number <= NUMBER_MAX ? (CAPABILITIES[number] ?? `CAP_${number}`) : undefined;
  }
  const upper = text.toUpperCase();
  return CAPABILITIES.includes(upper) ? upper : undefined;
}
