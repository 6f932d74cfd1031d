/**
 * The unit files of Debian packages, downloaded once with apt-get, unpacked (never installed) and kept in the tests' cache.
 *
 * They are merged into one directory, as on a machine that has them all; where two packages ship a file of the same name
 * the first package by name wins.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';

/** The tests' cache. */
export const cache = process.env['SYSMASTER_TEST_CACHE'] ?? '/var/cache/sysmaster-test';

/** Small ones, with units of all types among them: a few seconds to fetch. */
export const PACKAGES = (
  'accountsservice acct acpid aide-common anacron apache2 apcupsd apt arpwatch at atop autofs avahi-daemon bind9 bolt ' +
  'borgmatic btrbk btrfsmaintenance certbot chrony clamav-daemon clamav-freshclam clevis-systemd colord conntrackd cron ' +
  'cups-browsed dbus ddclient dhcp-helper dmeventd dnsmasq e2fsprogs earlyoom etckeeper fancontrol fprintd fwknop-server gpm ' +
  'haproxy haveged ifupdown iio-sensor-proxy iperf3 irqbalance kbd kdump-tools kexec-tools krb5-admin-server krb5-kdc ' +
  'laptop-mode-tools libvirt-daemon-system lightdm lm-sensors logrotate lxcfs lynis man-db memcached minidlna miredo mosquitto ' +
  'nbd-client netfilter-persistent networkd-dispatcher nfs-common nfs-kernel-server nftables nginx-common ngircd nscd ' +
  'openbsd-inetd opendkim openntpd openssh-server pcscd php-common plocate plymouth polkitd postgresql-common ' +
  'power-profiles-daemon quota radvd rasdaemon rdnssd redis-server redsocks resolvconf rinetd rng-tools5 rpcbind rsyslog rtkit ' +
  'sane-utils sanoid snmpd softflowd spice-vdagent strongswan-starter stunnel4 switcheroo-control systemd systemd-boot ' +
  'systemd-coredump systemd-journal-remote systemd-oomd systemd-timesyncd tang tgt thermald tinyproxy tlp tpm2-abrmd tuned udev ' +
  'ufw ulogd2 unattended-upgrades unscd upower uptimed usbguard usbmuxd util-linux uuid-runtime vnstat vsftpd watchdog ' +
  'wireguard-tools xdm zram-tools'
).split(' ');

const directory = join(cache, `units-${createHash('sha256').update(PACKAGES.join(' ')).digest('hex').slice(0, 12)}`);

/** Why there can be no such files here; undefined: they are there, or can be fetched. */
export function packagesMissing(): string | undefined {
  if (fs.existsSync(join(directory, 'units'))) return undefined;
  for (const program of ['apt-get', 'dpkg-deb'])
    if (spawnSync(program, ['--version']).status !== 0) return `there is no ${program} here`;
  return undefined;
}

function run(program: string, args: readonly string[], cwd: string) {
  return spawnSync(program, args, { cwd, encoding: 'utf8', timeout: 110_000, maxBuffer: 64 << 20 });
}

/** The directory with all of them, fetched first where it is not there yet. Two tests at once do no harm: the first to finish wins. */
export function packageUnits(): string {
  const units = join(directory, 'units');
  if (fs.existsSync(units)) return units;
  fs.mkdirSync(cache, { recursive: true });
  const fresh = fs.mkdtempSync(`${directory}.`);
  try {
    const debs = join(fresh, 'debs');
    fs.mkdirSync(debs, { mode: 0o777 });
    let fetched = run('apt-get', ['download', '-q', ...PACKAGES], debs);
    if (fetched.status !== 0) {
      run('apt-get', ['update', '-q'], debs); // without lists, or with old ones, nothing is found
      fetched = run('apt-get', ['download', '-q', ...PACKAGES], debs);
    }
    if (fetched.status !== 0)
      throw new Error(`apt-get download: ${fetched.stdout.slice(-1000)}${fetched.stderr.slice(-1000)}`);
    const unpacked = run(
      'sh',
      [
        '-c',
        // The packages that ship nothing there make tar complain of a pattern that matches nothing.
        'mkdir tree; for deb in debs/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C tree --skip-old-files --wildcards "./lib/systemd/system/*" "./usr/lib/systemd/system/*" 2>/dev/null; done; ' +
          'mkdir -p tree/lib/systemd/system; [ ! -d tree/usr/lib/systemd/system ] || cp -a --no-clobber tree/usr/lib/systemd/system/. tree/lib/systemd/system/',
      ],
      fresh,
    );
    if (unpacked.status !== 0) throw new Error(`unpacking: ${unpacked.stderr}`);
    fs.mkdirSync(directory, { recursive: true });
    fs.rmSync(debs, { recursive: true });
    try {
      fs.renameSync(join(fresh, 'tree/lib/systemd/system'), units);
    } catch (error) {
      if (!fs.existsSync(units)) throw error;
    }
  } finally {
    fs.rmSync(fresh, { recursive: true, force: true });
  }
  return units;
}
