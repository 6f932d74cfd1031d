/** A host over the simulator with actors that do as they are told by events: `{ type, effects?, fail?, end? }`. */
import type { Host } from '../../src/host/ports.ts';
import { createSim, type Sim, type SimOptions } from '../../src/host/sim/index.ts';
import {
  type ActorEvent,
  ActorHost,
  type ActorHostOptions,
  type ActorId,
  type ActorKind,
  type ChildSpec,
  type Effect,
  type HostReport,
  type Json,
  type Logic,
  type Post,
  type RestartType,
  type SupervisorSpec,
} from '../../src/supervisor/index.ts';

/** What a puppet remembers: the events it has had, in order. */
export interface Puppet {
  readonly heard: readonly string[];
  readonly end?: Json;
}

export const puppetLogic: Logic<Puppet> = {
  name: 'puppet',
  version: 1,
  initial(input) {
    const { fail, effects } = (input ?? {}) as { fail?: string; effects?: Effect[] };
    if (fail !== undefined) throw new Error(fail);
    return { snapshot: { heard: [] }, effects: effects ?? [] };
  },
  step(snapshot, event) {
    const { type, effects, fail, end } = event as ActorEvent & { effects?: Effect[]; fail?: string; end?: Json };
    if (fail !== undefined) throw new Error(fail);
    if (type === 'ignored') return { snapshot, effects: effects ?? [] };
    const word = type === 'deadline' ? `deadline ${String(event['name'])}` : type;
    const heard = [...snapshot.heard, word];
    return { snapshot: end === undefined ? { heard } : { heard, end }, effects: effects ?? [] };
  },
  save: (snapshot) => snapshot as unknown as Json,
  load(saved) {
    const { heard } = saved as { heard?: unknown };
    if (!Array.isArray(heard)) throw new Error('it has heard nothing');
    return saved as unknown as Puppet;
  },
  output: (snapshot) => snapshot.end,
};

export const child = (id: ActorId, restart: RestartType = 'permanent', more: Partial<ChildSpec> = {}): ChildSpec => ({
  id,
  kind: 'puppet',
  input: null,
  restart,
  shutdown: 'brutal',
  ...more,
});

export const supervisor = (
  id: ActorId,
  children: SupervisorSpec['children'],
  more: Partial<SupervisorSpec> = {},
): SupervisorSpec => ({ id, strategy: 'one_for_one', intensity: 5, periodMs: 10_000, children, ...more });

export interface Bench {
  readonly sim: Sim;
  readonly reports: HostReport[];
  /** Effects that were carried out, in order: `actor type params`. */
  readonly done: string[];
  /** The host of the present core. */
  core(): ActorHost;
  host(): Host;
  /** Send an event as one input and let core do what there is to do. */
  send(to: ActorId, event: ActorEvent | string): void;
  heard(id: ActorId): readonly string[] | undefined;
  whats(): readonly string[];
}

/** Called when an effect is carried out; may throw, or crash core. */
export type OnEffect = (actor: ActorId, params: Json | undefined) => void;

export function bench(
  root: SupervisorSpec,
  options: Partial<ActorHostOptions> = {},
  simOptions: SimOptions = {},
  onEffect: OnEffect = () => {},
  puppet: Partial<ActorKind> = {},
): Bench {
  const sim = createSim(simOptions);
  const reports: HostReport[] = [];
  const done: string[] = [];
  let core: ActorHost | undefined;
  let host: Host | undefined;
  let key = 0;
  const kind: ActorKind = {
    logic: puppetLogic,
    effects: {
      act: {
        kind: 'idempotent',
        run({ actor }, params: Json) {
          onEffect(actor, params);
          done.push(`${actor} act ${JSON.stringify(params)}`);
        },
      },
    },
    ...puppet,
  };
  sim.boot((given) => {
    host = given;
    core = new ActorHost({
      host: given,
      kinds: { puppet: kind },
      root,
      beatEveryMs: Number.POSITIVE_INFINITY,
      onEvent(event) {
        if (event.type !== 'client' || !('message' in event.what)) return;
        const input = JSON.parse(event.what.message) as { key: string; posts: Post[] };
        core?.input({ key: input.key, events: input.posts });
      },
      onReport: (report) => void reports.push(report),
      ...options,
    });
    core.start();
  });
  sim.run(1);
  const bench: Bench = {
    sim,
    reports,
    done,
    core: () => core as ActorHost,
    host: () => host as Host,
    send(to, event) {
      key += 1;
      const posts: Post[] = [{ to, event: typeof event === 'string' ? { type: event } : event }];
      sim.client().send(JSON.stringify({ key: `request ${key}`, posts }));
      sim.run(0);
    },
    heard: (id) => core?.read<Puppet>(id)?.heard,
    whats: () => reports.map(({ what, actor }) => `${what} ${actor ?? ''}`.trim()),
  };
  return bench;
}
