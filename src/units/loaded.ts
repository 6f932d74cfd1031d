/**
 * The units in memory as they were loaded, for the next core: whoever has edited a unit file since must not find it in force because
 * core has died. A text that is only ever added to, and written anew when it is full.
 *
 *     ["v", version]                                   of the program, to the letter; another one reads unit files instead
 *     u TAB name TAB readMs TAB head TAB body          a unit and when its files were read (CLOCK_REALTIME); see packed.ts
 *     ["g", name, …]                                   these are not in memory any more
 *     ["r", readMs]                                    all of them were found to be as their files are
 *
 * A later line on a unit takes the place of an earlier one.
 */
import { HostError, type NotesPort } from '../host/ports.ts';
import { newDraft } from './blank.ts';
import { packUnit, unpackUnit } from './packed.ts';
import type { Unit } from './types.ts';

/** A unit, and when its files were last found to say so; CLOCK_REALTIME ms. */
export interface LoadedUnit {
  readonly unit: Unit;
  readonly readMs: number;
}

/** So much may be written besides what is needed, and as much again as that. */
const SPARE = 1024 * 1024;

export class LoadedUnits {
  readonly #port: NotesPort;
  readonly #version: string;
  readonly #fails: (error: HostError) => void;
  /** What is in the text and counts: by name, when its files were read, and how long its line is. */
  readonly #kept = new Map<string, { readonly readMs: number; readonly length: number }>();
  #allMs = 0;
  /** How long the text is, and how much of it counts; at first there is none, and it is written anew. */
  #length = Number.POSITIVE_INFINITY;
  #needed = 0;
  /** What is kept is not what there is, and counts for nothing. */
  #broken = false;

  /** @param fails told, once, why units cannot be kept: then the next core reads unit files */
  constructor(port: NotesPort, version: string, fails: (error: HostError) => void) {
    this.#port = port;
    this.#version = JSON.stringify(['v', version]);
    this.#fails = fails;
  }

  /** What the last core of this version had in memory, by name; empty: nothing, or it was another version. */
  restore(): ReadonlyMap<string, LoadedUnit> {
    const found = new Map<string, LoadedUnit & { readonly length: number }>();
    const text = this.#load();
    const lines = text.split('\n');
    if (lines[0] !== this.#version) return found;
    for (const line of lines.slice(1, -1)) {
      if (line.startsWith('u\t')) {
        const [, name = '', readMs = '', head = '', body = ''] = line.split('\t');
        const unit = unpackUnit(head, body, newDraft);
        found.set(name, { unit, readMs: Number(readMs), length: line.length });
        continue;
      }
      const [letter, ...rest] = JSON.parse(line) as ['g', ...string[]] | ['r', number];
      if (letter === 'r') this.#allMs = rest[0] as number;
      else for (const name of rest as string[]) found.delete(name);
    }
    this.#length = text.length;
    this.#forgetAll();
    for (const [name, { readMs, length }] of found) this.#note(name, readMs, length);
    return new Map(
      [...found].map(([name, { unit, readMs }]) => [name, { unit, readMs: Math.max(readMs, this.#allMs) }]),
    );
  }

  /**
   * These have been loaded.
   *
   * @param readAt when the unit's files were read
   * @param all what is to be kept by now, should it have to be written anew
   */
  keep(units: readonly Unit[], readAt: (unit: Unit) => number, all: () => readonly Unit[]): void {
    if (units.length === 0) return;
    const isFirst = this.#length === Number.POSITIVE_INFINITY;
    let text = '';
    for (const unit of units) {
      const readMs = readAt(unit);
      const line = isFirst ? '' : lineOf(unit, readMs);
      this.#note(unit.name, readMs, line.length);
      text += line;
    }
    this.#add(text, all);
  }

  /** These are not to be kept any more; one that is not makes no difference. */
  drop(names: readonly string[], all: () => readonly Unit[]): void {
    const dropped = names.filter((name) => this.#kept.has(name));
    if (dropped.length === 0) return;
    for (const name of dropped) this.#forget(name);
    this.#add(`${JSON.stringify(['g', ...dropped])}\n`, all);
  }

  /** All files have been read again; what has changed by it is kept besides. */
  reloaded(readMs: number, all: () => readonly Unit[]): void {
    this.#allMs = readMs;
    this.#add(`${JSON.stringify(['r', readMs])}\n`, all);
  }

  #note(name: string, readMs: number, length: number): void {
    this.#forget(name);
    this.#kept.set(name, { readMs, length });
    this.#needed += length;
  }

  #forget(name: string): void {
    this.#needed -= this.#kept.get(name)?.length ?? 0;
    this.#kept.delete(name);
  }

  #forgetAll(): void {
    this.#kept.clear();
    this.#needed = 0;
  }

  #load(): string {
    try {
      return this.#port.load();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#fails(error);
      return '';
    }
  }

  #add(text: string, all: () => readonly Unit[]): void {
    if (this.#broken) return;
    this.#length += text.length;
    if (this.#length > 2 * this.#needed + SPARE) return this.#writeAnew(all());
    try {
      this.#port.append(text);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#writeAnew(all());
    }
  }

  /** Without what has been replaced since. */
  #writeAnew(units: readonly Unit[]): void {
    try {
      const times = new Map([...this.#kept].map(([name, { readMs }]) => [name, readMs]));
      this.#forgetAll();
      const lines = units.map((unit) => {
        const readMs = Math.max(times.get(unit.name) ?? 0, this.#allMs);
        const line = lineOf(unit, readMs);
        this.#note(unit.name, readMs, line.length);
        return line;
      });
      const text = `${this.#version}\n${lines.join('')}`;
      this.#port.replace(text);
      this.#length = text.length;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#broken = true;
      this.#fails(error);
      this.#port.replace('');
    }
  }
}

const lineOf = (unit: Unit, readMs: number): string => `u\t${unit.name}\t${readMs}\t${packUnit(unit, newDraft)}\n`;
