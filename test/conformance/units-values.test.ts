/**
 * Which values systemd refuses: every key that it knows, with values good and bad for all of them, one a line, in units that
 * `systemd-analyze verify` reads many at a time. The lines it speaks of are compared with the lines our findings name.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { createUnitLoader, plainPaths } from '../../src/units/index.ts';
import { diskFiles, testFacts } from '../unit/units-support.ts';
import { ask, has, makeTree } from './units-oracle.ts';

const manager = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'].find((path) => fs.existsSync(path));
const items =
  manager === undefined || !has('systemd-analyze')
    ? ''
    : (spawnSync(manager, ['--dump-configuration-items'], { encoding: 'utf8', timeout: 20_000 }).stdout ?? '');

/** Each is good for some setting; all are tried with all settings. */
const VALUES: readonly string[] = `
yes no 1 0 2 -1 foo FOO on t 5 10 1000 10001 65536 4294967295 4294967296 18446744073709551616 0x10 010 0755 07777 017777 755 999 +5
1.5 1. .5 5% 101% 12.5% 5‰ infinity max default none auto idle 1K 1.5K 16E 1k 1KB K 5s 1min 5ms 1ns 1h30 / /foo /foo/../bar
/foo//bar foo/bar ./foo ../foo ~ -/foo +/foo -+/foo +-/foo ~/foo /foo:/bar /foo:/bar:rbind /foo:/bar:foo -/foo:/bar /foo: /dev/null
char-pts block-* "a a\\x20b a\\qb a=b A=b 1A=b =b A=%n %n %Z A=%Z %% $FOO a:b a:/foo foo:bar:baz foo:%n SIGTERM TERM sigterm
RTMIN+1 RTMIN+30 RTMIN+31 SIGFOO 65 CAP_CHOWN cap_chown ~CAP_CHOWN CAP_FOO @system-service ~@system-service @foo read
read:EPERM ~read:EPERM read:EFOO ~read:kill EPERM eperm kill native x86 x86-64 x86_64 arm64 AF_INET ~AF_INET AF_FOO ipc ~user
user time 0-3 3-0 0- 8191 8192 0-8191 1,2, all keep-caps strict full read-only tmpfs invisible pid private shared inherit slave
rshared journal null tty socket data fd fd:foo fd:a:b file:/x file:x append:/x syslog kmsg+console emerg debug error 8 kern
local7 init fifo rr realtime bind 127.0.0.1 127.0.0.1/8 10.0.0.0/33 ::1 ::1/129 any localhost link-local 1.2.3 tcp tcp:80
udp:1000-2000 ipv4:tcp:80 ipv6:udp: tcp:0 tcp:80-70 eth0 ~eth0 this-interface-name-is-long ingress:/x foo:/foo ext4 @basic-api
1:2 2:1 infinity:5 5:infinity 1K:2K :5 5: -20 19 20 -21 root nobody foo.service foo@.service foo@bar.service foo.socket foo.slice
http://x man:foo(5) ftp://x 80 127.0.0.1:80 [::1]:80 [::1]:80%lo *:80 99999 @abstract @ vsock:2:80 vsock::80 vsock:80 route
foo/1 /mq udplite sctp both ipv6-only low-delay 256 255 us process mixed control-group main exec terminate continue cgroup
oneshot dbus on-failure always inactive replace isolate reboot poweroff exit-force org.foo org :1.5 TEMPFAIL cpu -foo daily
root:ro foo:ro /img:/mnt:ro /img:root:ro -/img:/mnt abcd deadbeefdeadbeefdeadbeefdeadbeef base64:AAAA base64:!! QUJD QUJ QUJDRA==
0x33 private-anonymous FOO=bar _FOO=bar smack -profile . .. a/b a:b:c ä`
  .trim()
  .split(/\s+/)
  .concat(
    '',
    '/dev/null rw',
    '/dev/null x',
    '/dev/sda 100',
    '/dev/sda 0',
    '/dev/sda 1M',
    '/dev/sda 5ms',
    'A=b C=d',
    'a b',
  )
  .concat(
    '/foo /bar',
    'CAP_CHOWN CAP_FOO',
    'AF_INET AF_INET6',
    'net mnt',
    'user foo',
    '5K 1M',
    '1M 5K',
    '1 K',
    '1min 30s',
  )
  .concat('noroot noroot-locked', 'route 5', 'foo 1', 'cpu memory', 'x'.repeat(300), `/${'x'.repeat(300)}`);

const HEADS: Readonly<Record<string, readonly [type: string, text: string]>> = {
  Service: ['service', '[Service]\nType=oneshot\nExecStart=/bin/true\n'],
  Socket: ['socket', '[Socket]\nListenStream=/x\n'],
  Timer: ['timer', '[Timer]\nOnBootSec=1\n'],
  Path: ['path', '[Path]\nPathExists=/x\n'],
  Mount: ['mount', '[Mount]\nWhat=/dev/x\n'],
  Swap: ['swap', '[Swap]\n'],
  Automount: ['automount', '[Automount]\n'],
  Slice: ['slice', '[Slice]\n'],
  Scope: ['scope', '[Scope]\n'],
  Unit: ['service', '[Service]\nType=oneshot\nExecStart=/bin/true\n[Unit]\n'],
  Install: ['service', '[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\n'],
};

/** Settings where systemd drops what is wrong without a word, or only speaks of it when it is used, and we say so. */
const SAYS_MORE: ReadonlySet<string> = new Set(
  `Requires Requisite Wants BindsTo BindTo Upholds Conflicts Before After OnSuccess OnFailure PropagatesReloadTo PropagateReloadTo
   ReloadPropagatedFrom PropagateReloadFrom PropagatesStopTo StopPropagatedFrom PartOf JoinsNamespaceOf RequiresOverridable
   RequisiteOverridable CapabilityBoundingSet AmbientCapabilities SecureBits PIDFile PermissionsStartOnly RebootArgument
   ConditionFirstBoot ConditionACPower AssertFirstBoot AssertACPower Alias WantedBy RequiredBy Also DefaultInstance
   ConfigurationDirectory Unit`.split(/\s+/),
);

/** Where a length limit of systemd's is not ours: the name would be refused later anyway. */
const isLong = (value: string): boolean => value.length >= 300;

interface Case {
  readonly section: string;
  readonly key: string;
  readonly name: string;
  readonly text: string;
  /** Line of the first value. */
  readonly start: number;
}

/** Keys by section; those of [Service] are tried there alone. */
function cases(): Case[] {
  const bySection = new Map<string, string[]>();
  let section = '';
  for (const line of items.split('\n')) {
    section = /^\[(\w+)\]/.exec(line)?.[1] ?? section;
    const key = /^(\w+)=/.exec(line)?.[1];
    if (key !== undefined && HEADS[section] !== undefined)
      bySection.set(section, [...(bySection.get(section) ?? []), key]);
  }
  const service = new Set(bySection.get('Service'));
  const out: Case[] = [];
  for (const [name, keys] of bySection)
    for (const key of keys) {
      if (name !== 'Service' && name !== 'Unit' && name !== 'Install' && service.has(key)) continue;
      const [type, head] = HEADS[name] ?? ['service', ''];
      const text = `${head}${VALUES.map((value) => `${key}=${value}\n`).join('')}`;
      out.push({ section: name, key, name: `case${out.length}.${type}`, text, start: head.split('\n').length });
    }
  return out;
}

const all = items === '' ? [] : cases();
const root = makeTree(Object.fromEntries(all.map(({ name, text }) => [`units/${name}`, text])));
const directory = `${root}/units`;
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

/** Lines that systemd speaks of, by file; it stops reading a unit at what it refuses it for. */
function theirLines(): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  for (let at = 0; at < all.length; at += 50) {
    const paths = all.slice(at, at + 50).map(({ name }) => `${directory}/${name}`);
    const answer = ask(
      'systemd-analyze',
      ['verify', '--man=no', '--generators=no', '--recursive-errors=no', ...paths],
      {
        SYSTEMD_UNIT_PATH: directory,
      },
    );
    for (const match of answer.stderr.matchAll(/\/(case\d+\.\w+):(\d+): /g)) {
      const lines = found.get(match[1] ?? '') ?? new Set();
      lines.add(Number(match[2]));
      found.set(match[1] ?? '', lines);
    }
  }
  return found;
}

describe.skipIf(items === '')('values against systemd-analyze verify', () => {
  test(`${VALUES.length} values for each of its settings are refused where systemd refuses them`, () => {
    const theirs = theirLines();
    const loader = createUnitLoader({ files: diskFiles(), facts: testFacts, paths: plainPaths([directory]) });
    const differences: string[] = [];
    let compared = 0;
    for (const { section, key, name, text, start } of all) {
      const unit = loader.loadText(name, text, `${directory}/${name}`);
      const told = new Set(unit.findings.filter(({ severity }) => severity !== 'note').map(({ at }) => at?.line ?? 0));
      const their = theirs.get(name) ?? new Set();
      const refused = unit.findings.find(({ severity, at }) => severity === 'error' && (at?.line ?? 0) >= start);
      const last = refused === undefined ? Number.POSITIVE_INFINITY : (refused.at?.line ?? 0);
      for (const [index, value] of VALUES.entries()) {
        const line = start + index;
        if (line > last || isLong(value)) continue;
        compared += 1;
        const ours = told.has(line);
        if (ours === their.has(line) || (ours && SAYS_MORE.has(key))) continue;
        differences.push(`[${section}] ${key}=${value}: ${ours ? 'only we refuse it' : 'only systemd refuses it'}`);
      }
    }
    expect(compared).toBeGreaterThan(50_000);
    expect(differences).toEqual([]);
  });
});
