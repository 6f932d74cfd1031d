/** The flight recorder of a real core: a failure leaves a recording, and sctl runs all of it again to the same states. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Recording } from '../../../src/supervisor/index.ts';
import { eventually, lib, project, type System, systemsMissing } from '../support/system.ts';
import { bootSmall } from './small.ts';

const missing = systemsMissing();
const SECRET = 'correct-horse-battery';

/** Where it stands behind a comment in a value, in what cannot be read, and in what is not honoured: findings quote their lines. */
const HIDDEN = `Environment=A=1 \\
# in between
  B=${SECRET}
Environment=bad-name=${SECRET}
UnsetEnvironment=$${SECRET}
SetCredential=token:${SECRET} \\
; in between
  ${SECRET}
`;

interface Data {
  readonly same: number;
  readonly different: number;
  readonly skipped: number;
  readonly notes: readonly string[];
  readonly steps: readonly {
    readonly actor: string;
    readonly kind: string;
    readonly type: string;
    readonly effects?: readonly { readonly type: string }[];
    readonly after?: unknown;
    readonly outcome: string;
    readonly differences: readonly { readonly at: string }[];
  }[];
}

const DRAINED = '/run/machines/drained.cjs';
/** The example's, in less time. */
const drained = readFileSync(join(project, 'examples/machines/drained.cjs'), 'utf8').replace('5000', '50');
const ring = (next: string) =>
  `[Unit]\nWants=${next}\nAfter=${next}\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n`;

describe.skipIf(missing !== undefined)(`recordings${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System;
  const directory = () => join(system.run, 'sysmaster/recordings');
  const files = (): string[] => (existsSync(directory()) ? readdirSync(directory()).sort() : []);
  const read = (name: string) => JSON.parse(readFileSync(join(directory(), name), 'utf8')) as Recording;
  const replay = (path: string, ...words: string[]): Data =>
    JSON.parse(system.sctl('replay', path, '--output=json', ...words).stdout) as Data;

  beforeAll(async () => {
    system = await bootSmall({
      units: {
        'broken.service': `[Service]\nType=oneshot\nEnvironment=KEY=${SECRET}\n${HIDDEN}ExecStart=/bin/sh -c "echo gone; exit 3"\n`,
        'steady.service': '[Service]\nExecStart=/bin/sleep 1000\n',
        'victim.service': '[Service]\nExecStart=/bin/sleep 1000\n',
        'drained.service': '[Service]\nExecStart=/bin/sleep 1000\n[X-Machine]\nMachine=drained\n',
        'ring-a.service': ring('ring-b.service'),
        'ring-b.service': ring('ring-c.service'),
        'ring-c.service': ring('ring-a.service'),
      },
      files: { [DRAINED]: drained, '/run/system.conf': '[X-Chaos]\nEnabled=yes\n' },
      coreEnvironment: { SYSMASTER_CONF: '/run/system.conf', SYSMASTER_MACHINE_PATH: '/run/machines' },
      wants: ['steady.service'],
    });
  });
  afterAll(async () => {
    await system.stop();
  });

  test('a unit that fails leaves a recording, for root alone', async () => {
    system.sctl('set-environment', `TOKEN_OF_TEST=${SECRET}`);
    expect(system.sctl('start', 'broken.service').status).toBe(1);
    const name = await eventually('a recording', () => files().find((file) => file.endsWith('-unit-failed.json')));
    expect(statSync(join(directory(), name)).mode & 0o777).toBe(0o600);
    expect(read(name).reasons).toContainEqual(
      expect.objectContaining({ what: 'unit-failed', actor: 'unit:broken.service' }),
    );
  });

  test('it runs again to the same states, up to the failure', () => {
    const path = join(directory(), files()[0] as string);
    const { different, skipped, same, steps } = replay(path);
    expect({ different, skipped }).toEqual({ different: 0, skipped: 0 });
    expect(same).toBeGreaterThan(20);
    const kinds = [...new Set(steps.map(({ kind }) => kind))].sort();
    expect(kinds).toEqual(expect.arrayContaining(['events', 'job', 'jobs', 'manager', 'service', 'units']));
    const broken = steps.filter(({ actor }) => actor === 'unit:broken.service');
    expect(broken.map(({ type }) => type)).toContain('exited');
    expect(broken.at(-1)?.after).toBe('failed');
    expect(system.sctl('replay', path).status).toBe(0);
    expect(system.sctl('replay', path, 'broken').stdout).toMatch(/exited .*\n.*→ failed/);
  });

  test('step by step it asks at a terminal, and at the end of what is typed it ends', () => {
    const file = join(directory(), files()[0] as string);
    const command = [join(lib, 'node'), join(lib, 'sctl.mjs'), 'replay', file, 'broken', '--step'];
    const typed = { input: '\n\nq\n', encoding: 'utf8', timeout: 30_000 } as const;
    const { stdout } = spawnSync('script', ['-qec', command.join(' '), '/dev/null'], typed);
    expect(stdout.match(/Enter: next step/g)).toHaveLength(3);
    expect(stdout).toContain('starts: ');
    expect(stdout).toContain('3 steps run again, 0 not');
    const piped = spawnSync(command[0] as string, command.slice(1), typed).stdout;
    expect(piped).not.toContain('Enter');
    expect(piped).toMatch(/→ failed/);
  });

  test('where the recording says something else, the first difference is named, and the status is 1', () => {
    const changed = JSON.parse(readFileSync(join(directory(), files()[0] as string), 'utf8')) as {
      steps: { actor: string; type: string; diff?: { c?: Record<string, unknown> } }[];
    };
    const step = changed.steps.find(({ actor, type }) => actor === 'unit:broken.service' && type === 'exited');
    (step!.diff!.c as Record<string, unknown>)['result'] = 'watchdog';
    const path = join(system.run, 'changed.json');
    writeFileSync(path, JSON.stringify(changed));
    const ran = system.sctl('replay', path);
    expect(ran.status).toBe(1);
    expect(ran.stdout).toContain('differs context.result: recorded "watchdog", here "exit-code"');
    expect(replay(path).different).toBe(1);
  });

  test('a report is one file with unit files, states, history, log and a recording that runs again, and without secrets', async () => {
    await eventually('its log', () => system.sctl('logs', 'broken.service').stdout.includes('gone'));
    const path = join(system.run, 'report.json');
    const made = system.sctl('report', 'broken', '-o', path);
    expect(made).toMatchObject({ status: 0, stderr: '' });
    const text = readFileSync(path, 'utf8');
    expect(text).not.toContain(SECRET);
    const report = JSON.parse(text);
    expect(report).toMatchObject({ unit: 'broken.service', missing: [], properties: { ActiveState: 'failed' } });
    expect(report.files[0].text).toMatch(/^Environment=\*\*\*$/m);
    expect(report.history.records.map(({ what }: { what: string }) => what).join('\n')).toContain('failed');
    expect(report.log.entries.map(({ msg }: { msg: string }) => msg)).toContain('gone');
    expect(replay(path).different).toBe(0);
    expect(system.sctl('report', 'broken', '-o', path)).toMatchObject({ status: 1 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('what the job engine cut, what chaos did and what a chart of a user did run again as they were', () => {
    for (const words of [
      ['start', 'ring-a.service', 'drained.service', 'victim.service'],
      ['stop', 'drained.service'],
      ['chaos', '--kill', '--unit', 'victim.service'],
    ])
      expect(system.sctl(...words)).toMatchObject({ status: 0 });
    const path = join(system.run, 'all.json');
    expect(system.sctl('report', 'drained', '-o', path).status).toBe(0);
    const own = join(system.run, 'machines/drained.cjs');
    const { different, skipped, notes, steps } = replay(path, '--machine', own);
    expect({ different, skipped, notes }).toEqual({ different: 0, skipped: 0, notes: [] });
    const asked = steps.flatMap(({ effects = [] }) => effects.map(({ type }) => type));
    expect(asked).toEqual(expect.arrayContaining(['orderingsCut', 'strike']));
    const states = steps.filter(({ actor }) => actor === 'unit:drained.service').map(({ after }) => after);
    expect(states).toContain('draining');
    // Where core ran, the file is found by itself; elsewhere sctl says what it needs.
    const sctl = [join(lib, 'node'), join(lib, 'sctl.mjs')];
    expect(system.inside(...sctl, 'replay', '/run/all.json', 'drained').stdout).toMatch(
      /→ draining\n(.*\n)*.* 0 not: no difference/,
    );
    const elsewhere = system.sctl('replay', path, 'drained');
    expect(elsewhere.stdout).toContain(
      `its chart ${DRAINED} is not on this machine; name your copy of it with --machine`,
    );
    expect(elsewhere).toMatchObject({ status: 0 });
  });

  test('how much is kept is a setting, and counts from the next reload on', () => {
    writeFileSync(join(system.run, 'system.conf'), '[Manager]\nFlightRecorderSteps=40\n');
    expect(system.sctl('daemon-reload').status).toBe(0);
    const path = join(system.run, 'few.json');
    expect(system.sctl('report', 'steady', '-o', path).status).toBe(0);
    expect(JSON.parse(readFileSync(path, 'utf8')).recording.steps).toHaveLength(40);
    const { different, skipped } = replay(path, 'manager', 'jobs', 'events', 'units');
    expect({ different, skipped }).toEqual({ different: 0, skipped: 0 });
    writeFileSync(join(system.run, 'system.conf'), '');
    expect(system.sctl('daemon-reload').status).toBe(0);
  });

  test('a core that comes back from a death records what comes next, from the state that it found', async () => {
    const before = files();
    const core = system.core() as number;
    // As of a core that dies while it writes.
    mkdirSync(directory(), { recursive: true, mode: 0o700 });
    const unfinished = join(directory(), '000001-step-failed.json.43.4.tmp');
    writeFileSync(unfinished, '{');
    process.kill(core, 'SIGKILL');
    await eventually('another core', () => system.core() !== undefined && system.core() !== core);
    const name = await eventually('a recording', () =>
      files().find((file) => !before.includes(file) && file.endsWith('-core-came-back.json')),
    );
    await eventually('what was not finished is gone', () => !existsSync(unfinished));
    expect(read(name).reasons[0]).toMatchObject({ what: 'core-came-back', why: expect.stringContaining('restored') });
    system.sctl('stop', 'steady.service');
    const path = join(system.run, 'after.json');
    expect(system.sctl('report', 'steady', '-o', path).status).toBe(0);
    const { different, steps } = replay(path, 'steady.service');
    expect(different).toBe(0);
    expect(steps.at(-1)?.after).toBe('dead');
  });
});
