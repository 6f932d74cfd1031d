/**
 * A few words a unit that init keeps for a core that comes up without its state: what nothing that lives can tell. Which units are
 * up without a process, which have failed, how often they were restarted, whether the system had come up.
 *
 * Written from what is told of changes, once it is committed; issued again like all that is told, so that after a crash the notes
 * are as new as the checkpoint. Lines of JSON; a later one of a unit takes the place of an earlier one, and one that cannot be read
 * counts for nothing.
 *
 *     ["u", unit, ActiveState, SubState, result, restarts]    it is so
 *     ["d", unit, ms]                                         it is down since then (CLOCK_BOOTTIME), and has left processes behind
 *     ["g", unit]                                             it is not in memory any more
 *     ["s", up, ending]                                       the system has come up; it goes down
 */
import { type Host, HostError } from '../host/ports.ts';
import { isDown } from '../jobs/verbs.ts';
import type { ManagerContext } from '../machines/manager.ts';
import type { Result } from '../machines/protocol.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import type { UnitSnapshot } from '../machines/view.ts';
import type { Told } from './telling.ts';

/** What is known of a unit. */
export interface NotedUnit {
  readonly active: string;
  readonly sub: string;
  readonly result: Result;
  readonly restarts: number;
  /** It is down and had left processes behind at this time, ms of CLOCK_BOOTTIME. */
  readonly leftMs?: number;
}

/** All of it. */
export interface Noted {
  readonly units: ReadonlyMap<string, NotedUnit>;
  /** The boot was over, and the end had not begun. */
  readonly up: boolean;
}

const NOTHING: Noted = { units: new Map(), up: false };

type Line =
  | ['u', string, string, string, string, number]
  | ['d', string, number]
  | ['g', string]
  | ['s', boolean, boolean];

/** What the notes say. Never throws: what cannot be read is not there. */
export function readNotes({ notes }: Pick<Host, 'notes'>): Noted {
  let text: string;
  try {
    text = notes.load();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return NOTHING;
  }
  const units = new Map<string, NotedUnit>();
  let up = false;
  for (const line of text.split('\n')) {
    const read = lineOf(line);
    if (read === undefined) continue;
    if (read[0] === 's') up = read[1] && !read[2];
    else if (read[0] === 'g') units.delete(read[1]);
    else if (read[0] === 'd') {
      const known = units.get(read[1]);
      if (known !== undefined) units.set(read[1], { ...known, leftMs: read[2] });
    } else {
      const [, unit, active, sub, result, restarts] = read;
      units.set(unit, { active, sub, result: result as Result, restarts });
    }
  }
  return { units, up };
}

function lineOf(text: string): Line | undefined {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined; // the last one, cut off
  }
  const shapes = ['u,string,string,string,string,number', 'd,string,number', 'g,string', 's,boolean,boolean'];
  if (!Array.isArray(line)) return undefined;
  const [letter, ...fields] = line;
  return shapes.includes([letter, ...fields.map((field) => typeof field)].join()) ? (line as Line) : undefined;
}

export interface NotesParts {
  readonly host: Pick<Host, 'notes' | 'log' | 'clock'>;
  snapshot(unit: string): UnitSnapshot | undefined;
  manager(): Pick<ManagerContext, 'finishedMs' | 'ending'> | undefined;
}

/** Takes down what is told. */
export function createNotes({ host, snapshot, manager }: NotesParts): (told: Told) => void {
  let said = false;
  let system = '';

  const write = (text: string): void => {
    try {
      host.notes.append(text);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      // Full: the same without what was taken back.
      host.notes.replace(compact(readNotes(host), system) + text);
    }
  };

  return ({ unit, active, sub, result, unloaded }) => {
    const lines: Line[] = [];
    if (unit !== undefined && active !== undefined && sub !== undefined) {
      const { nRestarts: restarts = 0, populated } = (snapshot(unit)?.context ?? {}) as Partial<ServiceContext>;
      lines.push(['u', unit, active, sub, result ?? 'success', restarts]);
      if (isDown(active) && populated === true) lines.push(['d', unit, host.clock.bootMs()]);
    }
    for (const { name } of unloaded ?? []) lines.push(['g', name]);
    const own = manager();
    const [up, ending] = [(own?.finishedMs ?? null) !== null, (own?.ending ?? null) !== null];
    const now = JSON.stringify(['s', up, ending] satisfies Line);
    // A core that is on its way up again, after one that was, has not unmade that.
    const changed = (up || ending) && now !== system;
    if (changed) system = now;
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('') + (changed ? `${now}\n` : '');
    if (text === '') return;
    try {
      write(text);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (!said)
        host.log.log('warning', { errno: error.code }, 'what a core without its state is to know cannot be noted');
      said = true;
    }
  };
}

function compact({ units }: Noted, system: string): string {
  const lines = [...units].flatMap(([unit, { active, sub, result, restarts, leftMs }]): Line[] => [
    ['u', unit, active, sub, result, restarts],
    ...(leftMs === undefined ? [] : [['d', unit, leftMs] satisfies Line]),
  ]);
  return [...lines.map((line) => JSON.stringify(line)), system].map((line) => `${line}\n`).join('');
}
