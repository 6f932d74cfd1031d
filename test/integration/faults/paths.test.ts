/** Path units: what they watch starts their unit, once for each cause, and a core that dies in between loses none. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, property, UNITS } from './small.ts';

const missing = systemsMissing();

/** A service that notes each of its starts, with what it was started for. */
const noting = (name: string, more = '') =>
  `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo "$$TRIGGER_UNIT $$TRIGGER_PATH" >>/run/notes/${name}${more}'\n`;

const path = (lines: string) => `[Unit]\nDefaultDependencies=no\n[Path]\n${lines}\n`;

describe.skipIf(missing !== undefined)(`path units${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System;
  /** Outside of the system, a file of its /run. */
  const at = (name: string) => `${system.run}/${name}`;
  const notes = (name: string): readonly string[] =>
    existsSync(at(`notes/${name}`))
      ? readFileSync(at(`notes/${name}`), 'utf8')
          .split('\n')
          .slice(0, -1)
      : [];
  const sub = (unit: string) => property(system, unit, 'SubState');
  const isSub = (unit: string, state: string) => eventually(`${unit} is ${state}`, () => sub(unit) === state);
  const isNoted = (name: string, times: number) =>
    eventually(
      `${name} was started ${times} times`,
      () => notes(name).length === times && sub(`${name}.path`) === 'waiting',
    );
  const start = (...units: string[]) => expect(system.sctl('start', ...units)).toMatchObject({ status: 0, stderr: '' });

  /** Core is killed, and `meanwhile` happens while there is none that could see it. */
  async function killCore(meanwhile: () => void = () => undefined): Promise<void> {
    const before = system.core()!;
    process.kill(before, 'SIGSTOP');
    meanwhile();
    process.kill(before, 'SIGKILL');
    await eventually('another core', () => ![undefined, before].includes(system.core()));
  }

  beforeAll(async () => {
    system = await bootSmall({
      files: Object.fromEntries(
        ['notes/.keep', 'in/.keep', 'dir/old', 'conf', 'open', 'written', 'often', 'asleep', 'job/.keep'].map(
          (name) => [`/run/${name}`, 'old'],
        ),
      ),
      units: {
        'exists.path': path('PathExists=/run/in/deep/down/here'),
        'exists.service': noting('exists', '; rm /run/in/deep/down/here'),
        'conf.path': path('PathChanged=/run/conf'),
        'conf.service': noting('conf'),
        'dir.path': path('PathChanged=/run/dir'),
        'dir.service': noting('dir'),
        'open.path': path('PathChanged=/run/open'),
        'open.service': noting('open'),
        'written.path': path('PathModified=/run/written'),
        'written.service': noting('written'),
        'glob.path': path('PathExistsGlob=/run/job/*.job'),
        'glob.service': noting('glob', '; rm /run/job/*.job'),
        'spool.path': path('DirectoryNotEmpty=/run/made/spool\nMakeDirectory=yes\nDirectoryMode=0710'),
        'spool.service': noting('spool', '; rm /run/made/spool/*'),
        'far.path': path('PathChanged=/var/tmp/paths-test/file'),
        'far.service': noting('far'),
        'often.path': path('PathExists=/run/often'),
        'often.service': `[Unit]\nStartLimitBurst=2\n[Service]\nType=oneshot\nExecStart=/bin/true\n`,
        'moved.path': path('PathExists=/run/before'),
        'moved.service': noting('moved', '; rm -f /run/before /run/after'),
        'hangs.path': path('PathExists=/var/tmp/paths-hang/file'),
        'hangs.service': noting('hangs'),
        'asleep.path': path('PathChanged=/run/asleep'),
        'asleep.service': '[Service]\nExecStart=/bin/sleep 100000\n',
      },
    });
  });
  afterAll(async () => {
    if (system !== undefined) expect(await system.stop()).toBe(true);
  });

  test('PathExists= waits for directories that are not there yet, and for each time anew', async () => {
    start('exists.path');
    expect(sub('exists.path')).toBe('waiting');
    for (const times of [1, 2]) {
      mkdirSync(at('in/deep/down'), { recursive: true });
      writeFileSync(at('in/deep/down/here'), '');
      await isNoted('exists', times);
      rmSync(at('in/deep'), { recursive: true });
    }
    expect(notes('exists')).toEqual(Array(2).fill('exists.path /run/in/deep/down/here'));
  });

  test('PathChanged= waits until who writes has closed the file, PathModified= does not', async () => {
    start('open.path', 'written.path');
    const files = ['open', 'written'].map((name) => openSync(at(name), 'a'));
    for (const file of files) writeSync(file, 'new');
    await isNoted('written', 1);
    // Its own notice would have come before.
    expect(notes('open')).toEqual([]);
    for (const file of files) closeSync(file);
    await isNoted('open', 1);
    expect(notes('open')).toEqual(['open.path /run/open']);
  });

  test('MakeDirectory= makes what is watched, with the mode that is set, and hidden files do not fill it', async () => {
    start('spool.path');
    const modes = system.inside('/usr/bin/stat', '-c', '%a', '/run/made', '/run/made/spool').stdout;
    expect(modes).toBe('710\n710\n');
    writeFileSync(at('made/spool/.hidden'), '');
    writeFileSync(at('made/spool/mail'), '');
    await isNoted('spool', 1);
    expect(notes('spool')).toEqual(['spool.path /run/made/spool']);
  });

  test('changes that a core has not seen before its death are found by the next, and each counts once', async () => {
    system.inside('/bin/mkdir', '-p', '/var/tmp/paths-test');
    system.inside('/bin/touch', '/var/tmp/paths-test/file');
    const names = ['exists', 'conf', 'dir', 'glob', 'spool', 'written', 'far'];
    start(...names.map((name) => `${name}.path`));
    const before = new Map(names.map((name) => [name, notes(name).length]));
    await killCore(() => {
      mkdirSync(at('in/deep/down'), { recursive: true });
      writeFileSync(at('in/deep/down/here'), '');
      writeFileSync(at('conf'), 'new');
      writeFileSync(at('dir/old'), 'new'); // the directory itself stays as it is
      writeFileSync(at('job/1.job'), '');
      writeFileSync(at('made/spool/mail'), '');
      writeFileSync(at('written'), 'again');
      system.inside('/bin/sh', '-c', 'echo new >/var/tmp/paths-test/file');
    });
    for (const name of names) await isNoted(name, (before.get(name) ?? 0) + 1);
    expect(notes('glob')).toEqual(['glob.path /run/job/1.job']);
    // Nothing has changed since: there is nothing to start them for.
    await killCore();
    writeFileSync(at('open'), 'a sign that it watches');
    await isNoted('open', 2);
    for (const name of names) expect([name, notes(name).length]).toEqual([name, (before.get(name) ?? 0) + 1]);
  });

  test('whenever core dies, a change starts the unit once', async () => {
    const before = notes('conf').length;
    for (let times = 1; times <= 6; times += 1) {
      writeFileSync(at('conf'), `new ${times}`);
      if (times % 2 === 0) await eventually('it was seen', () => notes('conf').length === before + times);
      const core = system.core()!;
      process.kill(core, 'SIGKILL');
      await eventually('another core', () => ![undefined, core].includes(system.core()));
      await isNoted('conf', before + times);
    }
  });

  test('a unit that runs is not started for what changes meanwhile, and its path waits again once it has stopped', async () => {
    start('asleep.path');
    writeFileSync(at('asleep'), 'new');
    await isSub('asleep.path', 'running');
    const pid = await eventually('it runs', () => Number(property(system, 'asleep.service', 'MainPID')) || undefined);
    await killCore(() => writeFileSync(at('asleep'), 'newer'));
    expect(sub('asleep.path')).toBe('running');
    expect(Number(property(system, 'asleep.service', 'MainPID'))).toBe(pid);
    system.sctl('stop', 'asleep.service');
    await isSub('asleep.path', 'waiting');
    expect(property(system, 'asleep.service', 'ActiveState')).toBe('inactive');
  });

  test('a unit that is started too often takes its path with it', async () => {
    start('often.path');
    await isSub('often.path', 'failed');
    expect(property(system, 'often.path', 'Result')).toBe('unit-start-limit-hit');
    expect(system.sctl('reset-failed', 'often.path', 'often.service')).toMatchObject({ status: 0 });
    expect(sub('often.path')).toBe('dead');
  });

  test('daemon-reload makes other paths be watched', async () => {
    start('moved.path');
    system.inside('/bin/sh', '-c', `sed -i s,/run/before,/run/after, ${UNITS}/moved.path`);
    writeFileSync(at('after'), '');
    expect(system.sctl('daemon-reload')).toMatchObject({ status: 0 });
    await isNoted('moved', 1);
    writeFileSync(at('after'), '');
    await isNoted('moved', 2);
    expect(notes('moved')).toEqual(Array(2).fill('moved.path /run/after'));
  });

  test('says what it watches, what it triggers and for what', async () => {
    const { stdout } = system.sctl('status', 'asleep.path');
    expect(stdout).toContain('/run/asleep (PathChanged)');
    expect(stdout).toContain('asleep.service');
    expect(system.sctl('list-paths', '--no-legend').stdout).toMatch(
      /^\/run\/asleep +PathChanged +asleep\.path +asleep\.service$/m,
    );
    writeFileSync(at('asleep'), 'once more');
    await isSub('asleep.path', 'running');
    expect(system.sctl('history', 'asleep.service').stdout).toContain('asleep.path: /run/asleep has changed');
  });

  test('core without its state takes them up again', async () => {
    const waiting = ['conf.path', 'exists.path'];
    for (const unit of waiting) expect(sub(unit)).toBe('waiting');
    const before = notes('conf').length;
    await killCore(() => {
      for (const half of ['a', 'b']) writeFileSync(at(`sysmaster/state/${half}`), '');
    });
    for (const unit of waiting) await isSub(unit, 'waiting');
    writeFileSync(at('conf'), 'after');
    await isNoted('conf', before + 1);
  });

  test('a file system that hangs costs its own path its start, and nobody else anything', async ({ skip }) => {
    // Mounted, and never served.
    const script = `mknod /run/fuse c 10 229 && exec 3<>/run/fuse && mkdir -p /var/tmp/paths-hang &&
      mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none /var/tmp/paths-hang && touch /run/mounted || touch /run/cannot
      while ! test -e /run/let-go; do sleep 0.1; done`;
    system.insideLater('/bin/sh', '-c', script);
    try {
      await eventually('it is mounted, or cannot be', () => existsSync(at('mounted')) || existsSync(at('cannot')));
      skip(existsSync(at('cannot')), 'this kernel mounts no fuse');
      expect(system.sctl('start', '--no-block', 'hangs.path')).toMatchObject({ status: 0 });
      const before = notes('conf').length;
      writeFileSync(at('conf'), 'goes on');
      await isNoted('conf', before + 1);
      expect(property(system, 'hangs.path', 'ActiveState')).toBe('activating');
      expect(system.sctl('stop', 'hangs.path')).toMatchObject({ status: 0 });
      expect(sub('hangs.path')).toBe('dead');
    } finally {
      writeFileSync(at('let-go'), '');
    }
  });
});
