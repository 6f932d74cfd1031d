/**
 * A mixed life for a core that is made to die in it: what runs, what is done to it, and what is to be the same with and without
 * the death. One system serves many lives: each begins and ends with everything stopped.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from '../../../src/cli/client.ts';
import { keptContext } from '../../unit/support/context.ts';
import { bootSmall, coreLog } from '../faults/small.ts';
import { lib, type System } from '../support/system.ts';
import { crashingCore } from './build.ts';
import type { Orders } from './points.ts';

/** A bound for everything that is waited for, in ms. */
const PATIENCE_MS = 60_000;

const note = (name: string, what: string) => `/bin/sh /run/programs/note ${name} ${what}`;
const life = (name: string, mode: string) => `/run/programs/life.pl ${name} ${mode}`;
/**
 * A core that comes back takes a second and more on a machine that is busy, as it is in a sweep: what has been given less is over
 * by then, and goes on as one that has run out.
 */
const STOP = process.env['SYSMASTER_ABORT'] === undefined ? '600ms' : '3s';
/** How core has seen the end of a service. */
const ended = (name: string) =>
  `ExecStopPost=/bin/sh -c 'exec /bin/sh /run/programs/note ${name} ended $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'`;
/** Which path has started it. */
const triggered = (name: string) =>
  `/bin/sh -c 'exec /bin/sh /run/programs/note ${name} start $TRIGGER_UNIT $TRIGGER_PATH'`;
const unit = (...lines: string[]) => `[Unit]\nStartLimitIntervalSec=0\n${lines.join('\n')}\n`;

const units: Readonly<Record<string, string>> = {
  'life.target': `[Unit]\nWants=talk.service steps.service again.service fork.service stubborn.service victim.service answer.socket wished.path conf.path\n`,
  'talk.service': unit(
    '[Service]\nType=notify\nWatchdogSec=20\nFileDescriptorStoreMax=2',
    `ExecStart=${life('talk', 'notify')}`,
    `ExecReload=${note('talk', 'reload')}`,
    ended('talk'),
  ),
  'steps.service': unit(
    'Wants=first.service\nAfter=first.service\n[Service]\nType=oneshot\nRemainAfterExit=yes',
    ...['pre-1', 'pre-2', 'pre-3'].map((step) => `ExecStartPre=${note('steps', step)}`),
    ...['a', 'b'].map((step) => `ExecStart=${note('steps', step)}`),
    `ExecStartPost=${note('steps', 'post')}`,
    `ExecStop=${note('steps', 'stop')}`,
    ended('steps'),
  ),
  'first.service': unit(`[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=${note('first', 'start')}`),
  'again.service': unit(
    '[Service]\nRestart=on-failure\nRestartSec=30ms\nExecStart=/bin/sh /run/programs/again',
    ended('again'),
  ),
  'fork.service': unit(
    `[Service]\nType=forking\nPIDFile=/run/fork.pid\nExecStart=${life('fork', 'fork')}`,
    ended('fork'),
  ),
  'stubborn.service': unit(
    `[Service]\nTimeoutStopSec=${STOP}\nExecStart=/bin/sh -c 'trap "" TERM; /bin/sh /run/programs/note stubborn start; while :; do /bin/sleep 1000; done'`,
    ended('stubborn'),
  ),
  'victim.service': unit(
    '[Service]\nType=notify\nRestart=on-failure\nRestartSec=20ms\nFileDescriptorStoreMax=2',
    `ExecStart=${life('victim', 'notify')}`,
    ended('victim'),
  ),
  'answer.socket': unit('[Socket]\nListenStream=/run/answer.sock'),
  'answer.service': unit(`[Service]\nExecStart=${life('answer', 'answer')}`, ended('answer')),
  // What is wished for is taken away by whom it is wished from.
  'wished.path': unit('[Path]\nTriggerLimitIntervalSec=0\nPathExists=/run/watched/wish'),
  'wished.service': unit(
    `[Service]\nType=oneshot\nExecStart=/bin/rm /run/watched/wish\nExecStart=${triggered('wished')}`,
    ended('wished'),
  ),
  'conf.path': unit('[Path]\nTriggerLimitIntervalSec=0\nPathChanged=/run/watched/conf\nUnit=reread.service'),
  'reread.service': unit(`[Service]\nType=oneshot\nExecStart=${triggered('reread')}`, ended('reread')),
  'bad.service': unit('[Service]\nExecStart=/nonexistent/program', ended('bad')),
};
const NAMES = Object.keys(units);

const programs = {
  '/run/programs/note': 'name=$1; shift; echo "$name $*" >>/run/trace\n',
  // Two failures, and then it stays.
  '/run/programs/again': `echo again start >>/run/trace
[ "$(grep -c '^again start' /run/trace)" -ge 3 ] || exit 7
exec /bin/sleep 1000
`,
};

/**
 * What happens to paths that are watched: each comes about by one rename, once, at its place in the life or as the last thing that a core
 * does which dies before that, and so with nobody there to see it.
 */
const CHANGES = [
  ['/run/changes/wish', '/run/watched/wish'],
  ['/run/changes/conf', '/run/watched/conf'],
] as const;

/** What a person can see of a unit; equal with and without a death. */
const SEEN = ['ActiveState', 'SubState', 'Result', 'NRestarts', 'StatusText', 'NFileDescriptorStore', 'ExecMainStatus'];

/** All that must not depend on whether core died. */
export interface Told {
  /** Lines of the trace, sorted: what was run, and how often. */
  readonly trace: readonly string[];
  readonly up: Readonly<Record<string, string>>;
  readonly down: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<string, unknown>>;
  /** Processes that are left, besides init, core and the log keeper. */
  readonly left: number;
  /** What core had to say in earnest. */
  readonly errors: readonly string[];
}

/** When orders are given: at once, or as what is watched is about to change. */
export type Since = 'its start' | 'the changes';

export interface LivingSystem {
  readonly system: System;
  /** One life under these orders. `deaths`: at which points core died. */
  live(orders: Orders | undefined, since?: Since): Promise<{ readonly told: Told; readonly deaths: readonly string[] }>;
}

/** Core has died twice with the same thing in hand, and does not try it a third time: a life that goes otherwise by law. */
export class SetAside extends Error {
  readonly deaths: readonly string[];

  constructor(deaths: readonly string[], cause: unknown) {
    super(`something was set aside: ${deaths.join('; ')}`, { cause });
    this.deaths = deaths;
  }
}

/** How often it is looked whether something is so, before it is looked whether it never will be. */
const LOOKS = 100;

/** @param never whether it cannot come to be so any more */
async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  never: () => boolean = () => false,
): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (let looks = 1; !(await holds()); looks += 1) {
    if (performance.now() > end || (looks % LOOKS === 0 && never())) throw new Error(`${what}: not so in time`);
    await delay(5);
  }
}

export async function bootLiving(): Promise<LivingSystem> {
  const bundle = await crashingCore();
  const system = await bootSmall({
    units,
    files: {
      '/run/programs/life.pl': readFileSync(join(import.meta.dirname, 'life.pl'), 'utf8'),
      '/run/locks/.keep': '',
      ...programs,
    },
    coreEnvironment: {
      SYSMASTER_CRASH_AT: '/run/crash-at',
      NODE_COMPILE_CACHE: '/run/compiled',
      SYSMASTER_ADDON: join(lib, 'addon.node'),
      SYSMASTER_LIB: lib,
    },
    initConf: [
      `Core=${lib}/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc ${bundle}`,
      'CoreRestartIntensity=1000000',
    ],
  });
  return { system, live: (orders, since = 'its start') => live(system, orders, since) };
}

async function live(system: System, orders: Orders | undefined, since: Since): ReturnType<LivingSystem['live']> {
  const file = (name: string) => `${system.run}/${name}`;
  const outside = (path: string) => file(path.slice('/run/'.length));
  const read = (name: string) =>
    existsSync(file(name)) ? readFileSync(file(name), 'utf8').split('\n').filter(Boolean) : [];
  const trace = () => read('trace');
  const count = (line: string) => trace().filter((one) => one === line).length;
  writeFileSync(file('trace'), '');
  rmSync(file('crash-at.deaths'), { force: true });
  for (const name of ['changes', 'watched']) mkdirSync(file(name), { recursive: true });
  rmSync(file('watched/wish'), { force: true });
  writeFileSync(file('watched/conf'), 'as it was');
  // Core only ever appends; a log that is full would be another one half way.
  truncateSync(file('sysmaster/core.log'));

  const setAside = () => read('crash-at.deaths').length > 1 && coreLog(system).includes('has taken core down twice');
  const open: Client[] = [];
  /** A client of its own for each, since each waits. */
  const client = () => {
    const one = createClient(context, `${system.run}/sysmaster/api.sock`, true);
    open.push(one);
    return one;
  };
  const change = <T>(method: string, parameters: object) => client().change<T>(method, parameters);
  const request = async (verb: string, ...names: string[]) => {
    const { outcomes } = await change<{ outcomes: { unit: string; result: string }[] }>('io.sysmaster.Jobs.Request', {
      verb,
      units: names,
    });
    return outcomes.map(({ unit: name, result }) => `${name} ${result}`);
  };
  const looking = client();
  const look = async (what = SEEN) => {
    const answers = await looking.calls<{ properties: Record<string, string> }>(
      'io.sysmaster.Units.Properties',
      NAMES.map((name) => ({ name })),
    );
    return Object.fromEntries(
      answers.map((answer, at) => {
        const properties = 'properties' in answer ? answer.properties : {};
        const seen = what.flatMap((name) => (properties[name] === undefined ? [] : [`${name}=${properties[name]}`]));
        return [NAMES[at] as string, seen.join(' ')];
      }),
    );
  };
  const order = () => {
    if (orders === undefined) return;
    writeFileSync(file('crash-at.new'), JSON.stringify({ ...orders, moves: CHANGES }));
    renameSync(file('crash-at.new'), file('crash-at'));
  };
  const isSo = async (name: string, what: string) => (await look())[name]?.includes(what) === true;

  try {
    if (since === 'its start') order();
    const [started, bad] = await Promise.all([request('start', 'life.target'), request('start', 'bad.service')]);
    for (const [from] of CHANGES) {
      writeFileSync(outside(`${from}.new`), 'as it is');
      renameSync(outside(`${from}.new`), outside(from));
    }
    if (since === 'the changes') order();
    const [answer, reloaded, talked, signalled] = await Promise.all([
      ask(`${system.run}/answer.sock`),
      change<{ findings: number }>('io.sysmaster.Manager.Reload', {}),
      request('reload', 'talk.service'),
      change('io.sysmaster.Units.Kill', { name: 'victim.service', whom: 'main', signal: 10 }),
    ]);
    await until('the victim has noted the signal', () => count('victim signalled') > 0, setAside);
    for (const [from, to] of CHANGES) moveUnlessMoved(outside(from), outside(to));
    const killed = await change('io.sysmaster.Units.Kill', { name: 'victim.service', whom: 'main', signal: 9 });
    await until('again.service has been started for the third time', () => count('again start') >= 3, setAside);
    await until('the victim is started anew', () => count('victim start with 1 kept') > 0, setAside);
    await until('again.service runs', () => isSo('again.service', 'SubState=running'), setAside);
    await until('the victim runs', () => isSo('victim.service', 'SubState=running'), setAside);
    for (const of of ['wished', 'reread'])
      await until(`${of}.service has run`, () => trace().some((one) => one.startsWith(`${of} ended`)), setAside);
    for (const path of ['wished.path', 'conf.path'])
      await until(`${path} watches again`, () => isSo(path, 'SubState=waiting'), setAside);
    const up = await look();
    const stopped = await Promise.all(
      NAMES.filter((name) => name !== 'bad.service').map((name) => request('stop', name)),
    );
    await change('io.sysmaster.Units.ResetFailed', {});
    // Of one that is not in memory any more there is no more to see.
    const down = await look(['ActiveState', 'SubState', 'Result']);
    rmSync(file('crash-at'), { force: true });
    await until('only core and the log keeper are left', () => processes(system.pid) <= 2);
    const lines = coreLog(system)
      .split('\n')
      .filter((line) => line.includes('"level":"error"'))
      .map((line) => {
        const { unit: of = '', actor = of, msg, why = '' } = JSON.parse(line) as Record<string, string>;
        return `${actor}: ${msg} ${why}`.trim();
      });
    // The one before may have said it as well, and died before its record of that was written.
    const errors = [...new Set(lines)];
    const answers = { started, bad, answer, findings: reloaded.findings, talked, signalled, killed, stopped };
    const told = { trace: trace().sort(), up, down, answers, left: processes(system.pid) - 2, errors };
    const deaths = read('crash-at.deaths');
    if (setAside()) throw new SetAside(deaths, undefined);
    return { told, deaths };
  } catch (error) {
    const died = read('crash-at.deaths');
    if (setAside()) throw new SetAside(died, error);
    const deaths = died.join('; ');
    throw new Error(`core died ${deaths || 'nowhere'}: ${String(error)}\n${trace().join('\n')}\n${coreLog(system)}`, {
      cause: error,
    });
  } finally {
    for (const one of open) one.close();
  }
}

function moveUnlessMoved(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Children of PID 1. */
const processes = (pid: number): number =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).length;

/** What the service behind a socket answers. */
const ask = (path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path);
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.on('error', reject).on('end', () => resolve(text.trim()));
  });

const { context } = keptContext({ pause: (ms) => delay(Math.min(ms, 20)) });
