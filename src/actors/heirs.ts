/**
 * Whom a process has left behind, between init's word of that and the process's end, which is its next word.
 *
 * It is not an input of its own: were it taken and the end not, a core that died in between would leave the next one without it.
 */
import type { Heir, Host, Left } from '../host/ports.ts';
import type { Pid } from '../machines/protocol.ts';
import { parseTag } from './names.ts';
import { guessMain } from './processes.ts';

const identity = ({ pid, startTime }: Heir): Pid => ({ pid, startTime });

export class Heirs {
  readonly #left = new Map<string, Left>();

  /** Init has told. */
  told(left: Left): void {
    this.#left.set(left.tag, left);
  }

  /** The end itself has come. Undefined: it has left nobody, or an older init does not tell. */
  taken(tag: string): Left | undefined {
    const left = this.#left.get(tag);
    this.#left.delete(tag);
    return left;
  }

  /** A process of a unit, by its pid, that may have ended by now. */
  named(unit: string, pid: number): Pid | undefined {
    const heirs = [...this.#left.values()].flatMap((left) => (parseTag(left.tag)?.unit === unit ? left.heirs : []));
    const found = heirs.find((heir) => heir.pid === pid);
    return found === undefined ? undefined : identity(found);
  }
}

/**
 * The main process that GuessMainPID= means: the one that was left behind when the parent ended. It may have ended since, while nobody
 * looked, and then init tells how. One that ended well and left another one behind was on the way to becoming a daemon.
 *
 * @param members pids of the unit's processes now
 */
export function guessHeir(host: Host, members: readonly number[], left: Left | undefined): Pid | undefined {
  const alive = guessMain(host, members);
  const last = left?.line === true ? left.heirs.at(-1) : undefined;
  if (last === undefined) return alive;
  const { ended } = last;
  const lives = ended === null && host.process.inspect(last.pid)?.startTime === last.startTime;
  const failed = ended !== null && !('exited' in ended && ended.exited === 0);
  return lives || failed ? identity(last) : (alive ?? identity(last));
}
