/** Socket, scope, path, slice, target and static machines in every reachable state. */
import { describe, expect, test } from 'vitest';
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { pathMachine } from '../../src/machines/path.ts';
import type { PathContext } from '../../src/machines/path-context.ts';
import { sliceMachine, staticMachine, targetMachine } from '../../src/machines/plain.ts';
import { scopeMachine } from '../../src/machines/scope.ts';
import { socketMachine } from '../../src/machines/socket.ts';
import type { SocketContext } from '../../src/machines/socket-context.ts';
import type { UnitSnapshot } from '../../src/machines/view.ts';
import {
  declaredStates,
  type Event,
  explore,
  type Model,
  type Node,
  pidOf,
  serialOf,
  describe as show,
  stepper,
} from './explorer.ts';
import { type PathChange, pathWith, type SocketChange, scopeWith, socketWith } from './other-settings.ts';

const NOW = 1_000;
const now = (event: { type: string; [field: string]: unknown }): Event => ({ atMs: NOW, ...event });
const isDown = (node: Node) => ['inactive', 'failed'].includes([...node.snapshot.tags][0]!);

/** The tag is what the context says: nothing is idle here. */
function check({ snapshot }: Node): string[] {
  const { active, result } = (snapshot as unknown as UnitSnapshot).context;
  const tag = [...snapshot.tags][0];
  const wrong = active === tag ? [] : [`context says ${active}, the tag ${tag}`];
  if (tag === 'failed' && result === 'success') wrong.push('failed for no reason');
  return wrong;
}

/** Stop it, and let answers come until it is down. Bounded. */
function drain(machine: AnyStateMachine, node: Node, answer: (node: Node) => Event | undefined): void {
  const { step } = stepper(machine);
  let here = step(node, now({ type: 'stop' })).node;
  for (let turn = 0; turn < 40 && !isDown(here); turn += 1) {
    const event = answer(here);
    if (event === undefined) throw new Error(`nothing more can happen in ${show(here)}`);
    here = step(here, event).node;
  }
  if (!isDown(here)) throw new Error(`still not down: ${show(here)}`);
}

const expire = (node: Node): Event | undefined => {
  const name = (node.snapshot.context['deadline'] as { name: string } | null)?.name;
  return name === undefined || node.world.armed[name] === 'infinity' ? undefined : now({ type: 'deadline', name });
};

const commands = [
  { type: 'start' },
  { type: 'start', atMs: 1_000_000 },
  { type: 'stop' },
  { type: 'reload' },
  { type: 'reset-failed' },
  { type: 'populated' },
  { type: 'empty' },
].map(now);

// ---------------------------------------------------------------------------------------------------------------- socket

const socketProfiles: Record<string, SocketChange> = {
  plain: {},
  'with all commands': {
    ExecStartPre: ['/pre'],
    ExecStartPost: ['/post'],
    ExecStopPre: ['-/stop-pre'],
    ExecStopPost: ['/stop-post'],
  },
  'SendSIGKILL=no, KillMode=process, flushing': {
    SendSIGKILL: false,
    KillMode: 'process',
    FlushPending: true,
    ExecStartPre: ['/pre'],
    ExecStopPost: ['/stop-post'],
  },
  'without limits, without time-out': {
    StartLimitBurst: 0,
    TriggerLimitBurst: 0,
    TimeoutSec: 'infinity',
    ExecStopPre: ['/stop-pre'],
  },
  'Accept=yes': { Accept: true },
};

const serviceStates = [
  ['inactive', 'dead', 'success'],
  ['activating', 'start', 'success'],
  ['active', 'running', 'success'],
  ['deactivating', 'final-sigterm', 'success'],
  ['activating', 'auto-restart', 'exit-code'],
  ['failed', 'failed', 'exit-code'],
].flatMap(([active, sub, result]) =>
  [true, false].map((pending) =>
    now({ type: 'service-state', active, sub, result, pending, loaded: true, startLimitHit: false }),
  ),
);

function socketEvents(change: SocketChange) {
  return ({ world }: Node): Event[] => {
    const events: Event[] = [
      ...commands,
      now({ type: 'settings', settings: socketWith(change) }),
      now({ type: 'sockets-opened' }),
      now({ type: 'sockets-failed', errno: 'EADDRINUSE', detail: '0.0.0.0:80' }),
      now({ type: 'adopt', populated: false }),
      now({ type: 'reopen' }),
      now({ type: 'readable', name: 'listen:x.socket:0' }),
      now({ type: 'job-refused', why: 'shutting down' }),
      now({ type: 'deadline', name: 'RestartSec' }),
      ...serviceStates,
      now({
        type: 'service-state',
        active: 'failed',
        sub: 'failed',
        result: 'exit-code',
        pending: false,
        loaded: true,
        startLimitHit: true,
      }),
      now({
        type: 'service-state',
        active: 'inactive',
        sub: 'dead',
        result: 'success',
        pending: false,
        loaded: false,
        startLimitHit: false,
      }),
    ];
    if (world.armed['TimeoutSec'] !== 'infinity') events.push(now({ type: 'deadline', name: 'TimeoutSec' }));
    for (const { role, run, stage } of [...world.spawned, { role: 'control', run: 999_999, stage: 'forked' }]) {
      const of = { role, run, serial: serialOf(run) };
      const failed = { step: 3, errno: 2, detail: '', exitCode: 203, stepName: 'EXEC', why: 'cannot: ENOENT' };
      if (stage === 'asked' || run === 999_999) {
        events.push(
          now({ type: 'forked', ...of, pid: pidOf(run), startTime: 1 }),
          now({ type: 'spawn-failed', ...of, ...failed, serial: null }),
        );
      }
      if (stage === 'asked') continue;
      events.push(now({ type: 'execed', ...of }), now({ type: 'spawn-failed', ...of, ...failed }));
      for (const populated of [true, false]) {
        for (const ended of [{ exited: 0 }, { exited: 1 }, { killed: 15 }]) {
          events.push(now({ type: 'exited', ...of, pid: pidOf(run), ended, populated }));
        }
      }
    }
    return events;
  };
}

function socketKey(snapshot: AnyMachineSnapshot): unknown {
  const context = snapshot.context as SocketContext;
  const { settings, service } = context;
  const { control } = context;
  return [
    control && [control.list, control.index, control.serial !== null, control.last],
    context.populated,
    context.result === 'success',
    (context.startLimit?.starts ?? 0) >= settings.StartLimitBurst,
    (context.triggers?.starts ?? 0) >= settings.TriggerLimitBurst,
    context.killing,
    [service.active, service.sub, service.pending, service.loaded],
  ];
}

/** Processes that obey; listeners that open. */
function obey({ snapshot, world }: Node): Event | undefined {
  const own = world.spawned.find((process) => !process.abandoned);
  if (own !== undefined) {
    const of = { role: own.role, run: own.run, serial: serialOf(own.run) };
    if (own.stage === 'asked') return now({ type: 'forked', ...of, pid: pidOf(own.run), startTime: 1 });
    return now({ type: 'exited', ...of, pid: pidOf(own.run), ended: { killed: 15 }, populated: true });
  }
  return snapshot.context['populated'] ? now({ type: 'empty' }) : undefined;
}

const seen = new Set<string>();

describe.each(Object.entries(socketProfiles))('a socket %s', (name, change) => {
  const settings = socketWith(change);
  const model: Model = {
    machine: socketMachine,
    input: { settings },
    events: socketEvents(change),
    key: socketKey,
    check,
    limit: 40_000,
  };

  test('holds in every reachable state, and a stop leads down from each', () => {
    const { nodes, states } = explore(model);
    for (const state of states) seen.add(state);
    expect(nodes.length).toBeGreaterThan(name === 'Accept=yes' ? 1 : 50);
    for (const node of nodes) {
      drain(socketMachine, node, obey);
      if (settings.TimeoutSec !== 'infinity') drain(socketMachine, node, expire);
    }
  });
});

// ----------------------------------------------------------------------------------------------------------------- scope

const scopeSeen = new Set<string>();

describe.each(['control-group', 'mixed', 'process', 'none'] as const)('a scope with KillMode=%s', (KillMode) => {
  test.each([true, false])(
    'and SendSIGKILL %s holds in every reachable state, and a stop leads down from each',
    (SendSIGKILL) => {
      const settings = scopeWith({ KillMode, SendSIGKILL, RuntimeMaxSec: 60_000 });
      const { nodes, states } = explore({
        machine: scopeMachine,
        input: { settings },
        events: () => [
          ...commands,
          now({ type: 'start', pids: [{ pid: 5, startTime: 6 }] }),
          now({ type: 'settings', settings }),
          ...['adopted', 'adopt-failed', 'abandon', 'oom'].map((type) => now({ type })),
          ...['TimeoutStopSec', 'RuntimeMaxSec', 'RestartSec'].map((name) => now({ type: 'deadline', name })),
        ],
        key: ({ context }) => [context['populated'], context['killing'], context['result'], context['invocation'] > 0],
        check,
        limit: 5_000,
      });
      for (const state of states) scopeSeen.add(state);
      for (const node of nodes) {
        drain(scopeMachine, node, expire);
        drain(scopeMachine, node, obey);
      }
    },
  );
});

// ------------------------------------------------------------------------------------------------------------------ path

const pathProfiles: Record<string, PathChange> = {
  plain: {},
  'of changes': { specs: [{ kind: 'PathChanged', path: '/x' }], MakeDirectory: true },
  'of both, that may trigger twice': {
    specs: [
      { kind: 'PathModified', path: '/x' },
      { kind: 'DirectoryNotEmpty', path: '/y' },
    ],
    TriggerLimitBurst: 2,
    StartLimitBurst: 0,
  },
};
const pathSeen = new Set<string>();

describe.each(Object.entries(pathProfiles))('a path %s', (_, change) => {
  const settings = pathWith(change);
  const other = pathWith({ ...change, specs: [{ kind: 'PathChanged', path: '/z' }] });

  test('holds in every reachable state, and a stop leads down from each', () => {
    const { nodes, states } = explore({
      machine: pathMachine,
      input: { settings },
      events: ({ snapshot }) => {
        const { round } = snapshot.context as PathContext;
        const looks = [null, 'one', 'two'].flatMap((stamp) =>
          [true, false].flatMap((missed) =>
            [round, round - 1].map((of) =>
              now({
                type: 'paths-seen',
                round: of,
                missed,
                seen: ['/x', '/y'].map((path) => ({ there: stamp !== null, path, stamp })),
              }),
            ),
          ),
        );
        return [
          ...commands,
          ...looks,
          ...serviceStates,
          ...[settings, other].map((one) => now({ type: 'settings', settings: one })),
          ...[0, 1, 2].map((index) => now({ type: 'path-changed', round, index })),
          ...[round, round - 1].map((of) => now({ type: 'paths-failed', round: of, errno: 'ENOSPC', detail: '/x' })),
          now({ type: 'adopt', populated: false, over: true }),
          now({ type: 'adopt', populated: false, failed: 'resources' }),
          now({ type: 'job-refused', why: 'shutting down' }),
          now({ type: 'deadline', name: 'looking' }),
          now({ ...serviceStates[0]!, startLimitHit: true }),
          now({ ...serviceStates[0]!, loaded: false }),
        ];
      },
      key: ({ context }) => {
        const { looking, stamps, triggeredBy, service, startLimit, triggers, result } = context as PathContext;
        return [
          [looking, stamps, triggeredBy !== null, service.active, service.pending, service.loaded],
          [
            (startLimit?.starts ?? 0) >= settings.StartLimitBurst,
            (triggers?.starts ?? 0) >= settings.TriggerLimitBurst,
          ],
          [
            result === 'success',
            (context as PathContext).settings.specs.length,
            (context as PathContext).settings.specs[0]?.path,
          ],
        ];
      },
      check,
      limit: 40_000,
    });
    for (const state of states) pathSeen.add(state);
    expect(nodes.length).toBeGreaterThan(50);
    for (const node of nodes) drain(pathMachine, node, () => undefined);
  });
});

// ---------------------------------------------------------------------------------------------------------------- others

const plain: Record<string, [AnyStateMachine, unknown]> = {
  target: [targetMachine, {}],
  slice: [sliceMachine, {}],
  mount: [staticMachine, { settings: { type: 'mount' } }],
  device: [staticMachine, { settings: { type: 'device' } }],
  swap: [staticMachine, { settings: { type: 'swap' } }],
  'init.scope': [staticMachine, { settings: { type: 'scope' } }],
  timer: [staticMachine, { settings: { type: 'timer' } }],
};
const plainSeen = new Map<AnyStateMachine, Set<string>>();

test.each(Object.entries(plain))('a %s holds in every reachable state', (_, [machine, input]) => {
  const settings = (input as { settings?: unknown }).settings ?? null;
  const { states } = explore({
    machine,
    input,
    events: () =>
      [
        ...commands,
        ...[
          { type: 'settings', settings },
          { type: 'adopt', populated: false },
          { type: 'present' },
          { type: 'absent' },
        ],
      ].map(now),
    key: () => null,
    check,
    limit: 10,
  });
  const known = plainSeen.get(machine) ?? new Set();
  for (const state of states) known.add(state);
  plainSeen.set(machine, known);
});

test('every state that a chart declares is reached', () => {
  const missing = (machine: AnyStateMachine, states: ReadonlySet<string>) =>
    declaredStates(machine).filter((state) => !states.has(state));
  expect(missing(socketMachine, seen)).toEqual([]);
  expect(missing(scopeMachine, scopeSeen)).toEqual([]);
  expect(missing(pathMachine, pathSeen)).toEqual([]);
  for (const [machine, states] of plainSeen) expect(missing(machine, states)).toEqual([]);
});
