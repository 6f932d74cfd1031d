/** The flight recorder of a real core: a failure leaves a recording, and sctl runs it again to the same states. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Recording } from '../../../src/supervisor/index.ts';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall } from './small.ts';

const missing = systemsMissing();
const SECRET = 'correct-horse-battery';

interface Data {
  readonly same: number;
  readonly different: number;
  readonly steps: readonly {
    readonly actor: string;
    readonly type: string;
    readonly after?: unknown;
    readonly outcome: string;
    readonly differences: readonly { readonly at: string }[];
  }[];
}

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
        'broken.service': `[Service]\nType=oneshot\nEnvironment=KEY=${SECRET}\nExecStart=/bin/sh -c "echo gone; exit 3"\n`,
        'steady.service': '[Service]\nExecStart=/bin/sleep 1000\n',
      },
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
    const { different, same, steps } = replay(path);
    expect(different).toBe(0);
    expect(same).toBeGreaterThan(20);
    const broken = steps.filter(({ actor }) => actor === 'unit:broken.service');
    expect(broken.map(({ type }) => type)).toContain('exited');
    expect(broken.at(-1)?.after).toBe('failed');
    expect(system.sctl('replay', path).status).toBe(0);
    expect(system.sctl('replay', path, 'broken').stdout).toMatch(/exited .*\n.*→ failed/);
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

  test('a core that comes back from a death records what comes next, from the state that it found', async () => {
    const before = files();
    const core = system.core() as number;
    process.kill(core, 'SIGKILL');
    await eventually('another core', () => system.core() !== undefined && system.core() !== core);
    const name = await eventually('a recording', () =>
      files().find((file) => !before.includes(file) && file.endsWith('-core-came-back.json')),
    );
    expect(read(name).reasons[0]).toMatchObject({ what: 'core-came-back', why: expect.stringContaining('restored') });
    system.sctl('stop', 'steady.service');
    const path = join(system.run, 'after.json');
    expect(system.sctl('report', 'steady', '-o', path).status).toBe(0);
    const { different, steps } = replay(path, 'steady.service');
    expect(different).toBe(0);
    expect(steps.at(-1)?.after).toBe('dead');
  });
});
