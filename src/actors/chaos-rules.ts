/**
 * Whom a fault may hit, and whom it does hit: the blast radius. Pure.
 *
 * First every unit that was named is asked whether the fault suits it; then the radius says how many of those may be hit; then a
 * draw that depends on nothing but the seed and the names takes so many. Units that go down with another one count like it, and are
 * protected like it. What is refused is refused with a reason and a way out.
 */
import type { ChaosFault, ChaosSettings, ChaosWish } from '../api/chaos.ts';
import { CHAOS_FOR_MS } from '../api/chaos.ts';
import { globber } from '../api/glob.ts';
import { signalName } from '../units/syntax/signal.ts';

/** What the rules know of a unit that was named. */
export interface Candidate {
  readonly unit: string;
  /** It is a service, and in memory. */
  readonly service: boolean;
  /** Its main process is there and can be signalled. */
  readonly main: boolean;
  /** Some process of it is there. */
  readonly populated: boolean;
  /** It says READY=1 (Type=notify, notify-reload). */
  readonly notify: boolean;
  /** WatchdogSec= counts. */
  readonly watchdog: boolean;
  /** Faults of earlier requests that it is under. */
  readonly under: readonly ChaosFault['kind'][];
  /** Others that go down, or are restarted, when this one fails: bound to it, or of one group with it. */
  readonly along: readonly string[];
}

export interface Refused {
  readonly refused: string;
  readonly todo: string;
}

export interface Drawn {
  readonly units: readonly string[];
  readonly spared: readonly { readonly unit: string; readonly why: string }[];
  /** Units that are not hit, but go down with those that are, sorted. They count as well. */
  readonly along: readonly string[];
  readonly forMs: number;
}

/** Requests under way at the same time. */
export const RUNS_MAX = 32;
/** Spawns that one request lets fail. */
export const COUNT_MAX = 1000;
/** Signals more often than this are a storm, and no test. */
const EVERY_MIN_MS = 100;

/** The fault in words, for the history and the log. */
export function faultWords(fault: ChaosFault): string {
  switch (fault.kind) {
    case 'kill': {
      const every = fault.everyMs === undefined ? '' : ` every ${fault.everyMs / 1000} s`;
      return `${signalName(fault.signal)} to ${whomWords(fault.whom)}${every}`;
    }
    case 'hang':
      return `SIGSTOP to ${whomWords(fault.whom)}`;
    case 'delay_ready':
      return `READY=1 held back${fault.ms === undefined ? '' : ` for ${fault.ms / 1000} s`}`;
    case 'fail_spawn':
      return `the next ${fault.count === 1 ? 'process' : `${fault.count} processes`} not started: ${fault.errno} at step ${fault.step}`;
    case 'drop_watchdog':
      return 'WATCHDOG=1 not heard';
  }
}

const whomWords = (whom: 'main' | 'all') => (whom === 'main' ? 'the main process' : 'all processes');

/** Why the fault cannot be brought about on this unit; empty: it can. */
export function unsuited(fault: ChaosFault, unit: Candidate): string {
  if (!unit.service) return 'it is no service in memory';
  if (unit.under.includes(fault.kind)) return `it is under such a fault already`;
  switch (fault.kind) {
    case 'kill':
    case 'hang':
      if (fault.whom === 'main') return unit.main ? '' : 'it has no main process now';
      return unit.populated ? '' : 'it has no process now';
    case 'delay_ready':
      return unit.notify ? '' : 'it does not say READY=1; Type=notify does';
    case 'drop_watchdog':
      return unit.watchdog ? '' : 'it has no WatchdogSec=';
    case 'fail_spawn':
      return '';
  }
}

/** What is wrong with the request whatever units there are; undefined: nothing. */
export function fault(wish: ChaosWish, settings: ChaosSettings): Refused | undefined {
  const { fault: wanted, forMs = CHAOS_FOR_MS, atMost, percent } = wish;
  const seconds = (ms: number) => `${ms / 1000} s`;
  if (!(forMs > 0) || forMs > settings.maxMs)
    return {
      refused: `a fault for ${seconds(forMs)}: not within its bounds`,
      todo: `use a time up to ${seconds(settings.maxMs)}, or raise MaxSec= in [X-Chaos] of ${settings.path}`,
    };
  if (atMost !== undefined && (!Number.isSafeInteger(atMost) || atMost < 1))
    return { refused: `at most ${atMost} units: nobody would be hit`, todo: 'use a number from 1 on' };
  if (percent !== undefined && !(percent > 0 && percent <= 100))
    return { refused: `${percent} percent: not a share`, todo: 'use more than 0 and up to 100' };
  if (wish.core && wanted.kind !== 'kill' && wanted.kind !== 'hang')
    return { refused: `${wanted.kind} is nothing that could happen to core`, todo: 'use --kill or --hang' };
  if (wish.core && wish.units.length > 0)
    return { refused: 'core and units in one request', todo: 'ask for them one after the other' };
  if (!wish.core && wish.units.length === 0)
    return { refused: 'no unit is named', todo: 'name units with --unit, or core with --core' };
  if (wanted.kind === 'kill' && wanted.everyMs !== undefined && !(wanted.everyMs >= EVERY_MIN_MS))
    return { refused: `a signal every ${seconds(wanted.everyMs)}`, todo: `use ${seconds(EVERY_MIN_MS)} or more` };
  if (wanted.kind === 'delay_ready' && wanted.ms !== undefined && !(wanted.ms > 0))
    return { refused: `READY=1 held back for ${seconds(wanted.ms)}`, todo: 'use a time above 0' };
  if (wanted.kind === 'fail_spawn' && !(wanted.count >= 1 && wanted.count <= COUNT_MAX))
    return { refused: `${wanted.count} processes that cannot be started`, todo: `use 1 to ${COUNT_MAX}` };
  return undefined;
}

/**
 * Draw the units that are hit: with those that go down with them never more than the radius, none of them protected, the same ones
 * for the same seed.
 *
 * @param under units that earlier requests keep under a fault
 */
export function draw(
  wish: ChaosWish,
  settings: ChaosSettings,
  candidates: readonly Candidate[],
  under: ReadonlySet<string>,
  seed: number,
): Drawn | Refused {
  const { fault: wanted, atMost, percent, forMs = CHAOS_FOR_MS } = wish;
  const isProtected = settings.protect.length === 0 ? () => false : globber(settings.protect);
  const spared: { unit: string; why: string }[] = [];
  const fit: string[] = [];
  /** With whom each goes down, itself included. */
  const taken = new Map<string, readonly string[]>();
  for (const candidate of [...candidates].sort((a, b) => (a.unit < b.unit ? -1 : 1))) {
    const guarded = candidate.along.find(isProtected);
    const why = isProtected(candidate.unit)
      ? `Protect= in [X-Chaos] of ${settings.path} names it`
      : unsuited(wanted, candidate) ||
        (guarded === undefined
          ? ''
          : `${guarded} would go down with it, which Protect= in [X-Chaos] of ${settings.path} names`);
    taken.set(candidate.unit, [candidate.unit, ...candidate.along]);
    if (why === '') fit.push(candidate.unit);
    else spared.push({ unit: candidate.unit, why });
  }
  if (fit.length === 0) {
    const [first] = spared;
    const why = first === undefined ? 'there is none of that name in memory' : `${first.unit}: ${first.why}`;
    const more = spared.length > 1 ? `, and ${spared.length - 1} more` : '';
    return { refused: `no unit that this could be done to: ${why}${more}`, todo: 'see sctl list-units' };
  }
  const radius = Math.min(
    atMost ?? (percent === undefined ? wish.units.length : Number.POSITIVE_INFINITY),
    percent === undefined ? Number.POSITIVE_INFINITY : Math.floor((fit.length * percent) / 100),
  );
  if (radius < 1)
    return {
      refused: `${percent} percent of ${fit.length} ${fit.length === 1 ? 'unit is' : 'units are'} less than one`,
      todo: 'name more units, or a larger share, or --at-most',
    };
  const order = shuffled(fit, seed);
  // Who is under a fault already takes no more of what is allowed at the same time.
  let room = settings.maxUnits - under.size;
  const hit: string[] = [];
  const down = new Set<string>();
  let tooMany: string | undefined;
  for (const unit of order) {
    const more = (taken.get(unit) ?? []).filter((one) => !down.has(one));
    const fresh = more.filter((one) => !under.has(one)).length;
    if (down.size + more.length > radius && more.length > 1) tooMany ??= unit;
    if (down.size + more.length > radius || fresh > room) continue;
    room -= fresh;
    for (const one of more) down.add(one);
    hit.push(unit);
  }
  if (hit.length === 0 && tooMany !== undefined) {
    const all = taken.get(tooMany) ?? [];
    return {
      refused: `${tooMany} would take ${all.slice(1).join(', ')} down with it: ${all.length} units, more than ${radius}`,
      todo: `use --at-most=${all.length} if that is meant`,
    };
  }
  if (hit.length === 0)
    return {
      refused: `${under.size} units are under faults already, which is as many as may be`,
      todo: `wait, or sctl chaos stop, or raise MaxUnits= in [X-Chaos] of ${settings.path}`,
    };
  const struck = new Set(hit);
  const along = [...down].filter((unit) => !struck.has(unit)).sort();
  const others = fit.filter((unit) => !struck.has(unit) && !down.has(unit));
  return {
    units: hit.sort(),
    spared: [...spared, ...others.map((unit) => ({ unit, why: '' }))],
    along,
    forMs,
  };
}

/** A seed out of a text: FNV-1a, 32 bits. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** The names in an order that only the seed decides (Fisher and Yates; numbers by mulberry32). */
function shuffled(names: readonly string[], seed: number): string[] {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const order = [...names];
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = Math.floor(next() * (at + 1));
    [order[at], order[other]] = [order[other] as string, order[at] as string];
  }
  return order;
}
