/**
 * Plans on a real system: made, saved, applied, refused when the world has moved, undone unless confirmed, even by a core that was
 * killed in between; snapshots; requests that cannot be met.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootSmall } from '../faults/small.ts';
import { eventually, type System, systemsMissing } from '../support/system.ts';

const missing = systemsMissing();
const SLEEP = '/bin/sleep 1000';
const service = (unit = '', more = '', command = SLEEP) =>
  `[Unit]\n${unit}\nStartLimitIntervalSec=0\n[Service]\nExecStart=${command}\n${more}\n`;

const units: Record<string, string> = {
  'db.service': service(),
  'web.service': service('Requires=db.service\nAfter=db.service\nWants=cache.service'),
  'cache.service': service(),
  'other.service': service(),
  'rival.service': service('Conflicts=cache.service'),
  'slow.service': '[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep 1000\n',
  'holds.service': service('', "ExecStop=/bin/sh -c 'until [ -e /run/go ]; do sleep 0.05; done'"),
  'a.service': service(),
  'b.service': service(),
  'c.service': service(),
  'east.service': service(),
  'west.service': service(),
  'bad.service': '[Service]\nType=simple\nExecStart=not/absolute at all\n',
  'needs-bad.service': service('Requires=bad.service'),
  'enabled.service': `${service()}[Install]\nWantedBy=multi-user.target\n`,
  'gone.service': '',
  'small.target': '[Unit]\nAllowIsolate=yes\nWants=other.service\n',
};

interface Plan {
  readonly id: string;
  readonly machineId: string;
  readonly version: number;
  readonly state: { readonly hash: string; readonly units: Record<string, string> };
  readonly jobs: readonly { readonly unit: string; readonly type: string; readonly wave: number }[];
  readonly estimate: { readonly unknown: number };
}

describe.skipIf(missing !== undefined)(`plans${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System;

  beforeAll(async () => {
    system = await bootSmall({
      units,
      coreEnvironment: {
        SYSMASTER_STATE_DIRECTORY: '/run/state',
        SYSMASTER_UNIT_PATH: '/run/sysmaster/system:/run/units',
      },
    });
  });
  afterAll(async () => {
    if (system !== undefined) expect(await system.stop()).toBe(true);
  });

  const file = (name: string) => join(system.run, name);
  const active = (...names: string[]) =>
    system
      .sctl('is-active', ...names.map((name) => `${name}.service`))
      .stdout.trim()
      .split('\n')
      .join(' ');
  const ok = (...args: string[]) => {
    const ran = system.sctl(...args);
    if (ran.status !== 0) throw new Error(`sctl ${args.join(' ')}: ${ran.status}: ${ran.stderr}${ran.stdout}`);
    return ran;
  };
  const plan = (...args: string[]): Plan => JSON.parse(ok('plan', '--output=json', ...args).stdout) as Plan;
  const quiet = (...names: string[]) => ok('stop', '--no-warn', ...names.map((name) => `${name}.service`));

  test('a plan holds every job with its reasons down to file and line, and changes nothing', () => {
    const text = ok('plan', 'start', 'web').stdout;
    expect(text).toContain('start    db.service');
    expect(text).toContain('web.service Requires db.service, from /run/units/web.service:2');
    expect(text).toMatch(/3 jobs in 2 waves/);
    expect(active('web', 'db', 'cache')).toBe('inactive inactive inactive');
    expect(ok('plan', 'start', 'web', '--output=dot').stdout).toContain('"db.service" -> "web.service";');
    expect(ok('plan', 'start', 'web', '--output=tree').stdout).toContain('─start db.service');
  });

  test('the same request gives the same plan, and a unit that it does not touch changes nothing about it', () => {
    const before = plan('start', 'web');
    expect(Object.keys(before.state.units)).toEqual(
      expect.arrayContaining(['cache.service', 'db.service', 'web.service']),
    );
    ok('start', 'a');
    expect(plan('start', 'web').id).toBe(before.id);
    ok('start', 'cache');
    expect(plan('start', 'web').id).not.toBe(before.id);
    quiet('a', 'cache');
  });

  test('a saved plan is applied, and a second time it is refused, saying what has moved', () => {
    const path = file('web.json');
    ok('plan', 'start', 'web', '--save', path);
    ok('apply', path);
    expect(active('web', 'db', 'cache')).toBe('active active active');
    const again = system.sctl('apply', path);
    expect(again.status).toBe(1);
    expect(again.stderr).toMatch(/is not what would be done now: the world has moved since/);
    expect(again.stderr).toMatch(/db\.service: was inactive, is active/);
    quiet('web', 'db', 'cache');
  });

  test('a plan is applied by its id, which a restart of core does not forget', async () => {
    const { id } = plan('start', 'a');
    const core = system.core()!;
    process.kill(core, 'SIGKILL');
    await eventually('a new core', () => system.core() !== undefined && system.core() !== core);
    ok('apply', id);
    expect(active('a')).toBe('active');
    expect(system.sctl('apply', '0123456789ab').stderr).toContain('there is no plan 0123456789ab');
    quiet('a');
  });

  test('what was started before has a known length in the next plan', () => {
    ok('start', 'b');
    quiet('b');
    expect(plan('start', 'b').estimate.unknown).toBe(0);
    expect(ok('plan', 'start', 'b').stdout).toMatch(/about \d/);
  });

  test('a plan that nobody confirms is undone by its inverse', async () => {
    ok('start', 'cache');
    const { id } = plan('start', 'rival');
    const applied = ok('apply', id, '--confirm-within=1s');
    expect(applied.stderr).toContain(`sctl confirm ${id}`);
    await eventually('it is undone', () => active('rival', 'cache') === 'inactive active', 30);
    expect(ok('confirm').stdout).toContain('Nothing waits');
    quiet('cache');
  });

  test('what cannot be undone is said, and what came of undoing is in the history', async () => {
    ok('start', 'c');
    const { id } = plan('restart', 'c');
    expect(ok('apply', id, '--confirm-within=1s').stderr).toBe(
      `There is nothing in it that could be undone: sctl confirm ${id}\n`,
    );
    const undone = `undo plan ${id} (restart c.service); nobody confirmed it in time; there is nothing to undo`;
    await eventually('its time is over', () => ok('history').stdout.includes(undone), 30);
    quiet('c');
  });

  test('a plan that is confirmed stays', () => {
    const { id } = plan('start', 'b');
    ok('apply', id, '--confirm-within', '1h');
    expect(ok('confirm', '--list').stdout).toMatch(new RegExp(`${id}  start b\\.service.*\\n.*stop b\\.service`));
    expect(ok('confirm').stdout).toContain(`Confirmed plan ${id}`);
    expect(ok('confirm', '--list').stdout).toContain('Nothing waits');
    expect(active('b')).toBe('active');
    expect(system.sctl('confirm', id).status).toBe(1);
    quiet('b');
  });

  test('a core that is killed knows what waits to be confirmed, and undoes it in time', async () => {
    const { id } = plan('start', 'c');
    ok('apply', id, '--confirm-within=2s');
    const core = system.core()!;
    process.kill(core, 'SIGKILL');
    await eventually('a new core', () => system.core() !== undefined && system.core() !== core);
    await eventually('it is undone', () => active('c') === 'inactive', 30);
    expect(ok('confirm', '--list').stdout).toContain('Nothing waits');
  });

  test('a snapshot is kept, told apart from now, and restored by a plan', () => {
    ok('start', 'a', 'b');
    ok('snapshot', 'save', 'good');
    expect(readFileSync(file('state/snapshots/good.json'), 'utf8')).toContain('"sysmaster-snapshot"');
    expect(system.sctl('snapshot', 'diff', 'good', 'now').stdout).toContain('No difference');
    quiet('a');
    ok('start', 'c');
    ok('enable', '--runtime', 'enabled.service');
    const diff = system.sctl('snapshot', 'diff', 'good', 'now');
    expect(diff.status).toBe(1);
    expect(diff.stdout).toContain('a.service: active → inactive');
    expect(diff.stdout).toContain('enabled.service: unit file disabled → enabled-runtime');
    const shown = ok('snapshot', 'restore', 'good', '--plan').stdout;
    expect(shown).toContain('disable  enabled.service');
    expect(shown).toMatch(/start {4}a\.service/);
    expect(shown).toMatch(/stop {5}c\.service/);
    expect(active('a', 'c')).toBe('inactive active');
    ok('snapshot', 'restore', 'good');
    expect(active('a', 'b', 'c')).toBe('active active inactive');
    expect(system.sctl('snapshot', 'diff', 'good').stdout).toContain('No difference');
    expect(ok('snapshot', 'list').stdout).toContain('good');
    ok('snapshot', 'delete', 'good');
    expect(system.sctl('snapshot', 'show', 'good').status).toBe(1);
    quiet('a', 'b');
  });

  test('what restoring would do is told with the unit files as they will be, and is then done', () => {
    ok('start', 'east');
    ok('enable', '--runtime', 'enabled.service');
    ok('snapshot', 'save', 'open');
    quiet('east');
    ok('mask', '--runtime', 'east.service');
    const path = file('units/enabled.service');
    const text = readFileSync(path, 'utf8');
    rmSync(path);
    ok('daemon-reload');
    ok('disable', '--runtime', 'enabled.service');
    const shown = ok('snapshot', 'restore', 'open', '--plan').stdout;
    expect(shown).toMatch(/^unmask {3}east\.service/m);
    expect(shown).toMatch(/^start {4}east\.service/m);
    const left = 'enable enabled.service left out: Unit file enabled.service does not exist';
    expect(shown).toContain(`note     ${left}\n`);
    expect(shown).not.toMatch(/^enable/m);
    expect(active('east')).toBe('inactive');
    expect(ok('snapshot', 'restore', 'open').stderr).toBe(`${left}\n`);
    expect(active('east')).toBe('active');
    // Saved, it is a plan like any other: tried dry, applied, and refused when the world has moved.
    quiet('east');
    ok('start', 'west');
    ok('snapshot', 'restore', 'open', '--save', file('back.json'));
    expect(ok('apply', file('back.json'), '--dry-run').stdout).toMatch(/^stop {5}west\.service/m);
    ok('apply', file('back.json'));
    expect(active('east', 'west')).toBe('active inactive');
    expect(system.sctl('apply', file('back.json'), '--dry-run').stderr).toContain('the world has moved since');
    expect(system.sctl('apply', file('back.json')).stderr).toContain('east.service: was inactive, is active');
    writeFileSync(path, text);
    ok('daemon-reload');
    expect(ok('snapshot', 'restore', 'open').stderr).toBe('');
    expect(ok('is-enabled', 'enabled.service').stdout).toBe('enabled-runtime\n');
    expect(ok('snapshot', 'restore', 'open', '--plan').stdout).toBe('No unit is to be started or stopped.\n');
    ok('disable', '--runtime', 'enabled.service');
    ok('snapshot', 'delete', 'open');
    quiet('east');
  });

  test('a snapshot file that is garbage is listed with its fault, refused, and can be deleted', () => {
    mkdirSync(file('state/snapshots'), { recursive: true });
    writeFileSync(file('state/snapshots/broken.json'), '{"format": "sysmaster-snapshot", "version": 7}');
    expect(ok('snapshot', 'list').stdout).toContain('version 7');
    const refused = system.sctl('snapshot', 'restore', 'broken');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('it has version 7, and this is version 1');
    ok('snapshot', 'delete', 'broken');
    expect(system.sctl('snapshot', 'save', '../escape').stderr).toContain('cannot be the name of a snapshot');
  });

  test.each([
    ['garbage', 'no json at all', 'not a plan'],
    ['another thing', '{"format": "recipe"}', 'its format is not sysmaster-plan'],
    ['another version', { version: 99 }, 'the plan has version 99, and this is version 1'],
    ['another machine', { machineId: 'f'.repeat(32) }, 'the plan was made on another machine'],
    ['another boot', { bootId: 'f'.repeat(32) }, 'the plan was made before this boot'],
    ['no request', { request: null }, 'the plan does not say what was asked for'],
    ['of another id', { id: 'ffffffffffff' }, 'its id does not belong to what stands in it'],
    ['of other jobs', { jobs: [] }, 'its id does not belong to what stands in it'],
    ['of jobs that are none', { jobs: 7 }, 'its id does not belong to what stands in it'],
  ])('a plan file that is %s is refused with one clear sentence', (_, change, why) => {
    const path = file('bad.json');
    const text = typeof change === 'string' ? change : JSON.stringify({ ...plan('start', 'a'), ...change });
    writeFileSync(path, text);
    const ran = system.sctl('apply', path);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain(why);
    expect(active('a')).toBe('inactive');
  });

  test.each([
    ['a directory', (path: string) => mkdirSync(path), 'it is a directory'],
    ['empty', (path: string) => writeFileSync(path, ''), 'it is empty'],
    ['a pipe that nobody writes to', (path: string) => execFileSync('mkfifo', [path]), 'it is empty'],
    ['a device without an end', (path: string) => symlinkSync('/dev/zero', path), 'it is a device'],
    [
      'nested without an end',
      (path: string) =>
        writeFileSync(
          path,
          `{"format": "sysmaster-plan", "version": 1, "request": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
        ),
      'it is nested too deep',
    ],
  ])('a plan file that is %s is refused with one clear sentence, by a dry run, too', (_, make, why) => {
    const path = file('odd');
    rmSync(path, { recursive: true, force: true });
    make(path);
    for (const dry of [[], ['--dry-run']]) {
      const ran = system.sctl('apply', path, ...dry);
      expect(ran).toMatchObject({ status: 1, stdout: '' });
      expect(ran.stderr).toMatch(new RegExp(`^[^\n]*${why}[^\n]*\n$`));
    }
  });

  test('a dry run of a plan says whether it would be applied, by its file and by its id', () => {
    const path = file('dry.json');
    ok('plan', 'start', 'a', '--save', path);
    const { id, ...rest } = JSON.parse(readFileSync(path, 'utf8')) as Plan;
    expect(ok('apply', id, '--dry-run').stdout).toContain('start    a.service');
    expect(ok('apply', path, '--dry-run').stdout).toContain('start    a.service');
    writeFileSync(path, JSON.stringify({ ...rest, id, machineId: 'f'.repeat(32) }));
    const elsewhere = system.sctl('apply', path, '--dry-run');
    expect(elsewhere.status).toBe(1);
    expect(elsewhere.stderr).toContain('would be refused: it was made on another machine');
    expect(system.sctl('apply', 'aaaaaaaaaaaa', '--dry-run')).toMatchObject({
      status: 1,
      stderr: 'Would fail to apply plan aaaaaaaaaaaa: there is no such plan; make it again: sctl plan VERB UNIT….\n',
    });
    expect(active('a')).toBe('inactive');
  });

  test('a dry run of what would fail fails as it would, and is not told as a request', () => {
    for (const words of [
      'kill nowhere',
      'kill --kill-whom=control default.target',
      'reset-failed nowhere',
      'confirm aaaaaaaaaaaa',
      'set-environment nothing',
      'snapshot save ../escape',
      'snapshot delete nowhere',
      'init-reexec /nonexistent',
      'cancel 99999999999999999999',
    ]) {
      const [dry, real] = [[...words.split(' '), '--dry-run'], words.split(' ')].map((each) => system.sctl(...each));
      expect(`${words}: ${dry?.status}`).toBe(`${words}: 1`);
      expect(dry?.stdout).toBe('');
      if (!words.startsWith('init')) expect(`${words}: ${real?.status}`).toBe(`${words}: 1`);
    }
    ok('start', 'a');
    expect(ok('kill', 'a', '--dry-run').stdout).toBe('Would send SIGTERM to all processes of a.service, 1 now.\n');
    expect(active('a')).toBe('active');
    expect(ok('history', 'a').stdout).toContain('SIGTERM (dry run) to all processes');
    quiet('a');
    // The root of this system is read-only.
    expect(system.sctl('enable', 'enabled.service').stderr).toContain('EROFS on /etc/sysmaster');
    expect(system.sctl('plan', 'enable', 'a').stderr).toContain('sctl enable --dry-run shows what that would do');
  });

  test("a request for a unit that is bad, masked, missing or needs such a one says why, with systemctl's exit status", () => {
    const bad = system.sctl('start', 'bad');
    expect(bad.status).toBe(1);
    expect(bad.stderr).toContain('Failed to start bad.service: Unit bad.service has a bad unit file setting.');
    expect(bad.stderr).toMatch(/\/run\/units\/bad\.service:\d+(:\d+)?: /);
    expect(system.sctl('start', 'nowhere')).toMatchObject({
      status: 5,
      stderr: 'Failed to start nowhere.service: Unit nowhere.service not found.\n',
    });
    ok('mask', '--runtime', 'other.service');
    const link = '/run/sysmaster/system/other.service';
    const masked = `  ${link}: masks other.service\nUnmask it first: sctl unmask --runtime other.service.\n`;
    // What is only wanted where it runs is no mistake there.
    expect(system.sctl('try-restart', 'other')).toMatchObject({ status: 0, stderr: '' });
    for (const verb of ['start', 'restart'])
      expect(system.sctl(verb, 'other')).toMatchObject({
        status: 1,
        stderr: `Failed to ${verb} other.service: Unit other.service is masked.\n${masked}`,
      });
    const planned = system.sctl('plan', 'start', 'other');
    expect(planned.status).toBe(1);
    expect(planned.stderr).toContain(`sctl unmask --runtime other.service\n  ${link}: masks other.service\n`);
    expect(system.sctl('cat', 'other')).toMatchObject({ status: 0, stdout: '# Unit other.service is masked.\n' });
    ok('unmask', '--runtime', 'other.service');
    // A mask that no command takes away.
    expect(system.sctl('start', 'gone').stderr).toContain(
      'Unmask it first: remove /run/units/gone.service, or write /etc/sysmaster/system/gone.service; then sctl daemon-reload.',
    );
    const needs = system.sctl('start', 'needs-bad');
    expect(needs.status).toBe(1);
    expect(needs.stderr).toContain('/run/units/needs-bad.service:2');
    expect(needs.stderr).toMatch(/\/run\/units\/bad\.service:\d+/);
  });

  test('who stands in the way is named, with what asked for it and the ways out', () => {
    ok('start', '--no-block', '--job-mode=replace-irreversibly', 'slow');
    const refused = system.sctl('stop', 'slow');
    expect(refused.status).toBe(4);
    expect(refused.stderr).toMatch(/job \d+ \(start slow\.service\) of start slow\.service, asked for by uid 0/);
    expect(refused.stderr).toMatch(/sctl cancel \d+/);
    ok('cancel');
    quiet('slow');
  });

  test('--show-transaction names the jobs as systemctl does', () => {
    const { stderr } = ok('start', '--show-transaction', 'web');
    expect(stderr).toMatch(/Enqueued anchor job \d+ web\.service\/start\./);
    expect(stderr).toMatch(/Enqueued auxiliary job \d+ db\.service\/start\./);
    quiet('web', 'db', 'cache');
  });

  test('every changing verb can be tried dry, and changes nothing', () => {
    ok('start', 'b');
    const state = () =>
      ok('list-units', '--all', '--plain', '--no-legend').stdout.replace(/^(\S+ +)not-found .*\n/gm, '');
    const units = () => ok('is-active', 'b.service').stdout + ok('show-environment').stdout + ok('get-default').stdout;
    const before = [state().match(/ active /g)?.length, units()];
    for (const words of [
      'start a.service',
      'restart b.service',
      'isolate small.target',
      'rescue',
      'kill b.service',
      'reset-failed',
      'cancel',
      'set-default small.target',
      'poweroff',
      'reboot -f',
      'set-environment A=b',
      'snapshot save x',
      'snapshot delete x',
    ]) {
      const ran = system.sctl(...words.split(' '), '--dry-run');
      expect(`${words}: ${ran.stderr}`).not.toMatch(/option|went away/);
    }
    expect([state().match(/ active /g)?.length, units()]).toEqual(before);
    expect(ok('snapshot', 'list').stdout).toContain('No snapshots');
    quiet('b');
  });

  test('a shutdown makes its way, and tells who comes too late what is going on', async () => {
    ok('start', 'holds');
    ok('start', '--no-block', '--job-mode=replace-irreversibly', 'slow');
    expect(system.sctl('plan', 'stop', 'slow').status).toBe(4);
    // An ending without a target is done all the same.
    expect(ok('kexec', '--dry-run').stdout).toBe(
      'There is no order to go by: kexec.target not found.\nWould kexec at once, without stopping units in order.\n',
    );
    const dry = ok('poweroff', '--dry-run').stdout;
    expect(dry).toMatch(/replaces job \d+ of slow\.service: .* is canceled by stop slow\.service/);
    ok('poweroff');
    await eventually('the end has begun', () => ok('list-jobs').stdout.includes('poweroff.target'));
    const late = system.sctl('start', 'a');
    writeFileSync(file('go'), '');
    expect(late.status).toBe(4);
    expect(late.stderr).toMatch(
      /the system is going down: .*job \d+ \((start|stop) [a-z]+\.target\) of start poweroff\.target/,
    );
  });
});
