/**
 * PID files outside of /run: looked for, and taken away, by the helper, since what lies there may hang (law 9).
 *
 * What is asked is not durable; after a crash of core recovery asks again for the units that wait.
 */
import type { Answer, Host } from '../host/ports.ts';
import type { Unit } from '../units/types.ts';
import { fitMain, pidFilePath } from './processes.ts';

/** How long the file system may take. A PID file that is not there is waited for less: then the helper answers with nothing. */
const LOOK_MS = 10_000;

/** Whether core may open this one itself. */
export const isNear = (path: string): boolean => /^\/(var\/)?run\//.test(path) && !path.split('/').includes('..');

type Found = { readonly pid: number; readonly startTime: number };

export class PidFiles {
  readonly #host: Host;
  readonly #tell: (key: string, unit: string, found: Found) => void;
  /** By key. */
  readonly #asked = new Map<string, { readonly unit: Unit; readonly group: string }>();
  /** Whether a unit waits for its file still. */
  readonly #awaited: (unit: string) => boolean;
  readonly #heirsOf: (unit: string) => readonly Found[];
  #count = 0;

  /**
   * @param heirsOf whom a unit's process has left behind: one of them may be named, and have ended
   * @param tell takes the main process that a file named, as an input
   */
  constructor(
    host: Host,
    awaited: (unit: string) => boolean,
    heirsOf: (unit: string) => readonly Found[],
    tell: (key: string, unit: string, found: Found) => void,
  ) {
    this.#host = host;
    this.#awaited = awaited;
    this.#heirsOf = heirsOf;
    this.#tell = tell;
  }

  /** Look for a unit's file until it is there or nobody waits for it; asked twice, it looks once. */
  look(unit: Unit, group: string): void {
    if ([...this.#asked.values()].some((asked) => asked.unit.name === unit.name)) return;
    this.#asked.set(this.#ask('pid-file', unit), { unit, group });
  }

  /** Take a file away. That it could not be is seen by who looks for it next. */
  remove(unit: Unit): void {
    this.#ask('remove', unit);
  }

  /** The helper has answered; true if it was asked by us. */
  answered(key: string, answer: Answer): boolean {
    if (!key.startsWith('pid-file:')) return false;
    const asked = this.#asked.get(key);
    this.#asked.delete(key);
    if ('error' in answer) {
      this.#host.log.log('warning', answer.error as Record<string, unknown>, 'a PIDFile= could not be looked at');
      return true;
    }
    if (asked === undefined || !this.#awaited(asked.unit.name)) return true;
    const [seen] = JSON.parse(answer.ok) as [[number, number] | null];
    const heirs = this.#heirsOf(asked.unit.name);
    const found = seen === null ? undefined : fitMain(this.#host, seen[0], seen[1] === 0, asked.group, heirs);
    if (found === undefined) this.look(asked.unit, asked.group);
    else this.#tell(key, asked.unit.name, found);
    return true;
  }

  #ask(kind: 'pid-file' | 'remove', unit: Unit): string {
    this.#count += 1;
    const key = `pid-file:${this.#host.hello.cores}.${this.#count}:${unit.name}`;
    const path = pidFilePath(unit.service?.PIDFile ?? '');
    this.#host.helper.checkPaths(key, JSON.stringify({ checks: [{ kind, path }] }), LOOK_MS);
    return key;
  }
}
