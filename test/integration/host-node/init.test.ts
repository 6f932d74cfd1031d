import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addon } from '../../../src/host/node/addon.ts';
import type { HostEvent, Report } from '../../../src/host/ports.ts';
import { until } from './rig.ts';

const root = join(import.meta.dirname, '../../..');
const init = process.env['SYSMASTER_INIT'] ?? join(root, '.build/init');
const exec = process.env['SYSMASTER_EXEC'] ?? join(root, '.build/exec');
const core = join(import.meta.dirname, 'small-core.ts');

let run: string;

type Line = HostEvent | { hello: { cores: number; fds: string[]; deaths: unknown[] } } | { state: unknown } | string;
const seen = (): Line[] =>
  existsSync(join(run, 'seen'))
    ? readFileSync(join(run, 'seen'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line)
    : [];
const records = (lines: Line[]): { number: number; what: Report }[] =>
  lines.flatMap((line) => (typeof line === 'object' && 'type' in line && line.type === 'record' ? [line.record] : []));

beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'host-init-'));
});

afterEach(() => rmSync(run, { recursive: true, force: true }));

describe.runIf(existsSync(init) && existsSync(exec))('with the real init', () => {
  test('a core that is killed is followed by one that finds all that init kept', async () => {
    const settings = [
      `RunDir=${run}`,
      `Exec=${exec}`,
      'LogTarget=null',
      `CoreEnvironment=SYSMASTER_ADDON=${process.env['SYSMASTER_ADDON'] ?? join(root, '.build/addon.node')}`,
    ];
    const child = spawn(
      init,
      [
        '--config',
        '/dev/null',
        ...settings.flatMap((one) => ['--set', one]),
        '--core',
        process.execPath,
        '--core-arg',
        core,
      ],
      { stdio: 'ignore' },
    );
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    try {
      await until('the second core', () => seen().includes('watching'));
      const lines = seen();
      const hellos = lines.flatMap((line) => (typeof line === 'object' && 'hello' in line ? [line.hello] : []));
      expect(hellos).toHaveLength(2);
      expect(hellos[0]).toMatchObject({ role: 'subreaper', cores: 0, fds: [], deaths: [] });
      expect(hellos[1]).toMatchObject({
        cores: 1,
        fds: ['api', 'blackbox', 'listener', 'loaded', 'notes', 'notify', 'output:r', 'output:w'],
        deaths: [{ ended: { killed: 9 }, seq: 42, phase: 2, actor: 'the actor' }],
      });
      expect(lines).toContainEqual({ state: { image: 'the image', records: ['a record'] } });
      expect(lines).toContainEqual({ inspect: child.pid });

      const exits = () => records(seen()).filter(({ what }) => 'exited' in what);
      await until('the exit to be told again', () => exits().length === 2);
      expect(exits()[1]).toEqual(exits()[0]);
      expect(exits()[0]?.what).toMatchObject({ exited: { tag: 'job', ended: { exited: 7 } } });

      const sender = addon.connectUnix(join(run, 'notify'), 'datagram');
      addon.sendMessage(sender, 'READY=1', []);
      addon.close(sender);
      await until('the datagram', () =>
        seen().find((line) => typeof line === 'object' && 'type' in line && line.type === 'datagram'),
      );

      const client = connect({ path: join(run, 'listener.sock') });
      client.on('error', () => undefined);
      expect(await ended).toBe(3);
      client.destroy();
      const accepted = records(seen()).find(({ what }) => 'accepted' in what);
      expect(accepted?.what).toMatchObject({ accepted: { name: 'connection', peerPid: process.pid } });
    } finally {
      child.kill('SIGKILL');
    }
  });
});
