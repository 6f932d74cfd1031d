/**
 * Random sets of units and requests, from a seed: all kinds of dependencies, ordering cycles on demand, services that succeed,
 * fail, hang or say late that they are ready. The same set can be given to the simulated machine and to a live systemd: its
 * programs are one shell with very small scripts, of which {@link shell} knows how they go in virtual time.
 */

import type { About, Act, Programs } from '../../src/host/sim/index.ts';
import { randomStream } from '../../src/host/sim/kernel.ts';
import type { JobMode, RequestVerb } from '../../src/jobs/types.ts';
import type { DependencyKind } from '../../src/units/types.ts';

export interface UnitSet {
  readonly seed: number;
  /** Unit files by name; also drop-ins and links (`-> TARGET`), by their path. */
  readonly units: Readonly<Record<string, string>>;
  /** Where files are not simply units: the settings of each unit, by its main name; one name a line, and that a main name. */
  readonly meaning?: Readonly<Record<string, string>>;
  readonly requests: readonly SetRequest[];
}

/** What each unit of a set says, by its main name. */
export const textsOf = ({ units, meaning }: UnitSet): Readonly<Record<string, string>> => meaning ?? units;

/** How long after a request the one is made that does not wait for its end, ms. */
export const NEXT_MS = 120;

export interface SetRequest {
  readonly verb: RequestVerb;
  readonly units: readonly string[];
  readonly mode: JobMode;
  /** Is asked for {@link NEXT_MS} later, whatever runs then. */
  readonly next?: SetRequest;
}

export interface Taste {
  /** How many units; default 4 to 40. */
  readonly units?: number;
  /** Orderings may close rings. */
  readonly cycles?: boolean;
  /**
   * Only what ends the same way however fast the machine is: nothing hangs, dies by itself, or waits for its timeout, one
   * unit a request, and no unit needs itself in the end (orderings may go against the requirements all the same).
   */
  readonly steady?: boolean;
  /** With `steady`: requirements may close rings as well, units are isolated, and a request may name several. */
  readonly whole?: boolean;
  /** Stands before each unit's name, so that sets can be loaded side by side. */
  readonly prefix?: string;
}

/** Weights of the kinds: requirements are more frequent than the rest. */
const KINDS: readonly (readonly [DependencyKind, number])[] = [
  ['Requires', 6],
  ['Wants', 8],
  ['BindsTo', 3],
  ['Requisite', 2],
  ['PartOf', 3],
  ['Upholds', 1],
  ['Conflicts', 2],
  ['PropagatesReloadTo', 2],
  ['ReloadPropagatedFrom', 1],
  ['PropagatesStopTo', 1],
  ['StopPropagatedFrom', 1],
  ['OnFailure', 2],
  ['OnSuccess', 1],
];
/** By these a unit is started at a moment that no request chooses. */
export const STARTERS: ReadonlySet<string> = new Set(['Upholds', 'OnFailure', 'OnSuccess']);
/** What is asked of units, with its weight. */
export const VERBS: readonly (readonly [RequestVerb, number])[] = [
  ['start', 10],
  ['stop', 5],
  ['restart', 4],
  ['try-restart', 2],
  ['reload', 2],
  ['reload-or-restart', 2],
  ['try-reload-or-restart', 1],
];
/** What a set that is `whole` is asked besides: a verb and a mode. */
const OTHERS: readonly (readonly [RequestVerb, JobMode])[] = [
  ['start', 'isolate'],
  ['start', 'isolate'],
  ['start', 'isolate'],
  ['stop', 'triggering'],
];
const MODES: readonly (readonly [JobMode, number])[] = [
  ['replace', 12],
  ['fail', 2],
  ['ignore-dependencies', 1],
  ['ignore-requirements', 1],
  ['flush', 1],
  ['replace-irreversibly', 1],
];

/** A set from its seed; the same every time, everywhere. */
export function unitSet(seed: number, taste: Taste = {}): UnitSet {
  return new Maker(seed, taste).make();
}

class Maker {
  readonly #seed: number;
  readonly #taste: Taste;
  readonly #random: () => number;

  constructor(seed: number, taste: Taste) {
    this.#seed = seed;
    this.#taste = taste;
    this.#random = randomStream(seed);
  }

  make(): UnitSet {
    const count = this.#taste.units ?? 4 + Math.floor(this.#random() ** 2 * 37);
    const prefix = this.#taste.prefix ?? 'u';
    const names = Array.from({ length: count }, (_, index) => {
      const number = String(index).padStart(2, '0');
      return `${prefix}${number}.${this.#chance(0.15) ? 'target' : 'service'}`;
    });
    const lines = new Map(names.map((name) => [name, this.#settings(name)]));
    this.#relate(names, lines);
    const units = names.map((name) => [name, this.#text(name, lines.get(name) ?? [])] as const);
    const requests = Array.from({ length: 2 + this.#below(4) + (this.#taste.steady === true ? 2 : 0) }, (_, index) =>
      this.#request(names, index),
    );
    return { seed: this.#seed, units: Object.fromEntries(units), requests };
  }

  #relate(names: readonly string[], lines: ReadonlyMap<string, string[]>): void {
    const rank = names.map(() => this.#random());
    const edges = Math.floor(names.length * (1 + this.#random() * 1.5));
    for (let edge = 0; edge < edges; edge += 1) {
      const [one, other] = [this.#below(names.length), this.#below(names.length)];
      const kind = this.#weighted(KINDS);
      // Units that start each other again whenever they end go on for ever.
      const ringless = this.#taste.steady === true && (this.#taste.whole !== true || STARTERS.has(kind));
      const [a, b] = ringless && one < other ? [other, one] : [one, other];
      if (a === b && (this.#taste.steady === true || !this.#chance(0.02))) continue;
      const [from, to] = [names[a] as string, names[b] as string];
      lines.get(from)?.push(`${kind}=${to}`);
      if (this.#chance(0.6)) this.#order(a, b, names, lines, rank);
    }
    for (let edge = 0; edge < names.length / 2; edge += 1) {
      this.#order(this.#below(names.length), this.#below(names.length), names, lines, rank);
    }
  }

  /** Units are ordered after those of a smaller rank, unless cycles are wanted. */
  #order(
    a: number,
    b: number,
    names: readonly string[],
    lines: ReadonlyMap<string, string[]>,
    rank: readonly number[],
  ): void {
    if (a === b) return;
    const [first, second] = this.#taste.cycles === true || rank[a]! < rank[b]! ? [a, b] : [b, a];
    if (this.#chance(0.7)) lines.get(names[second] as string)?.push(`After=${names[first]}`);
    else lines.get(names[first] as string)?.push(`Before=${names[second]}`);
  }

  #settings(name: string): string[] {
    const lines = ['DefaultDependencies=no'];
    const steady = this.#taste.steady === true;
    if (this.#chance(0.04)) lines.push('RefuseManualStart=yes');
    if (this.#chance(0.04)) lines.push('RefuseManualStop=yes');
    if (this.#chance(0.06)) lines.push('StopWhenUnneeded=yes');
    if (this.#chance(0.05)) lines.push('ConditionPathExists=/nowhere');
    if (this.#chance(0.02)) lines.push('AssertPathExists=/nowhere');
    if (this.#chance(0.05)) lines.push('OnFailureJobMode=fail');
    if (this.#taste.whole === true) {
      if (this.#chance(name.endsWith('.target') ? 0.6 : 0.15)) lines.push('AllowIsolate=yes');
      if (this.#chance(0.1)) lines.push('IgnoreOnIsolate=yes');
      if (this.#chance(0.05)) lines.push('OnSuccessJobMode=replace-irreversibly');
    }
    if (!steady && this.#chance(0.06)) lines.push(`JobTimeoutSec=${200 + this.#below(800)}ms`);
    if (!steady && this.#chance(0.06)) lines.push(`JobRunningTimeoutSec=${100 + this.#below(500)}ms`);
    if (name.endsWith('.target')) return lines;
    lines.push('StartLimitIntervalSec=1h', 'StartLimitBurst=8');
    return lines;
  }

  #text(name: string, lines: readonly string[]): string {
    const head = `[Unit]\n${lines.join('\n')}\n`;
    return name.endsWith('.target') ? head : `${head}[Service]\n${this.#service().join('\n')}\n`;
  }

  #service(): string[] {
    const sh = (script: string) => `/bin/sh -c '${script}'`;
    const ms = 10 * (1 + this.#below(6));
    const brief = `sleep 0.0${ms / 10}`;
    const stays = this.#chance(0.4) ? ['RemainAfterExit=yes'] : [];
    const daemon = `ExecStart=${sh('exec sleep 1000')}`;
    const reloads = this.#chance(0.5) ? [`ExecReload=${sh('exit 0')}`] : [];
    const steady: (() => string[])[] = [
      () => [daemon, ...reloads],
      () => [daemon, ...reloads],
      () => ['Type=exec', daemon, ...reloads],
      () => ['Type=oneshot', `ExecStart=${sh(brief)}`, ...stays],
      () => ['Type=oneshot', `ExecStart=${sh(brief)}`, 'RemainAfterExit=yes'],
      () => ['Type=oneshot', `ExecStart=${sh(`${brief}; exit 1`)}`],
      () => [
        'Type=oneshot',
        `ExecStartPre=${sh(brief)}`,
        `ExecStart=${sh('exit 0')}`,
        `ExecStop=${sh(brief)}`,
        ...stays,
      ],
      () => [daemon, `ExecStartPre=${sh(brief)}`, `ExecStopPost=${sh(brief)}`, ...reloads],
      () => ['Type=exec', `ExecStart=/bin/nowhere`],
    ];
    const restless: (() => string[])[] = [
      // Hangs until its timeout, and perhaps does not obey then.
      () => ['Type=notify', daemon, `TimeoutStartSec=${300 + this.#below(500)}ms`],
      () => ['Type=notify', `ExecStart=${sh(`sleep 0.${1 + this.#below(9)}; ready; exec sleep 1000`)}`, ...reloads],
      () => [`ExecStart=${sh(`trap "" TERM; exec sleep 1000`)}`, 'TimeoutStopSec=300ms'],
      () => [`ExecStart=${sh(`sleep 0.${1 + this.#below(9)}; exit ${this.#below(2)}`)}`],
      () => [`ExecStart=${sh(`sleep 0.${1 + this.#below(9)}; exit 1`)}`, 'Restart=on-failure', 'RestartSec=50ms'],
      () => [`ExecStart=${sh(`sleep 0.${1 + this.#below(9)}; exit 0`)}`, 'Restart=always', 'RestartSec=0'],
      () => ['Type=oneshot', `ExecStart=${sh('exec sleep 1000')}`, `TimeoutStartSec=${300 + this.#below(500)}ms`],
      () => ['Type=forking', `ExecStart=${sh('fork; exit 0')}`],
    ];
    const choices = this.#taste.steady === true ? steady : [...steady, ...restless];
    return (choices[this.#below(choices.length)] as () => string[])();
  }

  #request(names: readonly string[], index: number): SetRequest {
    const pick = () => names[this.#below(names.length)] as string;
    const whole = this.#taste.whole === true;
    // Several units are as many transactions, and what the first has done when the second is made depends on the machine.
    const many =
      this.#taste.steady === true ? (whole && this.#chance(0.25) ? 2 + this.#below(2) : 1) : 1 + this.#below(3);
    const units = [...new Set(Array.from({ length: many }, pick))];
    if (whole && index > 0 && this.#chance(0.2)) {
      const [verb, mode] = OTHERS[this.#below(OTHERS.length)] as readonly [RequestVerb, JobMode];
      return { verb, units: units.slice(0, 1), mode };
    }
    const mode = this.#weighted(MODES);
    // The first request is one that leads somewhere.
    return { verb: index === 0 ? 'start' : this.#weighted(VERBS), units, mode: index === 0 ? 'replace' : mode };
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }

  #weighted<T>(choices: readonly (readonly [T, number])[]): T {
    const sum = choices.reduce((total, [, weight]) => total + weight, 0);
    let left = this.#random() * sum;
    for (const [choice, weight] of choices) {
      left -= weight;
      if (left < 0) return choice;
    }
    return (choices[choices.length - 1] as readonly [T, number])[0];
  }
}

/** What each word of a script does in virtual time. `ready` and `fork` are no shell's words: such sets are for the simulator alone. */
function actOf(command: string): Act | undefined {
  const [word, argument] = command.trim().split(' ');
  switch (word) {
    case 'sleep':
      return { after: Math.round(Number(argument) * 1000) };
    case 'exit':
      return { exit: Number(argument) };
    case 'ready':
      return { notify: 'READY=1' };
    case 'fork':
      return { fork: 'forked' };
    case 'exec':
    case 'trap':
      return undefined;
    default:
      throw new Error(`no such command in virtual time: ${command}`);
  }
}

function script({ argv }: About): readonly Act[] {
  const text = argv[2] ?? '';
  const acts = text.split(';').flatMap((command) => actOf(command) ?? []);
  return text.includes('exec ') ? acts : [...acts, { exit: 0 }];
}

/** `/bin/sh -c SCRIPT`. One that traps TERM is another program, since a program's signals are fixed. */
export const shell: Programs = { '/bin/sh': { run: script, on: { 15: onTerm } }, forked: {} };

function onTerm({ argv }: About): readonly Act[] {
  return argv[2]?.startsWith('trap') === true ? [] : [{ die: 15 }];
}
