/**
 * Spawns that were asked for before core died, and that nobody will answer: init had refused them, which it does not remember.
 *
 * Init repeats to a new core the outcome of everything it has done; a refusal is told once, and dies with the core that was told.
 * So a unit that waits for its process is looked at when init has told all it knows: is there neither a child nor a record of it,
 * and has this core not asked again, then the spawn has failed, as it would have for the core before.
 */
import type { Host, InitRecord } from '../host/ports.ts';
import type { ActorHost, Post } from '../supervisor/index.ts';
import type { Unit } from '../units/types.ts';
import { parseTag, type Role, tagOf } from './names.ts';
import type { Asked, Spawns } from './spawns.ts';

/** What the machines of services and sockets remember of a process; `serial` null: init has not forked it yet. */
interface Process {
  readonly run: number;
  readonly serial: number | null;
  readonly pid?: number | null;
}

const ROLES: readonly Role[] = ['main', 'control'];

/** A tag without what an older core does not say; undefined: init's own. */
const whose = (text: string): string | undefined => {
  const tag = parseTag(text);
  return tag === undefined || tag.role === 'watch' ? undefined : tagOf(tag.unit, tag.role, tag.number);
};

export class LostSpawns {
  readonly #open = new Map<string, Asked>();
  #records: number;
  readonly #post: (posts: readonly Post[]) => void;
  readonly #failed: (asked: Asked) => Post;

  /**
   * To be made before the actors start, when their queue still is what the checkpoint says.
   *
   * @param failed the event for the unit
   */
  constructor(
    host: Pick<Host, 'hello'>,
    actors: Pick<ActorHost, 'read' | 'onTheirWay' | 'input'>,
    units: Iterable<Pick<Unit, 'name'>>,
    failed: (asked: Asked) => Post,
  ) {
    this.#records = host.hello.records;
    this.#failed = failed;
    this.#post = (events) => actors.input({ events });
    // Made when it is needed: as a rule all that was asked for was answered.
    let children: ReadonlySet<string | undefined> | undefined;
    const isChild = (tag: string): boolean => {
      children ??= new Set(host.hello.children.map((child) => whose(child.tag)));
      return children.has(tag);
    };
    for (const { name } of units) {
      const snapshot = actors.read<{ context?: { main?: Process | null; control?: Process | null } }>(`unit:${name}`);
      for (const role of ROLES) {
        const process = snapshot?.context?.[role as 'main' | 'control'] ?? null;
        if (process === null || process.serial !== null || (process.pid ?? null) !== null) continue;
        const { run } = process;
        const tag = tagOf(name, role, run);
        const answered = actors
          .onTheirWay(`unit:${name}`)
          .some((event) => event['run'] === run && event['role'] === role);
        if (!answered && !isChild(tag)) this.#open.set(tag, { unit: name, role, run });
      }
    }
  }

  /** The actors have started: what they have asked for again will be answered. */
  started(spawns: Spawns): void {
    for (const [tag, asked] of this.#open) if (spawns.waits(asked)) this.#open.delete(tag);
    this.#conclude();
  }

  /** Init has told of one more thing. */
  heard({ what }: InitRecord): void {
    if (this.#records <= 0) return;
    this.#records -= 1;
    const [body] = Object.values(what) as { readonly tag?: string }[];
    const tag = body?.tag === undefined ? undefined : whose(body.tag);
    if (tag !== undefined) this.#open.delete(tag);
    this.#conclude();
  }

  #conclude(): void {
    if (this.#records > 0 || this.#open.size === 0) return;
    this.#post([...this.#open.values()].map(this.#failed));
    this.#open.clear();
  }
}
