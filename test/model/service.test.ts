/**
 * The service machine in every reachable state, for settings that between them use every Type=, KillMode=, failure mode and policy.
 */
import { describe, expect, test } from 'vitest';
import type { AnyMachineSnapshot } from 'xstate';
import { serviceMachine } from '../../src/machines/service.ts';
import type { ServiceContext } from '../../src/machines/service-context.ts';
import { shallRestart, tellsReadiness } from '../../src/machines/service-rules.ts';
import {
  declaredStates,
  type Event,
  type Explored,
  explore,
  type Model,
  type Node,
  pidOf,
  serialOf,
  describe as show,
  stepper,
} from './explorer.ts';
import { type SettingsChange, serviceWith } from './service-settings.ts';

const NOW = 1_000;
const DAEMON = 7_000; // a pid that only PIDFile=, MAINPID= or a guess tells
const OTHER = 7_001;
const startTime = 5;
const both = [true, false];

const adoptable = (run: number) => ({ run, serial: serialOf(run), pid: pidOf(run), startTime });
const contextOf = (node: Node) => node.snapshot.context as ServiceContext;
const restrict = { type: 'none', atMs: NOW };

/** All there is to say to a service, in this node: every type of event, with every payload that could make a difference. */
function events(node: Node, change: SettingsChange): Event[] {
  const context = contextOf(node);
  const list: Record<string, unknown>[] = [
    { type: 'start' },
    { type: 'start', atMs: 1_000_000 },
    { type: 'stop' },
    { type: 'stop', restarting: true },
    { type: 'reload' },
    { type: 'reset-failed' },
    { type: 'settings', settings: serviceWith(change) },
    { type: 'populated' },
    { type: 'empty' },
    { type: 'oom' },
    { type: 'idle-go' },
    { type: 'bus-name-acquired' },
    { type: 'job-refused', why: 'shutting down' },
    { type: 'pid-file', pid: DAEMON, startTime },
    { type: 'adopt', populated: true },
    { type: 'adopt', populated: true, left: { runs: context.runs + 1 } },
    { type: 'adopt', populated: true, left: { runs: context.runs + 1 }, failed: 'timeout' },
    { type: 'adopt', populated: true, main: adoptable(context.runs + 1) },
    { type: 'adopt', populated: true, main: adoptable(context.runs + 1), was: 'starting' },
    { type: 'adopt', populated: true, main: { ...adoptable(context.runs + 1), index: 0 }, was: 'stopping' },
    ...(
      ['ExecCondition', 'ExecStartPre', 'ExecStart', 'ExecStartPost', 'ExecReload', 'ExecStop', 'ExecStopPost'] as const
    )
      .filter((name) => context.settings[name].length > 0)
      .map((name) => ({
        type: 'adopt',
        populated: true,
        control: { ...adoptable(context.runs + 2), list: name, index: 0 },
        ...(name === 'ExecCondition' || name === 'ExecStartPre' ? {} : { main: adoptable(context.runs + 1) }),
      })),
  ];
  for (const name of [
    'TimeoutStartSec',
    'TimeoutStopSec',
    'TimeoutAbortSec',
    'RuntimeMaxSec',
    'WatchdogSec',
    'RestartSec',
    'idle',
    'restart-job',
  ]) {
    if (node.world.armed[name] !== 'infinity') list.push({ type: 'deadline', name });
  }
  list.push(...ofProcesses(node, context), ...notifications(context));
  return list.map((event) => ({ ...restrict, ...event }) as Event);
}

/** What init can report of the processes that were asked for; and of one that never was. */
function ofProcesses(node: Node, context: ServiceContext): Record<string, unknown>[] {
  const list: Record<string, unknown>[] = [];
  const stranger = { role: 'main' as const, run: 999_999, stage: 'forked' as const };
  for (const { role, run, stage } of [...node.world.spawned, stranger]) {
    const of = { role, run, serial: serialOf(run) };
    const failed = { step: 3, errno: 2, detail: '/bin/x', exitCode: 203, stepName: 'EXEC', why: 'cannot: ENOENT' };
    if (stage === 'asked' || run === stranger.run) {
      list.push({ type: 'forked', ...of, pid: pidOf(run), startTime });
      list.push({ type: 'spawn-failed', ...of, ...failed, serial: null });
    }
    if (stage !== 'asked') {
      if (stage === 'forked') list.push({ type: 'execed', ...of }, { type: 'spawn-failed', ...of, ...failed });
      const candidates = needsCandidate(context) ? [undefined, { pid: DAEMON, startTime }] : [undefined];
      const ends = role === 'control' && context.control?.list === 'ExecCondition' ? [0, 1, 255] : [0, 1];
      for (const populated of both) {
        for (const candidate of candidates) {
          for (const status of ends) list.push(exited(of, { exited: status }, populated, candidate));
          if (role === 'main') list.push(exited(of, { killed: 9 }, populated, candidate));
        }
      }
      if (role === 'main') list.push(exited(of, { dumped: 6 }, false), exited(of, { killed: 15 }, false));
    }
  }
  for (const pid of [...node.world.watched, 6_666]) {
    for (const populated of both) {
      for (const ended of [{ exited: 0 }, { exited: 1 }, null])
        list.push({ type: 'main-gone', pid, startTime, ended, populated });
      if (needsCandidate(context)) {
        list.push({
          type: 'main-gone',
          pid,
          startTime,
          ended: { exited: 0 },
          populated,
          candidate: { pid: OTHER, startTime },
        });
      }
    }
  }
  return list;
}

const needsCandidate = ({ settings }: ServiceContext) => settings.PIDFile !== '' || settings.Type === 'forking';

function exited(of: object & { run: number }, ended: object, populated: boolean, candidate?: object) {
  return { type: 'exited', ...of, pid: pidOf(of.run), ended, populated, ...(candidate ? { candidate } : {}) };
}

function notifications(context: ServiceContext): Record<string, unknown>[] {
  if (context.settings.NotifyAccess === 'none')
    return [{ type: 'notify', pid: 1, uid: 0, member: true, state: 'ready' }];
  const from = { type: 'notify', pid: context.main?.pid ?? 5, uid: 0, member: true };
  return [
    { ...from, state: 'ready' },
    { ...from, state: 'reloading', monotonicUsec: 2_000_000 },
    { ...from, state: 'ready', reloading: true, monotonicUsec: 2_000_000 },
    { ...from, state: 'stopping' },
    { ...from, watchdog: 'ping' },
    { ...from, watchdog: 'trigger' },
    { ...from, watchdogUsec: 5_000_000 },
    { ...from, extendTimeoutUsec: 900_000_000 },
    { ...from, mainPid: { pid: DAEMON, startTime, member: true } },
    ...(context.settings.FileDescriptorStoreMax > 0
      ? [
          { ...from, fds: 2, fdname: 'a' },
          { ...from, fdstoreremove: true, fdname: 'a' },
        ]
      : []),
    { ...from, pid: 6, uid: 100, member: false, state: 'ready' },
  ];
}

/** What the future depends on, without what only counts up or is for people to look at. */
function key(snapshot: AnyMachineSnapshot): unknown {
  const context = snapshot.context as ServiceContext;
  const process = (one: ServiceContext['main']) =>
    one === null
      ? null
      : [one.list, one.index, one.pid !== null, one.serial !== null, one.execed, one.last, one.pid === DAEMON];
  // A new life forgets what was said in the one before.
  const live = context.active === 'activating' || context.active === 'active' || context.active === 'reloading';
  return [
    process(context.main),
    context.mainKnown,
    process(context.control),
    context.populated,
    context.result === 'success',
    shallRestart(context.settings, context).restart,
    context.stopAsked,
    context.restarting && context.settings.RestartKillSignal !== undefined,
    (context.startLimit?.starts ?? 0) >= context.settings.StartLimitBurst,
    live && (tellsReadiness(context.settings) || context.notifyState !== 'ready') ? context.notifyState : 'unknown',
    live && context.watchdogTriggered,
    context.deadline?.name ?? null,
    context.watchdogDueMs !== null,
    context.killing,
    context.idling,
    live && context.settings.Type === 'dbus' && context.busName,
    context.awaitsPidFile,
    snapshot.matches('reload-signal') && context.reloadConfirmed,
    context.storedFds.length > 0,
  ];
}

/** What a service promises beyond what every machine does. */
function check({ snapshot, world }: Node): string[] {
  const context = snapshot.context as ServiceContext;
  const wrong: string[] = [];
  const tag = [...snapshot.tags][0];
  const idle = context.settings.Type === 'idle' && tag === 'activating' && context.active === 'active';
  if (context.active !== tag && !idle) wrong.push(`context says ${context.active}, the tag ${tag}`);
  if (tag === 'failed' && context.result === 'success') wrong.push('failed for no reason');
  if (tag === 'active' && context.control !== null) wrong.push('active with a control process');
  if (snapshot.matches('running') && context.result !== 'success' && context.settings.ExitType === 'main')
    wrong.push('running with a failure');
  const mayWaitForEver = [
    context.settings.TimeoutStartSec,
    context.settings.TimeoutStopSec,
    context.settings.TimeoutAbortSec,
  ];
  if (context.deadline?.dueMs === 'infinity' && !mayWaitForEver.includes('infinity'))
    wrong.push('infinity that nobody asked for');
  for (const one of [context.main, context.control]) {
    if (one === null) continue;
    const known = world.spawned.find((process) => process.run === one.run && !process.abandoned);
    if (one.list !== 'MAINPID' && known === undefined) wrong.push(`run ${one.run} is followed, but is not there`);
    if (known !== undefined && (known.stage === 'asked') !== (one.pid === null))
      wrong.push(`run ${one.run} is ${known.stage}`);
  }
  return wrong;
}

const chain: SettingsChange = {
  ExecCondition: ['/bin/condition'],
  ExecStartPre: ['/bin/pre1', '-/bin/pre2'],
  ExecStartPost: ['/bin/post'],
  ExecStop: ['/bin/stop'],
  ExecStopPost: ['/bin/stop-post'],
};
const notifies: SettingsChange = { NotifyAccess: 'main', WatchdogSec: 5_000 };

/** By name, the settings to explore. */
const profiles: Record<string, SettingsChange> = {
  'Type=simple': {},
  'Type=simple with every list': { ...chain, ExecReload: ['/bin/reload'] },
  'Type=simple, Restart=always, RuntimeMaxSec=': { Restart: 'always', RuntimeMaxSec: 60_000, StartLimitBurst: 2 },
  'Type=simple, RemainAfterExit=yes, ExitType=cgroup': {
    RemainAfterExit: true,
    ExitType: 'cgroup',
    ExecReload: ['/bin/reload'],
  },
  'Type=simple, watchdog, NotifyAccess=all': {
    NotifyAccess: 'all',
    WatchdogSec: 5_000,
    Restart: 'on-watchdog',
    StartLimitBurst: 1,
  },
  'Type=simple, FileDescriptorStoreMax=3': { NotifyAccess: 'main', FileDescriptorStoreMax: 3, StartLimitBurst: 1 },
  'Type=exec, KillMode=mixed, Restart=on-failure': {
    Type: 'exec',
    KillMode: 'mixed',
    Restart: 'on-failure',
    StartLimitBurst: 1,
    SendSIGHUP: true,
  },
  'Type=exec, SendSIGKILL=no, aborting': {
    Type: 'exec',
    SendSIGKILL: false,
    TimeoutStartFailureMode: 'abort',
    TimeoutStopFailureMode: 'abort',
    ExecStop: ['/bin/stop'],
    ExecStopPost: ['/bin/stop-post'],
  },
  'Type=exec, time-outs kill': {
    Type: 'exec',
    TimeoutStartFailureMode: 'kill',
    TimeoutStopFailureMode: 'kill',
    ExecStop: ['/bin/stop'],
    ExecStopPost: ['/bin/stop-post'],
  },
  'Type=simple, KillMode=process': { KillMode: 'process', ExecStopPost: ['/bin/stop-post'] },
  'Type=simple, KillMode=none, time-outs infinite': {
    KillMode: 'none',
    TimeoutStartSec: 'infinity',
    TimeoutStopSec: 'infinity',
    TimeoutAbortSec: 'infinity',
    ExecStopPost: ['/bin/stop-post'],
  },
  'Type=simple, time-outs kill, SendSIGKILL=no': {
    SendSIGKILL: false,
    TimeoutStartFailureMode: 'kill',
    TimeoutStopFailureMode: 'kill',
    ExecStop: ['/bin/stop'],
    ExecStopPost: ['/bin/stop-post'],
  },
  'Type=oneshot with two commands': {
    Type: 'oneshot',
    ExecStart: ['/bin/one', '/bin/two'],
    TimeoutStartSec: 'infinity',
    ExecStartPost: ['/bin/post'],
  },
  'Type=oneshot, RemainAfterExit=yes, Restart=on-failure': {
    Type: 'oneshot',
    RemainAfterExit: true,
    Restart: 'on-failure',
    StartLimitBurst: 1,
    ExecStop: ['/bin/stop'],
  },
  'Type=oneshot without ExecStart=': { Type: 'oneshot', ExecStart: [], ExecStop: ['/bin/stop'], RemainAfterExit: true },
  'Type=forking, guessed': { Type: 'forking', ExecReload: ['/bin/reload'] },
  'Type=forking, PIDFile=': { Type: 'forking', PIDFile: '/run/x.pid', Restart: 'on-abnormal', StartLimitBurst: 1 },
  'Type=forking, PIDFile= and ExecStartPost=': { Type: 'forking', PIDFile: '/run/x.pid', ExecStartPost: ['/bin/post'] },
  'Type=notify': { Type: 'notify', ...notifies, StartLimitBurst: 1 },
  'Type=notify, NotifyAccess=exec, with ExecReload=': {
    Type: 'notify',
    NotifyAccess: 'exec',
    ExecReload: ['/bin/reload'],
    ExecStop: ['/bin/stop'],
  },
  'Type=notify, RemainAfterExit=yes, NotifyAccess=all': {
    Type: 'notify',
    NotifyAccess: 'all',
    RemainAfterExit: true,
    StartLimitBurst: 1,
  },
  'Type=notify-reload': { Type: 'notify-reload', NotifyAccess: 'main', StartLimitBurst: 1 },
  'Type=notify-reload with ExecReload=': {
    Type: 'notify-reload',
    NotifyAccess: 'main',
    ExecReload: ['/bin/reload'],
    StartLimitBurst: 1,
  },
  'Type=dbus': { Type: 'dbus', Restart: 'on-abort', StartLimitBurst: 1 },
  'Type=idle': { Type: 'idle', ExecStartPre: ['/bin/pre'], OOMPolicy: 'kill' },
  'no start limit': { StartLimitBurst: 0, OOMPolicy: 'continue', Restart: 'on-success' },
};

const seen = new Set<string>();

/** Ask it to stop and let all of the world obey; nothing else happens. Bounded. */
function drain(node: Node, step: ReturnType<typeof stepper>['step'], obeys: boolean): Node {
  let here = step(node, { type: 'stop', atMs: NOW }).node;
  for (let turn = 0; turn < 60; turn += 1) {
    const tag = [...here.snapshot.tags][0];
    if (tag === 'inactive' || tag === 'failed') return here;
    const event = obeys ? obedience(here) : stubbornness(here);
    if (event === undefined) throw new Error(`nothing more can happen in ${show(here)}`);
    here = step(here, event).node;
  }
  throw new Error(`still not down: ${show(here)}`);
}

/** Processes come up, die when they are told to, and the group empties. */
function obedience(node: Node): Event | undefined {
  const context = contextOf(node);
  const at = { atMs: NOW };
  const own = node.world.spawned.filter((process) => !process.abandoned);
  for (const { role, run, stage } of own) {
    const of = { role, run, serial: serialOf(run) };
    if (stage === 'asked') return { type: 'forked', ...of, pid: pidOf(run), startTime, ...at };
    return { ...at, ...exited(of, { killed: 15 }, true) } as Event;
  }
  const [watched] = node.world.watched;
  if (watched !== undefined && context.main !== null) {
    return { type: 'main-gone', pid: watched, startTime, ended: null, populated: true, ...at };
  }
  if (context.populated) return { type: 'empty', ...at };
  return undefined;
}

/** Nothing answers, whatever is sent: only time passes. */
function stubbornness(node: Node): Event | undefined {
  const name = contextOf(node).deadline?.name;
  return name === undefined || node.world.armed[name] === 'infinity'
    ? undefined
    : { type: 'deadline', name, atMs: NOW };
}

describe.each(Object.entries(profiles))('%s', (_name, change) => {
  const settings = serviceWith(change);
  const { step, restored } = stepper(serviceMachine);
  const model: Model = {
    machine: serviceMachine,
    input: { settings },
    events: (node) => events(node, change),
    key,
    check,
    limit: 60_000,
  };
  let explored: Explored | undefined;
  const all = () => {
    explored ??= explore(model);
    return explored;
  };

  test('no event in any reachable state throws, wedges, loses a deadline, starts a process twice or forgets one', () => {
    const { nodes, states, edges } = all();
    for (const state of states) seen.add(state);
    expect(nodes.length).toBeGreaterThan(10);
    if (process.env['MODEL_SIZES']) console.log(nodes.length, edges);
  });

  test('a stop leads down from every state, when processes obey, also after a crash', () => {
    for (const node of all().nodes) {
      const end = drain(node, step, true);
      const other = drain(restored(node), step, true);
      if (show(end) !== show(other))
        throw new Error(`${show(end)}\nafter a crash: ${show(other)}\nfrom: ${show(node)}`);
    }
  });

  test('a stop leads down from every state by time alone, unless the unit waits for ever', () => {
    if (settings.TimeoutStopSec === 'infinity') return;
    for (const node of all().nodes) drain(node, step, false);
  });

  test('the exit of the last process and the emptiness of its group lead to the same state in either order', () => {
    for (const node of all().nodes) {
      const own = node.world.spawned.filter((process) => !process.abandoned && process.stage !== 'asked');
      const only =
        own.length === 1 && node.world.spawned.length === 1 && node.world.watched.length === 0 ? own[0] : undefined;
      if (only === undefined) continue;
      for (const ended of [{ exited: 0 }, { exited: 1 }, { killed: 9 }]) {
        const of = { role: only.role, run: only.run, serial: serialOf(only.run) };
        const gone = { atMs: NOW, ...exited(of, ended, false) } as Event;
        const empty = { type: 'empty', atMs: NOW };
        const one = step(step(node, gone).node, empty).node;
        const other = step(step(node, empty).node, gone).node;
        if (JSON.stringify(one.snapshot.value) === JSON.stringify(other.snapshot.value)) continue;
        throw new Error(`exited first: ${show(one)}\nempty first: ${show(other)}\nfrom: ${show(node)}`);
      }
    }
  });
});

test('every state that the chart declares is reached by one of these settings', () => {
  expect(declaredStates(serviceMachine).filter((state) => !seen.has(state))).toEqual([]);
});
