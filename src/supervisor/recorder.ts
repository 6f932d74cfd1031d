/**
 * The flight recorder: the last steps of all actors, in a ring, in memory.
 *
 * A record holds references to what the step had in hand anyway (snapshots are immutable), so recording costs next to nothing;
 * text is made of it only when somebody wants to see it ({@link Recorder.recording}). Of an actor whose logic depends on nothing but
 * its arguments the snapshots are kept as well, so that its steps can be run again elsewhere: the recording then begins with the
 * saved form from before its first step. Of others it says what they were told and what they asked for.
 *
 * The ring is bounded by records, by an estimate of bytes, and by age. It dies with core: what a new core has is the state.
 */
import type { ActorEvent, ActorId, ActorKind, HostReport, Json } from './actor.ts';
import { masked } from './masking.ts';
import type { Prepared, PreparedEffect } from './steps.ts';

/** Of the text form. */
export const RECORDING_FORMAT = 1;
/** An event of this estimated size is recorded by its type alone: one of an actor that can be run again, and of another. */
const EVENT_MAX = 256 * 1024;
const BLIND_EVENT_MAX = 4096;
/** What a record weighs besides its texts: a snapshot of which most is shared, and the record itself. */
const RECORD_BYTES = 600;
/** Failures that one recording names. */
const REASONS_MAX = 64;

export interface RecorderBounds {
  readonly records: number;
  readonly bytes: number;
  readonly ageMs: number;
}

const BOUNDS: RecorderBounds = { records: 2048, bytes: 4 * 1024 * 1024, ageMs: 600_000 };

/** Why a recording was made; `seq` as in {@link HostReport}. */
export type RecordingReason = Pick<HostReport, 'what' | 'why' | 'seq'> & { readonly actor: string };

/** The saved form of an actor, as the checkpoint has it. */
export interface RecordedForm {
  readonly kind: string;
  readonly version: number;
  readonly form: Json;
}

/** One step. `input`: it is the actor's first. Neither that nor `event`: it was too large to keep. */
export interface RecordedStep {
  readonly seq: number;
  /** CLOCK_MONOTONIC, ms. */
  readonly atMs: number;
  readonly actor: ActorId;
  readonly kind: string;
  readonly type: string;
  readonly event?: Json;
  readonly input?: Json;
  /** xstate's state value afterwards, where there is one. */
  readonly state?: Json;
  /** The saved form afterwards: whole, or what {@link Logic.diff} said. Absent: it is what it was before. */
  readonly saved?: Json;
  readonly diff?: Json;
  readonly effects?: readonly { readonly type: string; readonly params?: Json }[];
  /** The step threw, and nothing has changed. */
  readonly threw?: string;
  /** It cannot be run again: its logic looks at more than its arguments. */
  readonly blind?: true;
}

/** The whole, as plain JSON. Secrets are masked; see masking.ts. */
export interface Recording {
  readonly recording: typeof RECORDING_FORMAT;
  /** Of the program. */
  readonly version: string;
  readonly bootId: string;
  /** When it was made: CLOCK_MONOTONIC and since 1970, in ms. */
  readonly atMs: number;
  readonly realMs: number;
  readonly reasons: readonly RecordingReason[];
  readonly note: string;
  /** Steps that were dropped since core came up. */
  readonly dropped: number;
  readonly starts: Readonly<Record<ActorId, RecordedForm>>;
  readonly steps: readonly RecordedStep[];
}

const NOTE =
  'Values of environment variables and whatever is named as a credential, a password, a secret or a token are masked. ' +
  'Command lines of units and texts of events are as they were: look through them before you pass this on.';

interface Entry {
  readonly seq: number;
  readonly atMs: number;
  readonly actor: ActorId;
  readonly kindName: string;
  readonly kind: ActorKind;
  readonly type: string;
  readonly event: ActorEvent | undefined;
  readonly input: Json | undefined;
  /** Both undefined for actors that cannot be run again. */
  readonly before: unknown;
  readonly after: unknown;
  readonly change: Prepared['change'];
  readonly effects: readonly PreparedEffect[];
  readonly threw: string | undefined;
  readonly blind: boolean;
  readonly bytes: number;
}

/** What the host tells of a step. `event` undefined: the actor starts, from `input`. `outcome` a string: it threw this. */
export interface StepTold {
  readonly seq: number;
  readonly atMs: number;
  readonly actor: ActorId;
  readonly kindName: string;
  readonly kind: ActorKind;
  readonly event?: ActorEvent;
  readonly input?: Json;
  readonly before: unknown;
  readonly outcome: Prepared | string;
}

export interface RecorderOptions {
  /** Kinds whose logic depends on nothing but its arguments. */
  readonly pure: ReadonlySet<string>;
  readonly bounds?: Partial<RecorderBounds>;
  /** Called at the end of each turn, with what failed in it. Must not throw. */
  onTurn?(reasons: readonly RecordingReason[], nowMs: number): void;
}

const NO_EFFECTS: readonly PreparedEffect[] = [];

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #bounds: RecorderBounds;
  readonly #ring: (Entry | undefined)[];
  #first = 0;
  #count = 0;
  #bytes = 0;
  #dropped = 0;
  #failures: RecordingReason[] = [];

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#bounds = { ...BOUNDS, ...options.bounds };
    this.#ring = new Array<Entry | undefined>(this.#bounds.records).fill(undefined);
  }

  get length(): number {
    return this.#count;
  }

  /** Estimate of what the ring keeps alive. */
  get bytes(): number {
    return this.#bytes;
  }

  step(told: StepTold): void {
    const { seq, atMs, actor, kindName, kind, before, outcome } = told;
    const blind = !this.#options.pure.has(kindName);
    const max = blind ? BLIND_EVENT_MAX : EVENT_MAX;
    const weight = weigh(told.event ?? told.input, max);
    const keep = weight < max;
    const threw = typeof outcome === 'string' ? outcome : undefined;
    const prepared = typeof outcome === 'string' ? undefined : outcome;
    const change = blind ? undefined : prepared?.change;
    const effects = prepared?.effects ?? NO_EFFECTS;
    let bytes = RECORD_BYTES + (keep ? weight : 0);
    if (change !== undefined) bytes += 'diff' in change ? change.diff.length : change.saved.length;
    for (const effect of effects) bytes += 'builtin' in effect ? 100 : 40 + (effect.text?.length ?? 0);
    this.#push({
      ...{ seq, atMs, actor, kindName, kind, change, effects, threw, blind, bytes },
      type: told.event?.type ?? '',
      event: keep ? told.event : undefined,
      input: keep && told.event === undefined ? (told.input ?? null) : undefined,
      before: blind ? undefined : before,
      after: blind ? undefined : (prepared?.snapshot ?? before),
    });
  }

  /** Something went wrong; {@link RecorderOptions.onTurn} hears of it at the end of the turn. */
  failure(reason: RecordingReason): void {
    if (this.#failures.length < REASONS_MAX) this.#failures.push(reason);
  }

  /** A turn is over. */
  settle(nowMs: number): void {
    this.#dropOld(nowMs);
    const failures = this.#failures;
    if (failures.length > 0) this.#failures = [];
    this.#options.onTurn?.(failures, nowMs);
  }

  /** What is in the ring, oldest first; `maxSteps`: the newest so many of it. */
  recording(
    about: Pick<Recording, 'version' | 'bootId' | 'atMs' | 'realMs' | 'reasons'>,
    maxSteps = Number.POSITIVE_INFINITY,
  ): Recording {
    this.#dropOld(about.atMs);
    const starts: Record<ActorId, RecordedForm> = {};
    const seen = new Set<ActorId>();
    const steps: RecordedStep[] = [];
    const skipped = Math.max(0, this.#count - maxSteps);
    for (let at = skipped; at < this.#count; at += 1) {
      const entry = this.#ring[(this.#first + at) % this.#ring.length] as Entry;
      const { actor, kindName, kind, before, blind } = entry;
      if (!blind && !seen.has(actor) && before !== undefined)
        starts[actor] = { kind: kindName, version: kind.logic.version, form: masked(kind.logic.save(before)) };
      seen.add(actor);
      steps.push(recorded(entry));
    }
    return { recording: RECORDING_FORMAT, ...about, note: NOTE, dropped: this.#dropped + skipped, starts, steps };
  }

  #push(entry: Entry): void {
    if (this.#count === this.#ring.length) this.#drop();
    this.#ring[(this.#first + this.#count) % this.#ring.length] = entry;
    this.#count += 1;
    this.#bytes += entry.bytes;
    while (this.#bytes > this.#bounds.bytes && this.#count > 1) this.#drop();
  }

  #drop(): void {
    const entry = this.#ring[this.#first] as Entry;
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#ring.length;
    this.#count -= 1;
    this.#bytes -= entry.bytes;
    this.#dropped += 1;
  }

  #dropOld(nowMs: number): void {
    const since = nowMs - this.#bounds.ageMs;
    while (this.#count > 0 && (this.#ring[this.#first] as Entry).atMs < since) this.#drop();
  }
}

function recorded(entry: Entry): RecordedStep {
  const { seq, atMs, actor, kindName, kind, type, event, input, after, change, effects, threw, blind } = entry;
  const form = blind || after === undefined ? undefined : (kind.logic.save(after) as { readonly value?: Json } | null);
  return {
    ...{ seq, atMs, actor, kind: kindName, type },
    ...(event === undefined ? {} : { event: masked(plain(event)) }),
    ...(input === undefined ? {} : { input: masked(plain(input)) }),
    ...(form?.value === undefined ? {} : { state: form.value }),
    ...(change === undefined
      ? {}
      : 'diff' in change
        ? { diff: masked(JSON.parse(change.diff) as Json) }
        : { saved: masked(JSON.parse(change.saved) as Json) }),
    ...(effects.length === 0 ? {} : { effects: effects.map(effectOf) }),
    ...(threw === undefined ? {} : { threw }),
    ...(blind ? { blind } : {}),
  };
}

function effectOf(effect: PreparedEffect): { readonly type: string; readonly params?: Json } {
  const { type, params } = 'builtin' in effect ? effect.builtin : effect.external;
  return params === undefined ? { type } : { type, params: masked(plain(params)) };
}

/** As JSON has it; what JSON cannot hold is named instead. */
function plain(value: unknown): Json {
  try {
    return JSON.parse(JSON.stringify(value)) as Json;
  } catch {
    return 'not plain data';
  }
}

/** Deeper than any event of ours: one that is, or that contains itself, counts as too large. */
const DEPTH_MAX = 64;

/** About how many characters it has as JSON; no more is looked at than `max` of them, and `max` stands for more. */
function weigh(value: unknown, max: number, depth = 0): number {
  if (typeof value === 'string') return Math.min(max, value.length + 3);
  if (typeof value !== 'object' || value === null) return 5;
  if (depth > DEPTH_MAX) return max;
  let sum = 2;
  for (const key in value) {
    sum += key.length + 4;
    if (sum >= max) return max;
    sum += weigh((value as Record<string, unknown>)[key], max - sum, depth + 1);
    if (sum >= max) return max;
  }
  return sum;
}
