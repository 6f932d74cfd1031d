/**
 * Which units systemd refuses, and what it warns of, against `systemd-analyze verify` on units of our own making.
 */
import * as fs from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { createUnitLoader, plainPaths, type Unit } from '../../src/units/index.ts';
import { diskFiles, testFacts } from '../unit/units-support.ts';
import { ask, has, makeTree } from './units-oracle.ts';

const there = has('systemd-analyze');

/** Name -> text. Each is asked of both. */
const UNITS: Readonly<Record<string, string>> = {
  'fine.service': '[Service]\nExecStart=/bin/true\n',
  'empty-service.service': '[Unit]\nDescription=x\n',
  'no-start.service': '[Service]\nType=simple\nExecStop=/bin/true\n',
  'stop-only.service': '[Service]\nType=oneshot\nExecStop=/bin/true\n',
  'stop-remain.service': '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/bin/true\n',
  'untyped-stop-remain.service': '[Service]\nRemainAfterExit=yes\nExecStop=/bin/true\n',
  'success-action.service': '[Unit]\nSuccessAction=exit\n[Service]\nType=oneshot\n',
  'two-starts.service': '[Service]\nExecStart=/bin/true\nExecStart=/bin/true\n',
  'two-starts-oneshot.service': '[Service]\nType=oneshot\nExecStart=/bin/true\nExecStart=/bin/true\n',
  'semicolons.service': '[Service]\nExecStart=/bin/true ; /bin/true\n',
  'reset-start.service': '[Service]\nExecStart=/bin/true\nExecStart=\nExecStart=/bin/echo\n',
  'oneshot-always.service': '[Service]\nType=oneshot\nExecStart=/bin/true\nRestart=always\n',
  'oneshot-success.service': '[Service]\nType=oneshot\nExecStart=/bin/true\nRestart=on-success\n',
  'oneshot-failure.service': '[Service]\nType=oneshot\nExecStart=/bin/true\nRestart=on-failure\n',
  'oneshot-force.service': '[Service]\nType=oneshot\nExecStart=/bin/true\nRestartForceExitStatus=3\n',
  'oneshot-cgroup.service': '[Service]\nType=oneshot\nExecStart=/bin/true\nExitType=cgroup\n',
  'dbus-nameless.service': '[Service]\nType=dbus\nExecStart=/bin/true\n',
  'dbus.service': '[Service]\nType=dbus\nBusName=org.example.X\nExecStart=/bin/true\n',
  'specifier.service': '[Service]\nExecStart=/bin/echo %Z\n',
  'specifier-in-path.service': '[Service]\nExecStart=/bin/%Z\n',
  'percent.service': '[Service]\nExecStart=/bin/echo %% 100%\n',
  'specifier-description.service': '[Unit]\nDescription=%Z\n[Service]\nExecStart=/bin/true\n',
  'relative-path.service': '[Service]\nExecStart=bin/true\n',
  'bare-name.service': '[Service]\nExecStart=true\n',
  'directory-path.service': '[Service]\nExecStart=/bin/\n',
  'ignored-fault.service': '[Service]\nType=oneshot\nExecStart=/bin/true\nExecStart=-bin/foo/bar\n',
  'quote.service': '[Service]\nExecStart=/bin/echo "a b\n',
  'escape.service': '[Service]\nExecStart=/bin/echo a\\qb\n',
  'argv0.service': '[Service]\nExecStart=@/bin/echo\n',
  'bad-user.service': '[Service]\nUser=a:b\nExecStart=/bin/true\n',
  'number-user.service': '[Service]\nUser=1000\nExecStart=/bin/true\n',
  'bad-workdir.service': '[Service]\nWorkingDirectory=var\nExecStart=/bin/true\n',
  'dash-workdir.service': '[Service]\nWorkingDirectory=-var\nExecStart=/bin/true\n',
  'home-workdir.service': '[Service]\nWorkingDirectory=~\nExecStart=/bin/true\n',
  'bad-root.service': '[Service]\nRootDirectory=var\nExecStart=/bin/true\n',
  'bad-restart.service': '[Service]\nRestart=sometimes\nExecStart=/bin/true\n',
  'bad-type.service': '[Service]\nType=foo\nExecStart=/bin/true\n',
  'bad-bool.service': '[Service]\nRemainAfterExit=perhaps\nExecStart=/bin/true\n',
  'bad-span.service': '[Service]\nTimeoutStartSec=5 parsecs\nExecStart=/bin/true\n',
  'bad-limit.service': '[Service]\nLimitNOFILE=10:5\nExecStart=/bin/true\n',
  'bad-nice.service': '[Service]\nNice=50\nExecStart=/bin/true\n',
  'bad-signal.service': '[Service]\nKillSignal=SIGFOO\nExecStart=/bin/true\n',
  'bad-mode.service': '[Service]\nUMask=999\nExecStart=/bin/true\n',
  'bad-env.service': '[Service]\nEnvironment=1A=b OK=1\nExecStart=/bin/true\n',
  'bad-dep.service': '[Unit]\nAfter=nonsense\nWants=foo.service\n[Service]\nExecStart=/bin/true\n',
  'self-dep.service': '[Unit]\nAfter=self-dep.service\n[Service]\nExecStart=/bin/true\n',
  'unknown-key.service': '[Service]\nExecStrat=/bin/true\nExecStart=/bin/true\n',
  'unknown-section.service': '[Servce]\nFoo=1\n[Service]\nExecStart=/bin/true\n',
  'x-section.service': '[X-Mine]\nFoo=1\n[Service]\nX-Foo=2\nExecStart=/bin/true\n',
  'outside.service': 'Foo=1\n[Service]\nExecStart=/bin/true\n',
  'no-equals.service': '[Service]\nnonsense\nExecStart=/bin/true\n',
  'open-section.service': '[Service\nExecStart=/bin/true\n',
  'wrong-section.service': '[Socket]\nListenStream=/x\n[Service]\nExecStart=/bin/true\n',
  'continuation.service': '[Service]\nExecStart=/bin/echo a \\\n# comment\n  b \\\n;c\n  d\n',
  'crlf.service': '[Service]\r\nExecStart=/bin/true\r\n',
  'bom.service': '\ufeff[Service]\nExecStart=/bin/true\n',
  'path-condition.service': '[Unit]\nConditionPathExists=relative\n[Service]\nExecStart=/bin/true\n',
  'directory-name.service': '[Service]\nStateDirectory=../x\nExecStart=/bin/true\n',
  'slice.service': '[Service]\nSlice=foo.service\nExecStart=/bin/true\n',
  'nothing.socket': '[Socket]\nAccept=no\n',
  'stream.socket': '[Socket]\nListenStream=/run/x\nService=fine.service\n',
  'accept-datagram.socket': '[Socket]\nListenDatagram=/run/x\nAccept=yes\n',
  'accept-zero.socket': '[Socket]\nListenStream=/run/x\nAccept=yes\nMaxConnections=0\n',
  'accept-service.socket': '[Socket]\nListenStream=/run/x\nAccept=yes\nService=fine.service\n',
  'symlinks.socket': '[Socket]\nListenStream=80\nSymlinks=/run/y\nService=fine.service\n',
  'bad-address.socket': '[Socket]\nListenStream=999999\nListenStream=81\nService=fine.service\n',
  'never.timer': '[Timer]\nUnit=fine.service\n',
  'daily.timer': '[Timer]\nOnCalendar=daily\nUnit=fine.service\n',
  'nothing.path': '[Path]\nUnit=fine.service\n',
  'changed.path': '[Path]\nPathChanged=/etc\nUnit=fine.service\n',
  'mnt.mount': '[Mount]\nWhere=/other\nWhat=/dev/sda1\n',
  'srv.mount': '[Mount]\nWhere=/srv\nWhat=tmpfs\nType=tmpfs\n',
  'opt.mount': '[Mount]\nWhere=/opt\n',
  'media.automount': '[Automount]\nWhere=/other\n',
  'swapfile.swap': '[Swap]\nWhat=/other\n',
  'app-web.slice': '[Slice]\nMemoryMax=1G\n',
  'only.target': '[Unit]\nDescription=x\n',
};

const root = makeTree(Object.fromEntries(Object.entries(UNITS).map(([name, text]) => [`units/${name}`, text])));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
const directory = `${root}/units`;
const loader = createUnitLoader({
  files: diskFiles(),
  facts: testFacts,
  paths: plainPaths([directory, '/usr/lib/systemd/system']),
});

interface Verdict {
  readonly refused: boolean;
  /** The file cannot be read as a unit file at all. */
  readonly failed: boolean;
  /** Lines of this very file that systemd speaks of. */
  readonly lines: readonly number[];
}

function theirs(name: string): Verdict {
  const answer = ask(
    'systemd-analyze',
    ['verify', '--man=no', '--generators=no', '--recursive-errors=no', `${directory}/${name}`],
    { SYSTEMD_UNIT_PATH: `${directory}:/usr/lib/systemd/system` },
  );
  const own = answer.stderr.split('\n').filter((line) => line.includes(name));
  return {
    refused:
      own.some((line) => /bad unit file setting|has bad unit file|Refusing|is not valid/.test(line)) ||
      /Unit .* has a bad unit file setting/.test(answer.stderr),
    failed: /failed to load properly/.test(answer.stderr),
    lines: [
      ...new Set(
        own.flatMap((line) =>
          [...line.matchAll(new RegExp(`${name.replaceAll('.', '\\.')}:(\\d+)`, 'g'))].map((match) => Number(match[1])),
        ),
      ),
    ].sort((a, b) => a - b),
  };
}

/** What systemd would say too: errors and warnings, not our notes. */
function ours(unit: Unit): Verdict {
  const spoken = unit.findings.filter(
    (finding) => finding.severity !== 'note' && finding.at !== undefined && finding.at.line > 0,
  );
  return {
    refused: unit.loadState === 'bad-setting',
    failed: unit.loadState === 'error',
    lines: [...new Set(spoken.map((finding) => finding.at?.line ?? 0))].sort((a, b) => a - b),
  };
}

/** Where our findings name other lines than systemd's, on purpose. */
const OTHER_LINES: Readonly<Record<string, string>> = {
  'bad-dep.service': 'systemd drops an edge to a name that is none without a word',
  'self-dep.service': 'systemd drops an edge to the unit itself without a word',
};

describe.skipIf(!there)('refusals and warnings against systemd-analyze verify', () => {
  test.each(Object.keys(UNITS))('%s', (name) => {
    const unit = loader.load(name);
    const their = theirs(name);
    expect({ name, refused: ours(unit).refused, failed: ours(unit).failed }).toEqual({
      name,
      refused: their.refused,
      failed: their.failed,
    });
    if (OTHER_LINES[name] === undefined && !their.refused)
      expect({ name, lines: ours(unit).lines }).toEqual({ name, lines: their.lines });
  });
});
