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
  readonly #times = new WeakMap<Unit, number>();
  #allMs = 0;
  /** How long the text is, and how long it was when nothing in it had been replaced; at first there is none, and it is written anew. */
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
    this.#needed = 0;
    for (const { unit, readMs, length } of found.values()) {
      this.#times.set(unit, Math.max(readMs, this.#allMs));
      this.#needed += length;
    }
    return new Map([...found].map(([name, { unit }]) => [name, { unit, readMs: this.#times.get(unit) as number }]));
  }

  /** These have been loaded. `all`: what is in memory, should it have to be written anew. */
  keep(units: readonly Unit[], readMs: number, all: () => readonly Unit[]): void {
    if (units.length === 0) return;
    for (const unit of units) this.#times.set(unit, readMs);
    this.#add(units.map((unit) => this.#line(unit)).join(''), all);
  }

  drop(names: readonly string[], all: () => readonly Unit[]): void {
    if (names.length > 0) this.#add(`${JSON.stringify(['g', ...names])}\n`, all);
  }

  /** All files have been read again; what has changed by it is kept besides. */
  reloaded(readMs: number, all: () => readonly Unit[]): void {
    this.#allMs = readMs;
    this.#add(`${JSON.stringify(['r', readMs])}\n`, all);
  }

  #line(unit: Unit): string {
    const readMs = Math.max(this.#times.get(unit) ?? 0, this.#allMs);
    return `u\t${unit.name}\t${readMs}\t${packUnit(unit, newDraft)}\n`;
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
      const text = `${this.#version}\n${units.map((unit) => this.#line(unit)).join('')}`;
      this.#port.replace(text);
      this.#length = text.length;
      this.#needed = text.length;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#broken = true;
      this.#fails(error);
      this.#port.replace('');
    }
  }
}
