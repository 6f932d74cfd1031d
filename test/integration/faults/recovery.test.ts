/**
 * One death of core in the midst of everything: whatever was on its way goes on from where it was, clause by clause.
 *
 * Core is stopped first, so that what happens while it is away is known to happen then, and killed after that.
 */
import { closeSync, constants, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, properties, until } from '../support/ask.ts';
import { eventually, type Ran, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, coreLog, laterSctl } from './small.ts';

const missing = systemsMissing();
const clause = (name: string, mode: string) => `/run/programs/clause.pl ${name} ${mode}`;

/** A command of a list: it says that it runs, waits to be let go on if it is `held`, and says that it is done. */
const command = (name: string, list: string, number: number, held: boolean) => {
  const wait = held ? `until [ -e /run/go-${name} ]; do sleep 0.02; done; ` : '';
  return `${list}=/bin/sh -c "echo ${name} ${list} ${number} >>/run/done; ${wait}echo ${name} ${list} ${number} done >>/run/done"\n`;
};
/** So many commands, of which one is held. */
const commands = (name: string, list: string, count: number, held: number) =>
  Array.from({ length: count }, (_, at) => command(name, list, at + 1, at + 1 === held)).join('');
/** What that leaves in /run/done: each once, and in order. */
const inOrder = (name: string, list: string, count: number) =>
  Array.from({ length: count }, (_, at) => [`${name} ${list} ${at + 1}`, `${name} ${list} ${at + 1} done`]).flat();

/** How far these have come when core dies: list, commands, the one that runs. */
const LISTS = {
  condition: ['ExecCondition', 2, 1],
  pre: ['ExecStartPre', 5, 3],
  late: ['ExecStartPre', 5, 4],
  post: ['ExecStartPost', 3, 2],
  reloading: ['ExecReload', 3, 2],
  stopping: ['ExecStop', 3, 2],
  stopped: ['ExecStopPost', 3, 2],
} as const;
type Listed = keyof typeof LISTS;
const listed = Object.keys(LISTS) as Listed[];
/** Those that are to come up, and those that are up and are asked for something. */
const starting: readonly Listed[] = ['condition', 'pre', 'late', 'post'];

/** What waits for a time far off, by the deadline's name: it must be the same one before and after. */
const WAITING = {
  'start-timeout': ['TimeoutStartSec', 'Type=notify\nTimeoutStartSec=10min', 'sleep'],
  'stop-timeout': ['TimeoutStopSec', 'TimeoutStopSec=10min', 'stay'],
  runtime: ['RuntimeMaxSec', 'RuntimeMaxSec=10min', 'sleep'],
  restart: ['RestartSec', 'Restart=always\nRestartSec=10min', 'sleep'],
} as const;
type Waiting = keyof typeof WAITING;
const waiting = Object.keys(WAITING) as Waiting[];

/** The same with little time, in µs: what it had must be over, and the unit comes to this result. */
const SHORT_US = 1_500_000;
const SHORT = {
  'short-start': ['Type=notify\nTimeoutStartSec=1500ms', 'sleep', 'timeout'],
  'short-runtime': ['RuntimeMaxSec=1500ms', 'sleep', 'timeout'],
} as const;
const short = Object.keys(SHORT) as (keyof typeof SHORT)[];

const service = (more: string, exec: string, unit = '') => `[Unit]\n${unit}\n[Service]\n${more}\nExecStart=${exec}\n`;

const units: Record<string, string> = {
  'counted.service': service(
    'Restart=on-failure\nRestartSec=10ms',
    clause('counted', 'sleep'),
    'StartLimitIntervalSec=0',
  ),
  'limited.service': service(
    'Type=oneshot',
    '/bin/sh -c "echo limited >>/run/done"',
    'StartLimitIntervalSec=1h\nStartLimitBurst=3',
  ),
  'pinging.service': service('Type=notify\nWatchdogSec=5', clause('pinging', 'ping')),
  'silent.service': service('Type=notify\nWatchdogSec=1', clause('silent', 'ping')),
  'silent-later.service': service('Type=notify\nWatchdogSec=1', clause('silent-later', 'ping')),
  'word.service': service('Type=notify\nTimeoutStartSec=10min\nNotifyAccess=main', clause('word', 'word')),
  'keeping.service': service(
    'Type=notify\nRestart=on-failure\nRestartSec=10ms\nFileDescriptorStoreMax=3',
    '/run/programs/life.pl keeping notify',
  ),
  'killed.service': service(
    'Restart=on-failure\nRestartSec=10ms',
    clause('killed', 'sleep'),
    'StartLimitIntervalSec=0',
  ),
  'signalled.service': service('', clause('signalled', 'sleep')),
  'broken.service': service('Type=oneshot', '/bin/sh -c "exit 7"'),
  'planned.service': service('', clause('planned', 'sleep')),
  'undone.service': service('', clause('undone', 'sleep')),
  'confirmed.service': service('', clause('confirmed', 'sleep')),
  'behind.service': service(
    'Type=oneshot\nRemainAfterExit=yes',
    '/bin/true',
    'Requires=pre.service\nAfter=pre.service',
  ),
  'stream.socket': '[Socket]\nListenStream=/run/stream.sock\n',
  'stream.service': service('', '/run/programs/worker.pl stream answer'),
  'packet.socket': '[Socket]\nListenDatagram=/run/packet.sock\n',
  'packet.service': service('', clause('packet', 'sleep')),
  'pipe.socket': '[Socket]\nListenFIFO=/run/pipe.fifo\n',
  'pipe.service': service('', clause('pipe', 'sleep')),
};
for (const name of listed) {
  const [list, count, held] = LISTS[name];
  units[`${name}.service`] = service(
    `TimeoutSec=10min\n${commands(name, list, count, held)}`,
    clause(name, 'sleep'),
    'JobTimeoutSec=20min',
  );
}
for (const name of waiting)
  units[`${name}.service`] = service(WAITING[name][1], clause(name, WAITING[name][2]), 'StartLimitIntervalSec=0');
for (const name of short) units[`${name}.service`] = service(SHORT[name][0], clause(name, SHORT[name][1]));

interface Machine {
  readonly value: unknown;
  readonly context: Readonly<Record<string, unknown>>;
  readonly deadlines: readonly { readonly name: string; readonly atUs?: number | null }[];
}

describe.skipIf(missing !== undefined)(
  `what was on its way when core died${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;
    let clients: Readonly<Record<Listed, Promise<Ran>>>;
    const before = {
      deadlines: new Map<string, Machine['deadlines']>(),
      jobs: new Map<string, Machine['deadlines']>(),
      pids: new Map<string, string | undefined>(),
      sockets: '',
      why: '',
      plan: '',
      kept: undefined as object | undefined,
    };

    const ok = (...words: string[]) => {
      const ran = system.sctl(...words);
      if (ran.status !== 0) throw new Error(`sctl ${words.join(' ')}: ${ran.status}: ${ran.stderr}${ran.stdout}`);
      return ran.stdout;
    };
    const machine = async (actor: string) =>
      (await ask<{ machine: Machine }>(system, 'Machines.Get', { actor })).machine;
    const shows = async (unit: string, name: string) => (await properties(system, `${unit}.service`))[name];
    const becomes = (unit: string, name: string, value: string) =>
      until(`${name}=${value} of ${unit}`, async () => (await shows(unit, name)) === value);
    const done = (name: string) =>
      readFileSync(`${system.run}/done`, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(`${name} `));
    const have = (name: string, what: string) =>
      eventually(`${name} ${what}`, () => done(name).includes(`${name} ${what}`));
    const goOn = (...names: string[]) => {
      for (const name of names) writeFileSync(`${system.run}/go-${name}`, '');
    };
    /** Its listening sockets, with their inodes; and the pipe. */
    const sockets = () =>
      system.inside(
        'sh',
        '-c',
        "grep -E '/run/(stream|packet)[.]sock$' /proc/net/unix | awk '{ print $7, $8 }'; ls -i /run/*.fifo",
      ).stdout;
    /** What there is to be confirmed, with its time. */
    const kept = async () => {
      const { waiting } = await ask<{ waiting: { what: string }[] }>(system, 'Jobs.Confirmations');
      return waiting.find(({ what }) => what.includes('confirmed'));
    };
    /** The jobs' actors by the unit that they are for. */
    const jobs = async () => {
      const { jobs: all } = await ask<{ jobs: { id: number; unit: string }[] }>(system, 'Jobs.List');
      return new Map(all.map(({ id, unit }) => [unit, `job:${id}`]));
    };

    beforeAll(async () => {
      const text = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8');
      const wanted = ['counted', 'pinging', 'silent', 'silent-later', 'keeping', 'killed', 'signalled'];
      const up = [...listed.filter((name) => !starting.includes(name)), 'runtime', 'restart', 'stop-timeout'];
      system = await bootSmall({
        units,
        wants: [
          ...[...wanted, ...up].map((name) => `${name}.service`),
          ...['stream', 'packet', 'pipe'].map((name) => `${name}.socket`),
        ],
        files: {
          '/run/programs/clause.pl': text('clause.pl'),
          '/run/programs/worker.pl': text('worker.pl'),
          '/run/programs/life.pl': text('../abort/life.pl'),
          '/run/locks/.keep': '',
          '/run/done': '',
        },
      });
      // Counters and windows.
      for (const count of ['1', '2']) {
        ok('kill', '--signal=KILL', 'counted.service');
        await becomes('counted', 'NRestarts', count);
        await becomes('counted', 'ActiveState', 'active');
      }
      ok('start', 'limited');
      ok('start', 'limited');
      expect(system.sctl('start', 'broken').status).toBe(1);
      before.why = ok('why', 'broken');
      // Plans.
      before.plan = JSON.parse(ok('plan', '--output=json', 'start', 'planned')).id as string;
      for (const [name, time] of [
        ['confirmed', '10min'],
        ['undone', '5s'],
      ] as const)
        ok('apply', JSON.parse(ok('plan', '--output=json', 'start', name)).id as string, `--confirm-within=${time}`);
      // Commands, each with a client that waits for it.
      await have('stop-timeout', 'ready');
      goOn('silent');
      const wait = (verb: string, name: Listed) => laterSctl(system, verb, name);
      clients = {
        condition: wait('start', 'condition'),
        pre: wait('start', 'behind' as Listed),
        late: wait('start', 'late'),
        post: wait('start', 'post'),
        reloading: wait('reload', 'reloading'),
        stopping: wait('stop', 'stopping'),
        stopped: wait('stop', 'stopped'),
      };
      ok('start', '--no-block', 'start-timeout', 'word');
      ok('stop', '--no-block', 'stop-timeout');
      ok('kill', '--signal=KILL', 'restart.service');
      for (const name of listed) await have(name, `${LISTS[name][0]} ${LISTS[name][2]}`);
      await have('word', 'main');
      await becomes('restart', 'SubState', 'auto-restart');
      await becomes('stop-timeout', 'SubState', 'stop-sigterm');
      for (const name of [...waiting, ...listed])
        before.deadlines.set(name, (await machine(`${name}.service`)).deadlines);
      before.kept = await kept();
      for (const [unit, job] of await jobs()) before.jobs.set(unit, (await machine(job)).deadlines);
      ok('start', '--no-block', ...short);
      for (const name of ['pinging', 'keeping', 'signalled', 'counted', 'silent-later', 'killed'])
        before.pids.set(name, await shows(name, 'MainPID'));
      before.sockets = sockets();
      // The last that this core does.
      const from = coreLog(system).length;
      ok('kill', '--signal=USR1', 'signalled.service');
      ok('kill', '--signal=KILL', 'killed.service');
      const old = await eventually('core', () => system.core());
      process.kill(old, 'SIGSTOP');
      // And what it does not hear.
      goOn('word', 'late');
      await eventually('word has spoken', () => done('word').some((line) => line.startsWith('word child')));
      await have('late', `ExecStartPre 4 done`);
      const client = connect(`${system.run}/stream.sock`);
      client.on('error', () => undefined);
      expect(
        system.inside(
          'perl',
          '-MIO::Socket::UNIX',
          '-e',
          'IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "/run/packet.sock")->send("x") or die',
        ).status,
      ).toBe(0);
      const pipe = openSync(`${system.run}/pipe.fifo`, constants.O_RDWR | constants.O_NONBLOCK);
      writeSync(pipe, 'x');
      process.kill(old, 'SIGKILL');
      await eventually('the next core has its state', () => coreLog(system).slice(from).includes('"state-restored"'));
      await until('it answers', async () => (await shows('pinging', 'ActiveState')) === 'active');
      closeSync(pipe);
      client.destroy();
    });
    afterAll(async () => {
      if (system === undefined) return;
      goOn(...listed);
      system.sctl('kill', '--signal=KILL', 'stop-timeout.service');
      expect(await system.stop()).toBe(true);
    });

    test.each(waiting)('%s: ends at the time that was set, not at another', async (name) => {
      const { deadlines } = await machine(`${name}.service`);
      expect(deadlines).toEqual(before.deadlines.get(name));
      expect(deadlines.map((one) => one.name)).toContain(WAITING[name][0]);
    });

    test('the time of each command that runs, of each job, and of what is to be confirmed, is the one that was set', async () => {
      expect(before.kept).toMatchObject({ undo: expect.stringContaining('stop confirmed.service') });
      expect(await kept()).toEqual(before.kept);
      const now = await jobs();
      for (const name of listed.filter((one) => one !== 'late')) {
        expect([name, (await machine(`${name}.service`)).deadlines]).toEqual([name, before.deadlines.get(name)]);
        expect(before.jobs.get(`${name}.service`)).not.toEqual([]);
        const job = now.get(`${name}.service`) ?? '';
        expect([name, (await machine(job)).deadlines]).toEqual([name, before.jobs.get(`${name}.service`)]);
      }
    });

    test.each(short)('%s: is over when its time is, and not before', async (name) => {
      await becomes(name, 'Result', SHORT[name][2]);
      const seen = await properties(system, `${name}.service`);
      const began = Number(seen['InactiveExitTimestampMonotonic']);
      expect(Number(seen['InactiveEnterTimestampMonotonic']) - began).toBeGreaterThanOrEqual(SHORT_US);
      expect(done(name)).toEqual([`${name} main`]);
    });

    test('restart counters go on', async () => {
      expect(await shows('counted', 'NRestarts')).toBe('2');
      expect(await shows('counted', 'MainPID')).toBe(before.pids.get('counted'));
      ok('kill', '--signal=KILL', 'counted.service');
      await becomes('counted', 'NRestarts', '3');
    });

    test('a start limit counts the starts from before', async () => {
      ok('start', 'limited');
      expect(system.sctl('start', 'limited').status).toBe(1);
      expect(await shows('limited', 'Result')).toBe('start-limit-hit');
      expect(readFileSync(`${system.run}/done`, 'utf8').match(/^limited$/gm)).toHaveLength(3);
    });

    test('who pings is left alone; who has fallen silent is killed, before the death or after', async () => {
      await becomes('silent', 'Result', 'watchdog');
      expect(await shows('silent-later', 'MainPID')).toBe(before.pids.get('silent-later'));
      goOn('silent-later');
      await becomes('silent-later', 'Result', 'watchdog');
      expect(await shows('pinging', 'MainPID')).toBe(before.pids.get('pinging'));
      expect(await shows('pinging', 'ActiveState')).toBe('active');
    });

    test('what services said while nobody listened counts', async () => {
      await becomes('word', 'ActiveState', 'active');
      expect(await shows('word', 'StatusText')).toBe('said to nobody');
      expect(done('word').at(-1)).toMatch(/^word child \d+$/);
      expect(await shows('word', 'MainPID')).toBe(done('word').at(-1)?.split(' ')[2]);
    });

    test('commands go on behind the one that ran, each of them run once, and their clients are answered', async () => {
      goOn(...listed);
      for (const name of listed) {
        const { status, stderr } = await clients[name];
        expect([name, status, stderr.replace('Core is being restarted; trying again …\n', '')]).toEqual([name, 0, '']);
        const [list, count] = LISTS[name];
        await have(name, 'main');
        const own = done(name).filter((line) => line !== `${name} main`);
        expect(own).toEqual(inOrder(name, list, count));
        expect([name, done(name).filter((line) => line === `${name} main`).length]).toEqual([name, 1]);
      }
      for (const name of [...starting, 'behind', 'reloading']) expect(await shows(name, 'ActiveState')).toBe('active');
      for (const name of ['stopping', 'stopped']) expect(await shows(name, 'ActiveState')).toBe('inactive');
    });

    test('what was signalled has got its signal once, and what was killed is started again once', async () => {
      expect(done('signalled')).toEqual(['signalled main', 'signalled USR1']);
      expect(await shows('signalled', 'MainPID')).toBe(before.pids.get('signalled'));
      await becomes('killed', 'NRestarts', '1');
      await becomes('killed', 'ActiveState', 'active');
      expect(done('killed')).toEqual(['killed main', 'killed main']);
    });

    test('a plan is applied by its id, one is confirmed, and the other undone', async () => {
      ok('apply', before.plan);
      expect(await shows('planned', 'ActiveState')).toBe('active');
      expect(ok('confirm', '--list')).toContain('confirmed.service');
      const [id = ''] = /^[0-9a-f]+(?= {2}start confirmed)/m.exec(ok('confirm', '--list')) ?? [];
      ok('confirm', id);
      expect(await shows('confirmed', 'ActiveState')).toBe('active');
      await becomes('undone', 'ActiveState', 'inactive');
      expect(ok('confirm', '--list')).toContain('Nothing waits');
    });

    test('listeners are the same ones, and who came while core was away is served', async () => {
      expect(before.sockets.trim().split('\n')).toHaveLength(3);
      expect(sockets()).toBe(before.sockets);
      for (const name of ['stream', 'packet', 'pipe']) await becomes(name, 'ActiveState', 'active');
    });

    test('stored descriptors are given back', async () => {
      expect(await shows('keeping', 'NFileDescriptorStore')).toBe('1');
      expect(await shows('keeping', 'MainPID')).toBe(before.pids.get('keeping'));
      ok('kill', '--signal=KILL', 'keeping.service');
      await eventually(
        'it starts with what it had',
        () =>
          existsSync(`${system.run}/trace`) &&
          readFileSync(`${system.run}/trace`, 'utf8').includes('keeping start with 1 kept'),
      );
    });

    test('what has failed is explained as before', () => {
      expect(before.why).toMatch(/7/);
      expect(ok('why', 'broken').replace(/\d+(min|ms|s|h)\b/g, '')).toBe(before.why.replace(/\d+(min|ms|s|h)\b/g, ''));
      const history = ok('history', '--no-pager', '--all');
      expect(history).toMatch(/broken\.service/);
      expect(history).toMatch(/core came back with its state/);
    });
  },
);
