/**
 * A whole simulated machine: the real core on the virtual kernel, with unit files, programs, and clients that ask.
 *
 * A client keeps to what a person's sctl does: it sends a request with an id of its own, and, when core dies under it, connects
 * again and asks once more with the same id, until it is answered. So what it wants is wanted once, however often core dies.
 */
import { createCore } from '../../src/core.ts';
import type { Answer, Host } from '../../src/host/ports.ts';
import { createSim, type Sim, type SimClient, type SimOptions } from '../../src/host/sim/index.ts';
import type { JobsState } from '../../src/jobs/logic.ts';
import { listJobs } from '../../src/jobs/table.ts';
import type { JobMode, RequestVerb } from '../../src/jobs/types.ts';
import type { MachinePlugin } from '../../src/machines/plugin.ts';
import { type UnitSnapshot, type View, view } from '../../src/machines/view.ts';
import type { ActorHost, ActorHostOptions } from '../../src/supervisor/index.ts';
import type { CheckRequest } from '../../src/units/index.ts';

/** Where the unit files lie. */
export const UNITS = '/etc/units';

/** One thing that a client asks for. */
export interface Wish {
  /** When, in virtual ms after the start of core. */
  readonly atMs: number;
  readonly verb: RequestVerb;
  readonly units: readonly string[];
  readonly mode?: JobMode;
  /** All units in one transaction. */
  readonly together?: boolean;
  /** The request id, where it is not to be one of its own: that of a client which asks again what it has asked before. */
  readonly as?: string;
}

/** Anything else a client may call: a method by its short name. */
export interface Call {
  readonly atMs: number;
  readonly method: string;
  /** A function: of the answers so far, by the place of their wish; a question that has none yet is asked later. */
  readonly parameters: Fields | ((answer: (index: number) => Answered | undefined) => Fields | undefined);
  readonly as?: string;
  /** It only asks: there is no request id, and no core remembers it. */
  readonly asks?: true;
}

type Fields = Readonly<Record<string, unknown>>;

export interface MachineOptions extends Omit<SimOptions, 'files'> {
  /** Unit files by name, links as `-> TARGET`. `default.target` is there in any case. */
  readonly units: Readonly<Record<string, string>>;
  readonly files?: SimOptions['files'];
  readonly wishes?: readonly (Wish | Call)[];
  readonly actors?: Pick<ActorHostOptions, 'turnEvents' | 'compactBytes' | 'foldOperations'>;
}

/** What sim needs. */
export function simOptions({ units, files, wishes: _wishes, actors: _actors, ...rest }: MachineOptions): SimOptions {
  const all = { 'default.target': '[Unit]\nDefaultDependencies=no\n', ...units };
  const texts = Object.entries(all).map(
    ([name, text]) =>
      [`${UNITS}/${name}`, text.startsWith('-> ') ? { symlink: text.slice('-> '.length) } : text] as const,
  );
  return {
    helper: existing,
    ...rest,
    files: { ...Object.fromEntries(texts), ...files },
    facts: {
      ...rest.facts,
      environment: {
        PATH: '/usr/sbin:/usr/bin',
        SYSMASTER_UNIT_PATH: UNITS,
        SYSMASTER_GENERATOR_PATH: '',
        ...rest.facts?.environment,
      },
    },
  };
}

/** A helper that knows one question about a path: is it there. */
function existing(request: string, files: Sim['files']): Answer {
  const { checks } = JSON.parse(request) as CheckRequest;
  return { ok: JSON.stringify(checks.map(({ path }) => files.stat(path) !== undefined)) };
}

/** Start core on a host; log keeper and beats aside, it is the one that runs on real machines. */
export function bootCore(
  host: Host,
  actors: MachineOptions['actors'] = {},
  plugins: readonly MachinePlugin[] = [],
): ActorHost {
  const core = createCore(host, {
    version: 'simulated',
    libDirectory: '/usr/lib/sysmaster',
    logs: false,
    plugins,
    chaos: () => ({ enabled: true, maxUnits: 10, maxMs: 600_000, protect: [], path: 'system.conf' }),
    actors: { ...actors, beatEveryMs: Number.POSITIVE_INFINITY },
  });
  core.start();
  return core.actors;
}

/** One wish's answer, as it came. */
export interface Answered {
  readonly parameters?: { readonly outcomes?: readonly Outcome[]; readonly [field: string]: unknown };
  readonly error?: string;
}

export interface Outcome {
  readonly unit: string;
  readonly job?: number;
  readonly result?: string;
  readonly notes: readonly string[];
  readonly refusal?: { readonly error: string; readonly unit: string; readonly why: string };
}

/** How long a client that needs another's answer first waits before it looks again, in ms. */
const LOOK_AGAIN_MS = 5;

/** All clients of a machine. {@link Clients.reconnect} is to be called for each new life of core. */
export class Clients {
  readonly #sim: Sim;
  readonly #open = new Map<number, { readonly message: string; client: SimClient | undefined }>();
  readonly #answers = new Map<number, Answered>();
  readonly #all: SimClient[] = [];

  constructor(sim: Sim, wishes: readonly (Wish | Call)[]) {
    this.#sim = sim;
    for (const [index, wish] of wishes.entries()) sim.at(wish.atMs, () => this.#ask(wish, index));
  }

  /** By the place of the wish; undefined: not answered (yet). */
  answer(index: number): Answered | undefined {
    this.#collect();
    return this.#answers.get(index);
  }

  /** Replies on connections that have had theirs. */
  get surplus(): number {
    return this.#all.reduce((sum, { received }) => sum + Math.max(0, received.length - 1), 0);
  }

  /** Core is new: whoever has no answer asks again. */
  reconnect(): void {
    this.#sim.at(0, () => {
      this.#collect();
      for (const index of this.#open.keys()) this.#send(index);
    });
  }

  #ask(wish: Wish | Call, index: number): void {
    const message = messageOf(wish, index, (other) => this.answer(other));
    if (message === undefined) {
      this.#sim.at(LOOK_AGAIN_MS, () => this.#ask(wish, index));
      return;
    }
    this.#open.set(index, { message, client: undefined });
    this.#send(index);
  }

  #send(index: number): void {
    const open = this.#open.get(index);
    // A client that finds no core waits for the next one.
    if (open === undefined || !this.#sim.coreAlive) return;
    open.client = this.#sim.client();
    this.#all.push(open.client);
    open.client.send(open.message);
  }

  #collect(): void {
    for (const [index, { client }] of [...this.#open]) {
      const reply = client?.received[0];
      if (reply === undefined) continue;
      this.#answers.set(index, JSON.parse(reply) as Answered);
      this.#open.delete(index);
    }
  }
}

/** Undefined: what it is to say depends on an answer that is not there yet. */
function messageOf(
  wish: Wish | Call,
  index: number,
  answer: (index: number) => Answered | undefined,
): string | undefined {
  const requestId = `wish-${index}`;
  if ('method' in wish) {
    const fields = typeof wish.parameters === 'function' ? wish.parameters(answer) : wish.parameters;
    if (fields === undefined) return undefined;
    const parameters = wish.asks === true ? fields : { ...fields, requestId: wish.as ?? requestId };
    return JSON.stringify({ method: `io.sysmaster.${wish.method}`, parameters });
  }
  const { verb, units, mode, together } = wish;
  return JSON.stringify({
    method: 'io.sysmaster.Jobs.Request',
    parameters: {
      verb,
      units,
      ...(mode === undefined ? {} : { mode }),
      ...(together ? { together } : {}),
      requestId: wish.as ?? requestId,
    },
  });
}

/** What a unit shows, without times. */
export interface Shown {
  readonly active: string;
  readonly sub: string;
  readonly result: string;
}

/** All units in memory as they are, by name. */
export function shownUnits(core: ActorHost): Readonly<Record<string, Shown>> {
  const shown = core.list('unit:').map((id): [string, Shown] => {
    const { active, sub, result }: View = view(core.read<UnitSnapshot>(id) as UnitSnapshot);
    return [id.slice('unit:'.length), { active, sub, result }];
  });
  return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The jobs in the table. */
export const jobsNow = (core: ActorHost) => listJobs((core.read<JobsState>('jobs') as JobsState).table);

/** A machine with core on it, and clients that wish things of every core that comes. */
export function bootWithClients(options: Parameters<typeof simOptions>[0], wishes: readonly (Wish | Call)[]) {
  const sim = createSim(simOptions(options));
  const clients = new Clients(sim, wishes);
  let core: ActorHost | undefined;
  sim.boot((host) => {
    core = bootCore(host);
    clients.reconnect();
  });
  return { sim, clients, core: () => core as ActorHost };
}
