/**
 * A checkpoint that cannot be used, on a system with services of all types: the next core takes over what runs by what is left of it
 * (init's children, control groups, PID files, init's store), says what was lost, and looks after all of it from then on.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, coreLog, property } from './small.ts';

const missing = systemsMissing();
const worker = (name: string, mode: string) => `/run/programs/worker.pl ${name} ${mode}`;
const keeper = (name: string) => `/run/programs/life.pl ${name} notify`;
const numbered = (kind: string, count: number) => Array.from({ length: count }, (_, at) => `${kind}-${at}`);
const simple = numbered('simple', 6);
const notify = numbered('notify', 4);
const forking = numbered('forking', 4);
const guessed = numbered('guessed', 2);
const keeping = numbered('keeping', 2);
const daemons = [...simple, ...notify, ...forking, ...guessed, ...keeping];

/** Three commands, of which the second waits. */
const lists = (name: string, list: string) =>
  ['', `; until [ -e /run/go-${name} ]; do sleep 0.02; done`, '']
    .map((wait, at) => `${list}=/bin/sh -c "echo ${name} ${at + 1} >>/run/done${wait}"\n`)
    .join('');
/** They are in the midst of starting or stopping. */
const underWay = ['pre', 'ending', 'early'];

const units: Record<string, string> = {
  'answer.socket': '[Socket]\nListenStream=/run/answer.sock\n',
  'answer.service': `[Service]\nExecStart=${worker('answer', 'answer')}\n`,
  'idle.socket': '[Socket]\nListenStream=/run/idle.sock\nService=idle.service\n',
  'idle.service': `[Service]\nExecStart=${worker('idle', 'answer')}\n`,
  'down.service': `[Service]\nExecStart=${worker('down', 'sleep')}\n`,
  'kept.service': `[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=${worker('kept', 'once')}\n`,
  'short.service': `[Service]\nType=oneshot\nExecStart=${worker('short', 'once')}\n`,
  'halted.service': `[Service]\nExecStart=${worker('halted', 'sleep')}\n`,
  'broken.service': `[Unit]\nOnFailure=mourner.service\n[Service]\nType=oneshot\nExecStart=${worker('broken', 'once')}\nExecStart=/bin/sh -c "exit 7"\n`,
  'mourner.service': `[Service]\nType=oneshot\nExecStart=${worker('mourner', 'once')}\n`,
  'pre.service': `[Service]\n${lists('pre', 'ExecStartPre')}ExecStart=${worker('pre', 'sleep')}\n`,
  'ending.service': `[Service]\nRestart=always\nExecStart=${worker('ending', 'sleep')}\n${lists('ending', 'ExecStop')}`,
  'early.service': `[Service]\nType=notify\nNotifyAccess=main\nExecStart=/run/programs/clause.pl early word\n`,
  'stubborn.service': `[Service]\nSendSIGKILL=no\nTimeoutStopSec=50ms\nExecStart=/usr/bin/perl -e "$$SIG{TERM} = 'IGNORE'; open(my $$out, '>>', '/run/done'); syswrite($$out, 'stubborn' . chr(10)); sleep 1000 while 1"\n`,
  'orphaned.service': `[Service]\nType=forking\nKillMode=process\nPIDFile=/run/orphaned.pid\nExecStart=/bin/sh -c "sleep 1000 & echo $$! >/run/orphaned.pid; sleep 1001 &"\n`,
  'grouped.target': '[Unit]\nDescription=Brought up by hand\n',
};
for (const name of simple) units[`${name}.service`] = `[Service]\nExecStart=${worker(name, 'sleep')}\n`;
for (const name of notify)
  units[`${name}.service`] = `[Service]\nType=notify\nWatchdogSec=4\nExecStart=${worker(name, 'notify')}\n`;
for (const name of forking)
  units[`${name}.service`] =
    `[Service]\nType=forking\nPIDFile=/run/${name}.pid\nRestart=on-failure\nExecStart=${worker(name, 'fork')}\n`;
for (const name of guessed) units[`${name}.service`] = `[Service]\nType=forking\nExecStart=${worker(name, 'fork')}\n`;
for (const name of keeping)
  units[`${name}.service`] =
    `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nRestart=on-failure\nRestartSec=10ms\nFileDescriptorStoreMax=3\nExecStart=${keeper(name)}\n`;

describe.skipIf(missing !== undefined)(
  `a checkpoint that is lost${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;
    let before: Map<string, number>;
    let said: string;
    const mainPid = (name: string) => Number(property(system, `${name}.service`, 'MainPID'));
    /** State and main process of each, in one question. */
    const seen = (names: readonly string[]) => {
      const asked = names.map((name) => `${name}.service`);
      const blocks = system
        .sctl('show', '-p', 'ActiveState', '-p', 'MainPID', ...asked)
        .stdout.trim()
        .split('\n\n');
      return blocks.map((block, at) => {
        const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(block)?.[1];
        return [names[at] as string, value('ActiveState'), Number(value('MainPID'))] as const;
      });
    };
    const lines = (file: string) =>
      existsSync(`${system.run}/${file}`)
        ? readFileSync(`${system.run}/${file}`, 'utf8').split('\n').filter(Boolean)
        : [];
    const starts = (name: string) => lines('started').filter((line) => line.startsWith(`${name} `)).length;
    const ask = (path: string) =>
      new Promise<string>((resolve, reject) => {
        let text = '';
        const socket = connect(`${system.run}/${path}`);
        socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        socket.on('error', reject).on('end', () => resolve(text.trim()));
      });

    beforeAll(async () => {
      const text = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8');
      system = await bootSmall({
        units,
        // None of them but a few: what nobody wants at boot must not be lost either.
        wants: ['simple-0', 'notify-0', 'kept', 'short', 'halted', 'broken', 'ending'].map((name) => `${name}.service`),
        files: {
          '/run/programs/worker.pl': text('worker.pl'),
          '/run/programs/clause.pl': text('clause.pl'),
          '/run/programs/life.pl': text('../abort/life.pl'),
          '/run/locks/.keep': '',
        },
      });
      const all = [...daemons.map((name) => `${name}.service`), 'answer.socket', 'idle.socket'];
      expect(system.sctl('start', ...all)).toMatchObject({ status: 0 });
      expect(system.sctl('start', 'grouped.target').status).toBe(0);
      expect(system.sctl('start', 'stubborn.service', 'orphaned.service').status).toBe(0);
      await eventually('it ignores what it is asked for', () => lines('done').includes('stubborn'));
      expect(system.sctl('stop', 'halted.service', 'stubborn.service').status).toBe(0);
      system.inside('kill', '-KILL', property(system, 'orphaned.service', 'MainPID'));
      await eventually('its main process is gone', () => system.sctl('is-failed', 'orphaned.service').status === 0);
      await ask('answer.sock');
      expect(system.sctl('kill', '--signal=KILL', `${forking[1]}.service`).status).toBe(0);
      await eventually(
        'a daemon was restarted once',
        () => property(system, `${forking[1]}.service`, 'NRestarts') === '1',
      );
      await eventually('it is up', () => system.sctl('is-active', `${forking[1]}.service`).status === 0);
      before = new Map(seen([...daemons, 'answer']).map(([name, , pid]) => [name, pid]));
      for (const [name, pid] of before) expect([name, pid > 1]).toEqual([name, true]);
      await eventually('descriptors are stored', () =>
        keeping.every((name) => property(system, `${name}.service`, 'NFileDescriptorStore') === '1'),
      );
      expect(system.sctl('start', '--no-block', 'pre.service', 'early.service').status).toBe(0);
      expect(system.sctl('stop', '--no-block', 'ending.service').status).toBe(0);
      for (const line of ['pre 2', 'ending 2', 'early main'])
        await eventually(line, () => lines('done').includes(line));
      const old = await eventually('core', () => system.core());
      const from = coreLog(system).length;
      for (const name of ['a', 'b']) writeFileSync(join(system.run, 'sysmaster/state', name), 'x'.repeat(10_000));
      writeFileSync(join(system.run, 'sysmaster/promises.json'), 'null', { mode: 0o600 });
      process.kill(old, 'SIGKILL');
      await eventually('the next core answers', () => {
        const now = system.core();
        return now !== undefined && now !== old && system.sctl('is-active', 'answer.service').status === 0;
      });
      said = coreLog(system).slice(from);
    });
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    test('goes on with what was starting or stopping behind the command that runs', async () => {
      const asked = underWay.map((name) => `${name}.service`);
      expect(system.sctl('is-active', ...asked).stdout).toBe('activating\ndeactivating\nactivating\n');
      for (const name of underWay) writeFileSync(`${system.run}/go-${name}`, '');
      await eventually(
        'all have come to where they were going',
        () => system.sctl('is-active', ...asked).stdout === 'active\ninactive\nactive\n',
      );
      for (const name of ['pre', 'ending'])
        expect(lines('done').filter((line) => line.startsWith(`${name} `))).toEqual(
          [1, 2, 3].map((n) => `${name} ${n}`),
        );
      expect(property(system, 'early.service', 'StatusText')).toBe('said to nobody');
      for (const name of ['pre', 'ending']) expect([name, starts(name)]).toEqual([name, 1]);
    });

    test('costs no service its process, its state or its main process, and starts none a second time', async () => {
      expect(seen([...before.keys()])).toEqual([...before].map(([name, pid]) => [name, 'active', pid]));
      for (const name of before.keys())
        if (!keeping.includes(name)) expect([name, starts(name)]).toEqual([name, name === forking[1] ? 2 : 1]);
      expect(lines('twice')).toEqual([]);
      expect(lines('trace').sort()).toEqual(keeping.map((name) => `${name} start`));
      expect(starts('down')).toBe(0);
    });

    test('leaves what has no process as it was: what stays without one, what was stopped, what has failed', async () => {
      const names = ['kept.service', 'short.service', 'halted.service', 'broken.service', 'mourner.service'];
      expect(
        system
          .sctl('is-active', ...names, 'grouped.target', 'default.target')
          .stdout.trim()
          .split('\n'),
      ).toEqual(['active', 'inactive', 'inactive', 'failed', 'inactive', 'active', 'active']);
      expect(property(system, 'broken.service', 'Result')).toBe('exit-code');
      expect(property(system, `${forking[1]}.service`, 'NRestarts')).toBe('1');
      await eventually('the jobs are over', () => system.sctl('is-system-running').stdout === 'degraded\n');
      for (const name of ['kept', 'short', 'halted', 'broken', 'mourner'])
        expect([name, starts(name)]).toEqual([name, 1]);
    });

    test('knows what was down and has left processes behind from what runs', async () => {
      for (const [name, result] of [
        ['stubborn', 'timeout'],
        ['orphaned', 'signal'],
      ]) {
        const shown = system.sctl(
          'show',
          '-p',
          'ActiveState',
          '-p',
          'Result',
          '-p',
          'MainPID',
          `${name}.service`,
        ).stdout;
        expect(shown.trim().split('\n').sort()).toEqual(['ActiveState=failed', 'MainPID=0', `Result=${result}`]);
      }
      // Not beside what is left of it, but then.
      expect(system.sctl('start', 'stubborn.service').status).toBe(1);
      expect(lines('done').filter((line) => line === 'stubborn')).toHaveLength(1);
      expect(system.sctl('kill', '--signal=KILL', 'stubborn.service').status).toBe(0);
      await eventually('it can be started again', () => system.sctl('start', 'stubborn.service').status === 0);
    });

    test('is told with its reason, with what was taken over, and with what is lost', () => {
      expect(said).toMatch(/"checkpoint-refused"/);
      expect(said).toMatch(/not a checkpoint/);
      expect(said).toMatch(/what waits to be confirmed cannot be read: it is none of ours/);
      const taken = said.split('\n').find((line) => line.includes('taken over by what is left of them')) ?? '{}';
      const { units: names, lost } = JSON.parse(taken) as { units: string[]; lost: string };
      expect(names).toEqual(expect.arrayContaining([...before.keys()].map((name) => `${name}.service`)));
      expect(lost).toMatch(/jobs in flight/);
      const status = system.sctl('status').stdout;
      expect(status).toMatch(/Trouble: .*core came back without its state: .*not a checkpoint.*; lost: jobs in flight/);
      expect(system.sctl('history', '--no-pager', '--all').stdout).toMatch(
        /core came back without state: .*not a checkpoint/,
      );
    });

    test('leaves sockets listening, for the service that runs and for the one that does not', async () => {
      expect(await ask('answer.sock')).not.toBe('');
      expect(starts('answer')).toBe(1);
      expect(system.sctl('is-active', 'idle.socket', 'idle.service').stdout).toBe('active\ninactive\n');
      expect(await ask('idle.sock')).not.toBe('');
      expect(system.sctl('is-active', 'idle.socket', 'idle.service').stdout).toBe('active\nactive\n');
    });

    test('keeps nobody from being heard: what notify sockets say counts, and stored descriptors are handed on', async () => {
      const name = keeping[0] as string;
      expect(system.sctl('kill', '--signal=KILL', `${name}.service`).status).toBe(0);
      await eventually('it is started again with what it had stored', () =>
        lines('trace').includes(`${name} start with 1 stored`),
      );
      await eventually('and its word is heard', () => property(system, `${name}.service`, 'StatusText') === 'it runs');
    });

    test('lets no exit be missed, of daemons that init has not made either', async () => {
      const name = forking[0] as string;
      system.inside('kill', '-KILL', String(before.get(name)));
      await eventually('it is started again', () => starts(name) === 2);
      await eventually('and has its main process', () => mainPid(name) > 1 && mainPid(name) !== before.get(name));
      const other = guessed[0] as string;
      system.inside('kill', '-TERM', String(before.get(other)));
      await eventually('its end is seen', () => system.sctl('is-active', `${other}.service`).status === 3);
      // And the watchdogs of those that speak have been served all the while.
      expect(seen(notify)).toEqual(notify.map((one) => [one, 'active', before.get(one)]));
    });
  },
);
