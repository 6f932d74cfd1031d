/** sctl's analysers of unit files: what they say, and the same answers as systemd-analyze where the two can be compared. */
import * as fs from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/run.ts';
import { systemdPaths } from '../../src/units/index.ts';
import { keptContext } from '../unit/support/context.ts';
import { ask, has, makeTree } from './units-oracle.ts';

const there = has('systemd-analyze');

interface Answer {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function analyze(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Promise<Answer> {
  const { context, out, err } = keptContext({
    input: async () => input,
    columns: Number.POSITIVE_INFINITY,
    env,
    nowUs: () => 0,
    monotonicUs: () => 0,
  });
  const status = await main(['analyze', ...args], context);
  return { status, out: out(), err: err() };
}

const root = makeTree({
  'units/sysinit.target': '[Unit]\nDescription=x\n',
  'units/fine.service': '[Service]\nExecStart=/bin/true\n',
  'units/also.service': '-> fine.service',
  'units/masked.service': '-> /dev/null',
  'units/bad.service':
    '[Unit]\nFoo=1\nRequires=gone.service\nDocumentation=man:nosuchpage(8)\n\n[Service]\nExecStart=/bin/nope\n   Restart=sometimes\nUMask=999\n',
  'units/a.service': '[Unit]\nAfter=b.service\n[Service]\nExecStart=/bin/true\n',
  'units/b.service': '[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/true\n',
  'units/broken.service': '[Service\nExecStart=/bin/true\n',
  'units/t@.service': '[Service]\nExecStart=/bin/true %i\n',
  'units/s.socket': '[Socket]\nListenStream=100\nAccept=yes\n',
  'units/w.timer': '[Timer]\nOnBootSec=1\n',
  'units/x.target': '[Unit]\nWants=fine.service\nRequires=b.service\nConflicts=a.service\nRequisite=w.timer\n',
  'plain/source': '[Service]\nExecStart=/bin/true\nMysteryKey=true\n',
  'etc/systemd/logind.conf': '# words\n[Login]\nNAutoVTs=8\n',
  'etc/systemd/logind.conf.d/50-here.conf': '[Login]\nNAutoVTs=9\n',
  'usr/lib/systemd/logind.conf.d/20-there.conf': '[Login]\n\n# more\nNAutoVTs=7\n',
  'usr/lib/systemd/logind.conf.d/50-here.conf': '[Login]\nNAutoVTs=1\n',
});
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
const units = `${root}/units`;
const env = { SYSMASTER_UNIT_PATH: units };

describe('sctl analyze verify', () => {
  test('tells every fault of a file with its line and column, and what to do', async () => {
    const { status, out } = await analyze(['verify', `${units}/bad.service`], env);
    expect(status).toBe(1);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => line.replace(units, '')),
    ).toEqual([
      expect.stringMatching(/^\/bad\.service:2:1: Foo=1: not a setting of \[Unit\]/),
      expect.stringMatching(/^\/bad\.service:8:4: Restart=sometimes: not a restart policy; use /),
      expect.stringMatching(/^\/bad\.service:9:1: UMask=999: /),
      expect.stringMatching(/^\/bad\.service:7:1: ExecStart=\/bin\/nope: there is no such program; /),
      ...(fs.existsSync('/usr/share/man/man8')
        ? [expect.stringMatching(/:4:1: man:nosuchpage\(8\): there is no/)]
        : []),
      expect.stringMatching(/^\/bad\.service:3:1: Requires=gone\.service: gone\.service is not there/),
    ]);
  });

  test('says nothing of a good unit and ends with 0', async () => {
    expect(await analyze(['verify', '--man=no', 'fine.service', 'also.service', 't@.service'], env)).toEqual({
      status: 0,
      out: '',
      err: '',
    });
  });

  test('shows an ordering cycle as a ring with the line of each edge', async () => {
    const { status, out } = await analyze(['verify', '--man=no', 'a.service'], env);
    expect(status).toBe(1);
    expect(out).toContain(
      `${units}/a.service:2:1: ordering cycle: a.service comes after b.service (${units}/a.service:2), b.service comes after a.service (${units}/b.service:2)`,
    );
    expect(out).toContain(`; until then b.service does not wait for a.service (${units}/b.service:2)`);
  });

  test('looks at all unit files without arguments, and a broken one hinders no other', async () => {
    const { status, out, err } = await analyze(['verify', '--man=no', '--output=json'], env);
    const found = JSON.parse(out) as { unit: string; file: string; line: number; column: number; why: string }[];
    expect(status).toBe(1);
    expect(new Set(found.map(({ unit }) => unit))).toEqual(
      new Set(['a.service', 'bad.service', 'broken.service', 's.socket', 'w.timer']),
    );
    expect(found.find(({ unit }) => unit === 'broken.service')).toMatchObject({ line: 1, column: 1 });
    expect(err).toMatch(/^\d+ errors, \d+ warnings?, \d+ notes?/);
  });

  test('takes a file under the name after the colon, and refuses one without a name', async () => {
    const good = await analyze(['verify', `${root}/plain/source:alias.service`], env);
    expect(good.out).toContain(`${root}/plain/source:3:1: MysteryKey=true: not a setting of [Service]`);
    expect(good.status).toBe(0);
    const bad = await analyze(['verify', `${root}/plain/source`], env);
    expect(bad).toMatchObject({ status: 1, out: expect.stringContaining('FILE:NAME') });
  });

  test('knows which unit a socket or a timer would need', async () => {
    const { out } = await analyze(['verify', 's.socket', 'w.timer'], env);
    expect(out).toContain('s@0.service is not there, so s.socket cannot be started');
    expect(out).toContain('w.service is not there, so w.timer cannot be started');
  });

  test('lets --recursive-errors say whose warnings count', async () => {
    const words = (mode: string) => [
      'verify',
      '--man=no',
      `--recursive-errors=${mode}`,
      `${root}/plain/source:alias.service`,
    ];
    expect((await analyze(words('no'), env)).status).toBe(1);
    expect((await analyze(['verify', '--man=no', '--recursive-errors=no', 'fine.service'], env)).status).toBe(0);
    expect((await analyze(words('perhaps'), env)).err).toBe('Failed to parse --recursive-errors= parameter: perhaps\n');
  });

  test('reads names from standard input', async () => {
    const { out } = await analyze(['verify', '-'], env, 's.socket\nfine.service\n');
    expect(out).toContain('s@0.service is not there');
  });
});

describe('sctl analyze condition', () => {
  const cases: readonly (readonly string[])[] = [
    ['ConditionKernelVersion = ! <4.0', 'ConditionKernelVersion = >=5.1', 'ConditionPathExists=/etc'],
    ['ConditionPathExists=/nope'],
    ['ConditionPathExists=|/nope', 'ConditionPathExists=|/etc'],
    ['ConditionPathExists=|!/nope', 'ConditionPathExists=|/nope2'],
    ['AssertPathExists=/etc', 'ConditionPathIsDirectory=/etc/passwd'],
    ['AssertPathExists=!/etc'],
    ['ConditionPathIsMountPoint=/proc', 'ConditionPathIsMountPoint=!/etc'],
    ['ConditionPathIsReadWrite=/proc', 'ConditionFileIsExecutable=/bin/sh', 'ConditionFileNotEmpty=/etc/passwd'],
    ['ConditionDirectoryNotEmpty=/etc', 'ConditionPathExistsGlob=/etc/pass*', 'ConditionPathIsSymbolicLink=/proc/self'],
    ['ConditionVirtualization=container'],
    ['ConditionVirtualization=!container'],
    ['ConditionVirtualization=yes'],
    ['ConditionHost=nobody'],
    ['ConditionOSRelease=ID=debian'],
    ['ConditionOSRelease=VERSION_ID>=11'],
    ['ConditionArchitecture=native'],
    ['ConditionFirstBoot=no'],
    ['ConditionCPUs=>=1', 'ConditionMemory=>1M'],
    ['ConditionCPUs=>4096'],
    ['ConditionUser=root', 'ConditionGroup=root'],
    ['ConditionSecurity=selinux'],
    ['ConditionKernelCommandLine=nosuchword'],
    ['ConditionNoSuchThing=1'],
    ['Nonsense'],
  ];
  test.skipIf(!there).each(cases)('ends as systemd-analyze does for %s', async (...words) => {
    const theirs = ask('systemd-analyze', ['condition', ...words]);
    expect((await analyze(['condition', ...words])).status).toBe(theirs.status);
  });

  test('tells each one and the whole', async () => {
    const { status, out } = await analyze([
      'condition',
      'ConditionPathExists=|/nope',
      'ConditionPathExists=|!/nope',
      'AssertPathExists=/nope',
    ]);
    expect(status).toBe(1);
    expect(out.trim().split('\n')).toEqual([
      'test.service: AssertPathExists=/nope failed.',
      'Asserts failed.',
      'test.service: ConditionPathExists=|/nope failed.',
      'test.service: ConditionPathExists=|!/nope succeeded.',
      'Conditions succeeded.',
    ]);
  });

  test('takes those of a unit', async () => {
    const tree = makeTree({ 'c.service': '[Unit]\nConditionPathExists=!/nope\n[Service]\nExecStart=/bin/true\n' });
    const { status, out } = await analyze(['condition', `--unit=${tree}/c.service`, '--output=json']);
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      unit: 'c.service',
      conditions: true,
      each: [{ condition: 'ConditionPathExists=!/nope', holds: true, file: `${tree}/c.service`, line: 2 }],
    });
    fs.rmSync(tree, { recursive: true });
  });
});

describe('sctl analyze unit-paths', () => {
  test.skipIf(!there)("knows systemd's directories in systemd's order", () => {
    expect(ask('systemd-analyze', ['unit-paths']).stdout.trim().split('\n')).toEqual(systemdPaths().search);
  });

  test('prints the unit path, the strongest first, and what replaces it', async () => {
    expect((await analyze(['unit-paths'])).out.split('\n')[0]).toBe('/etc/sysmaster/system.control');
    expect((await analyze(['unit-paths', '--output=json'], { SYSMASTER_UNIT_PATH: '/a:/b' })).out).toBe(
      '["/a","/b"]\n',
    );
  });
});

describe('sctl analyze unit-files and cat-config', () => {
  test.skipIf(!there)('names the same files and aliases as systemd-analyze', async () => {
    const theirs = ask('systemd-analyze', ['unit-files'], { SYSTEMD_UNIT_PATH: units }).stdout.split('\n');
    const ours = (await analyze(['unit-files'], env)).out.split('\n');
    const ids = (lines: readonly string[]) => lines.filter((line) => line.startsWith('ids: ')).sort();
    expect(ids(ours)).toEqual(ids(theirs));
  });

  test.skipIf(!there)('prints a configuration file with its drop-ins as systemd-analyze does', async () => {
    for (const name of ['systemd/logind.conf', '/usr/lib/systemd/logind.conf']) {
      const theirs = ask('systemd-analyze', ['cat-config', `--root=${root}`, name]).stdout.replaceAll(root, '');
      const ours = (await analyze(['cat-config', `--root=${root}`, name])).out;
      expect(ours.trim()).toBe(theirs.trim());
    }
  });

  test('leaves comments out with --tldr, and says when there is no main file', async () => {
    expect((await analyze(['cat-config', '--tldr', `--root=${root}`, 'systemd/logind.conf'])).out).toBe(
      '# /etc/systemd/logind.conf\n[Login]\nNAutoVTs=8\n\n# /usr/lib/systemd/logind.conf.d/20-there.conf\n[Login]\nNAutoVTs=7\n\n# /etc/systemd/logind.conf.d/50-here.conf\n[Login]\nNAutoVTs=9\n',
    );
    expect((await analyze(['cat-config', `--root=${root}`, 'systemd/none.conf'])).err).toContain('none.conf not found');
    expect((await analyze(['cat-config', '/opt/x.conf'])).status).toBe(1);
  });
});

describe('sctl analyze dot', () => {
  const edges = (out: string) =>
    out
      .trim()
      .split('\n')
      .slice(1, -1)
      .map((line) => line.trim());

  test('draws order and requirements in colours', async () => {
    const { status, out } = await analyze(
      ['dot', '--from-pattern=x.target', '--to-pattern=*.service', 'x.target'],
      env,
    );
    expect(status).toBe(0);
    expect(out.startsWith('digraph systemd {\n')).toBe(true);
    expect(edges(out)).toEqual([
      '"x.target"->"b.service" [color="green"];',
      '"x.target"->"fine.service" [color="green"];',
      '"x.target"->"b.service" [color="black"];',
      '"x.target"->"fine.service" [color="grey66"];',
      '"x.target"->"a.service" [color="red"];',
    ]);
  });

  test('draws one of the two with --order or --require', async () => {
    const colours = async (...more: string[]) =>
      new Set(
        edges((await analyze(['dot', ...more, 'x.target'], env)).out).map((line) => /color="(\w+)"/.exec(line)?.[1]),
      );
    expect(await colours('--order')).toEqual(new Set(['green']));
    expect(await colours('--require')).toEqual(new Set(['black', 'darkblue', 'grey66', 'red']));
  });

  test('says in JSON where each edge comes from', async () => {
    const { out } = await analyze(['dot', '--require', '--output=json', '--from-pattern=x.target', 'x.target'], env);
    expect(JSON.parse(out)).toContainEqual({
      from: 'x.target',
      kind: 'Wants',
      to: 'fine.service',
      color: 'grey66',
      origin: `${units}/x.target:2`,
    });
  });
});
