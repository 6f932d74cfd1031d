/**
 * A small core for tests of the host: daemons that restart, a tally that hears of every change, errands that end.
 * Nothing here knows units; what the real core does with ports is done here in twenty lines.
 */
import { assign, setup } from 'xstate';
import type { Host, HostEvent, InitRecord } from '../../src/host/ports.ts';
import { datagramKey } from '../../src/host/sim/sockets.ts';
import {
  type ActorEvent,
  ActorHost,
  type ActorHostOptions,
  type ActorKinds,
  type ChildSpec,
  type Json,
  type Logic,
  machineLogic,
  type Post,
  recordKey,
  type SupervisorSpec,
} from '../../src/supervisor/index.ts';

type DaemonEvent =
  | { type: 'start' }
  | { type: 'stop' }
  | { type: 'forked'; serial: number }
  | { type: 'execed' }
  | { type: 'exited'; serial: number; status: string }
  | { type: 'spawn-failed' }
  | { type: 'said'; text: string }
  | { type: 'deadline'; name: string };

const effect =
  <Params = undefined>() =>
  (_: unknown, _params: Params) => {};

/** dead -start-> starting -execed-> running -stop-> stopping -exited-> dead; a running one that exits waits and starts again, twice. */
export const daemonMachine = setup({
  types: {} as {
    context: { path: string; serial: number; restarts: number; said: string[] };
    input: { path: string };
    events: DaemonEvent;
  },
  actions: {
    spawn: effect(),
    signal: effect<{ signal: number }>(),
    note: effect<{ text: string }>(),
    armDeadline: effect<{ name: string; ms: number | 'infinity' }>(),
    disarmDeadline: effect<{ name: string }>(),
    setSerial: assign({ serial: (_, serial: number) => serial }),
    countRestart: assign({ restarts: ({ context }) => context.restarts + 1 }),
    hear: assign({ said: ({ context }, text: string) => [...context.said, text] }),
  },
  guards: {
    mayRestart: ({ context }) => context.restarts < 2,
    isMine: ({ context, event }) => event.type === 'exited' && event.serial === context.serial,
  },
}).createMachine({
  id: 'daemon',
  context: ({ input }) => ({ path: input.path, serial: 0, restarts: 0, said: [] }),
  initial: 'dead',
  on: {
    said: { actions: { type: 'hear', params: ({ event }) => event.text } },
    forked: { actions: { type: 'setSerial', params: ({ event }) => event.serial } },
  },
  states: {
    dead: { on: { start: 'starting' } },
    starting: {
      entry: ['spawn', { type: 'armDeadline', params: { name: 'start', ms: 5_000 } }],
      exit: { type: 'disarmDeadline', params: { name: 'start' } },
      on: {
        execed: 'running',
        exited: { guard: 'isMine', target: 'ended' },
        'spawn-failed': 'failed',
        deadline: 'failed',
      },
    },
    running: {
      entry: { type: 'note', params: ({ context }) => ({ text: `up ${context.restarts}` }) },
      on: { exited: { guard: 'isMine', target: 'ended' }, stop: 'stopping' },
    },
    stopping: {
      entry: [
        { type: 'signal', params: { signal: 15 } },
        { type: 'armDeadline', params: { name: 'stop', ms: 1_000 } },
      ],
      exit: { type: 'disarmDeadline', params: { name: 'stop' } },
      on: {
        exited: { guard: 'isMine', target: 'dead' },
        deadline: { actions: { type: 'signal', params: { signal: 9 } } },
      },
    },
    ended: { always: [{ guard: 'mayRestart', target: 'waiting', actions: 'countRestart' }, { target: 'failed' }] },
    waiting: {
      entry: { type: 'armDeadline', params: { name: 'restart', ms: 100 } },
      on: { deadline: 'starting', stop: 'dead' },
      exit: { type: 'disarmDeadline', params: { name: 'restart' } },
    },
    failed: { entry: { type: 'note', params: { text: 'failed' } } },
  },
});

/** Hears of everything, in order; starts errands and counts their ends. A logic by hand: not every actor is a machine. */
export const tallyLogic: Logic<{ readonly heard: readonly string[] }> = {
  name: 'tally',
  version: 1,
  initial: () => ({ snapshot: { heard: [] }, effects: [] }),
  step(snapshot, event) {
    if (event.type === 'errand') {
      const { name, steps } = event as unknown as { name: string; steps: number };
      const spec: ChildSpec = {
        id: `errand:${name}`,
        kind: 'errand',
        input: { steps },
        restart: 'temporary',
        shutdown: 'brutal',
      };
      return { snapshot, effects: [{ type: 'startChild', params: { spec: { ...spec }, supervisor: 'errands' } }] };
    }
    return { snapshot: { heard: [...snapshot.heard, String(event['text'])] }, effects: [] };
  },
  save: (snapshot) => snapshot as unknown as Json,
  load: (saved) => saved as unknown as { heard: string[] },
};

/** Sends itself so many events, then ends: work that crosses turns. */
export const errandLogic: Logic<{ readonly left: number; readonly done: number }> = {
  name: 'errand',
  version: 1,
  initial(input) {
    const { steps } = input as { steps: number };
    return { snapshot: { left: steps, done: 0 }, effects: [{ type: 'again', params: undefined }] };
  },
  step({ left, done }, event) {
    if (event.type !== 'again') return { snapshot: { left, done }, effects: [] };
    const again = left > 1 ? [{ type: 'again', params: undefined }] : [];
    return { snapshot: { left: left - 1, done: done + 1 }, effects: again };
  },
  save: (snapshot) => snapshot as unknown as Json,
  load: (saved) => saved as unknown as { left: number; done: number },
  output: ({ left, done }) => (left <= 0 ? { done } : undefined),
};

const tell = (text: string): Post => ({ to: 'tally', event: { type: 'heard', text } });

/** The kinds, with effects on the ports of a host. */
export function smallKinds(host: Host): ActorKinds {
  return {
    daemon: {
      logic: machineLogic(daemonMachine),
      observe(actor, before, after) {
        const was = (before as { value: string } | undefined)?.value;
        const is = (after as { value: string }).value;
        return was === is ? [] : [tell(`${actor} ${is}`)];
      },
      effects: {
        spawn: {
          kind: 'once',
          run({ id, actor, snapshot }) {
            const { path } = (snapshot as { context: { path: string } }).context;
            const environment = [`NOTIFY_SOCKET=/run/${actor}`];
            const cgroups = [`${host.hello.cgroupRoot}/${actor}`];
            host.process.spawn(id, actor, { version: 1, unit: actor, path, argv: [path], environment, cgroups }, []);
          },
        },
        signal: {
          kind: 'once',
          run({ id, snapshot }, { signal }: { signal: number }) {
            const { serial } = (snapshot as { context: { serial: number } }).context;
            host.process.kill(id, { process: { child: serial } }, signal);
          },
        },
        note: {
          kind: 'idempotent',
          run: ({ actor }, { text }: { text: string }) => host.files.writeText(`/run/notes/${actor}`, text, 0o644),
        },
      },
    },
    tally: { logic: tallyLogic, effects: {} },
    errand: {
      logic: errandLogic,
      effects: { again: { kind: 'idempotent', run: ({ actor, post }) => post(actor, { type: 'again' }) } },
      down: (actor, _last, reason, output) => [tell(`${actor} ${reason} ${JSON.stringify(output)}`)],
    },
  };
}

export const smallTree = (daemons: Readonly<Record<string, string>>): SupervisorSpec => ({
  id: 'core',
  strategy: 'rest_for_one',
  intensity: 3,
  periodMs: 60_000,
  children: [
    { id: 'tally', kind: 'tally', input: null, restart: 'permanent', shutdown: 'brutal' },
    {
      id: 'daemons',
      strategy: 'one_for_one',
      intensity: 10,
      periodMs: 60_000,
      children: Object.entries(daemons).map(
        ([id, path]): ChildSpec => ({ id, kind: 'daemon', input: { path }, restart: 'permanent', shutdown: 1_000 }),
      ),
    },
    { id: 'errands', strategy: 'one_for_one', intensity: 3, periodMs: 60_000, children: [] },
  ],
});

/** What init's record means, by the tag of the process. */
function eventsOf({ what }: InitRecord): Post[] {
  const to = (actor: string, event: ActorEvent): Post[] => [{ to: actor, event }];
  if ('forked' in what) return to(what.forked.tag, { type: 'forked', serial: what.forked.serial });
  if ('execed' in what) return to(what.execed.tag, { type: 'execed' });
  if ('exited' in what) {
    const { tag, serial, ended } = what.exited;
    return to(tag, { type: 'exited', serial, status: JSON.stringify(ended) });
  }
  if ('spawn-failed' in what && what['spawn-failed'].serial === null)
    return to(what['spawn-failed'].tag, { type: 'spawn-failed' });
  return [];
}

/** Build and start it. `signals`: what init's signal records mean. */
export function smallCore(
  host: Host,
  daemons: Readonly<Record<string, string>>,
  signals: Readonly<Record<number, readonly Post[]>> = {},
  more: Partial<ActorHostOptions> = {},
): ActorHost {
  const core: ActorHost = new ActorHost({
    host,
    kinds: smallKinds(host),
    root: smallTree(daemons),
    beatEveryMs: Number.POSITIVE_INFINITY,
    onEvent(event: HostEvent) {
      if (event.type === 'record') {
        const { record } = event;
        const events = 'signal' in record.what ? (signals[record.what.signal.signal] ?? []) : eventsOf(record);
        core.input({ key: recordKey(record.number), events });
      } else if (event.type === 'datagram') {
        const { datagram } = event;
        core.input({
          key: `datagram ${datagramKey(datagram)}`,
          events: [{ to: datagram.socket, event: { type: 'said', text: datagram.text } }],
          consume: () => host.sockets.consume(datagram, [], { epoch: core.epoch, seq: 0, index: 0 }),
        });
      }
    },
    ...more,
  });
  core.start();
  // Sockets are peeked anew by every core; the names outlive it.
  for (const id of Object.keys(daemons))
    host.sockets.notify({ epoch: core.epoch, seq: 0, index: 1 + Object.keys(daemons).indexOf(id) }, id, `/run/${id}`);
  return core;
}
