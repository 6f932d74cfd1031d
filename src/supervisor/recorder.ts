/**
 * The flight recorder: the last steps of all actors, in a ring, in memory.
 *
 * A record holds references to what the step had in hand anyway (snapshots are immutable), so recording costs next to nothing;
 * text is made of it only when somebody wants to see it ({@link Recorder.recording}). The snapshots are kept as well, so that each step
 * can be run again elsewhere: of each actor the recording begins with the saved form from before its first step, or as much of it as
 * its steps need. Where a logic looks at more than its arguments, what it has looked at is part of the record.
 *
 * The ring is bounded by records, by an estimate of bytes, and by age. It dies with core: what a new core has is the state.
 */
import type { ActorEvent, ActorId, ActorKind, HostReport, Json, Looked } from './actor.ts';
import { masked } from './masking.ts';
import type { Prepared, PreparedEffect } from './steps.ts';

/** Of the text form. */
export const RECORDING_FORMAT = 1;
/** An event of this estimated size is recorded by its type alone. */
const EVENT_MAX = 256 * 1024;
/** What a record weighs besides its texts: a snapshot of which most is shared, and the record itself. */
const RECORD_BYTES = 600;
/** Failures that one recording names. */
const REASONS_MAX = 64;

/** What is kept, at most. Where one of them is 0 nothing is. */
export interface RecorderBounds {
  readonly records: number;
  readonly bytes: number;
  readonly ageMs: number | 'infinity';
}

export const RECORDER_BOUNDS: RecorderBounds = { records: 2048, bytes: 4 * 1024 * 1024, ageMs: 600_000 };

/** Why a recording was made; `seq` as in {@link HostReport}. */
export type RecordingReason = Pick<HostReport, 'what' | 'why' | 'seq'> & { readonly actor: string };

/** The saved form of an actor, as the checkpoint has it. */
export interface RecordedForm {
  readonly kind: string;
  readonly version: number;
  readonly form: Json;
}

/** Where a chart of a user's came from, and the SHA-256 of that file's text. */
export interface RecordedPlugin {
  readonly file: string;
  readonly sha256: string;
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
  /** What it looked at besides its arguments, as far as earlier steps of the actor have not told it. Absent, in an actor that does: too much to be kept. */
  readonly looked?: Json;
  /** The step threw, and nothing has changed. */
  readonly threw?: string;
  /** Of a core that kept no states of this actor: it cannot be run again. */
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
  /** Files of the machine plugins whose charts are in it, by the kind of their actors. Absent: none is, or it is of a core that did not name them. */
  readonly plugins?: Readonly<Record<string, RecordedPlugin>>;
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
  readonly before: unknown;
  readonly after: unknown;
  readonly looked: Looked | undefined;
  readonly change: Prepared['change'];
  /** Of the first step: the saved form. */
  readonly first: Json | undefined;
  readonly effects: readonly PreparedEffect[];
  readonly threw: string | undefined;
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
  readonly bounds?: Partial<RecorderBounds>;
  /** Called at the end of each turn, with what failed in it. Must not throw. */
  onTurn?(reasons: readonly RecordingReason[], nowMs: number): void;
}

const NO_EFFECTS: readonly PreparedEffect[] = [];

/** What a recording says besides what is in the ring. */
export type RecordingAbout = Pick<Recording, 'version' | 'bootId' | 'atMs' | 'realMs' | 'reasons' | 'plugins'>;

export class Recorder {
  readonly #options: RecorderOptions;
  #bounds: RecorderBounds;
  #ring: (Entry | undefined)[];
  #first = 0;
  #count = 0;
  #bytes = 0;
  #dropped = 0;
  #failures: RecordingReason[] = [];

  constructor(options: RecorderOptions = {}) {
    this.#options = options;
    this.#bounds = { ...RECORDER_BOUNDS, ...options.bounds };
    this.#ring = new Array<Entry | undefined>(this.#bounds.records).fill(undefined);
  }

  /** Nothing is kept. */
  get isOff(): boolean {
    const { records, bytes, ageMs } = this.#bounds;
    return records === 0 || bytes === 0 || ageMs === 0;
  }

  /** Other bounds from now on: what is kept stays as far as it fits, the newest of it. */
  rebound(bounds: RecorderBounds): void {
    const { records, bytes, ageMs } = this.#bounds;
    if (records === bounds.records && bytes === bounds.bytes && ageMs === bounds.ageMs) return;
    const kept = Array.from({ length: this.#count }, (_, at) => this.#at(at));
    this.#bounds = bounds;
    this.#ring = new Array<Entry | undefined>(bounds.records).fill(undefined);
    this.#first = 0;
    this.#count = 0;
    this.#bytes = 0;
    const newest = this.isOff ? [] : kept.slice(-bounds.records);
    this.#dropped += kept.length - newest.length;
    for (const entry of newest) this.#push(entry);
  }

  get length(): number {
    return this.#count;
  }

  /** Estimate of what the ring keeps alive. */
  get bytes(): number {
    return this.#bytes;
  }

  step(told: StepTold): void {
    if (this.isOff) return;
    const { seq, atMs, actor, kindName, kind, event, before, outcome } = told;
    const threw = typeof outcome === 'string' ? outcome : undefined;
    const prepared = typeof outcome === 'string' ? undefined : outcome;
    const [change, first] = [prepared?.change, prepared?.first];
    // What an actor begins with is part of its first state, of which the text tells the size: by what it was told as, since the rest of
    // it is shared with its like.
    const weight = first?.told.length ?? weigh(event ?? told.input, EVENT_MAX);
    const keep = weight < EVENT_MAX;
    const effects = prepared?.effects ?? NO_EFFECTS;
    const looked = kind.looked?.();
    let bytes = RECORD_BYTES + (keep ? weight : 0) + (looked?.bytes ?? 0);
    if (change !== undefined) bytes += 'diff' in change ? change.diff.length : change.saved.length;
    for (const effect of effects)
      bytes += 'builtin' in effect ? 100 + (effect.specText?.length ?? 0) : 40 + (effect.text?.length ?? 0);
    this.#push({
      ...{ seq, atMs, actor, kindName, kind, before, looked, change, first: first?.form, effects, threw, bytes },
      type: event?.type ?? '',
      event: keep ? event : undefined,
      input: keep && event === undefined ? (told.input ?? null) : undefined,
      after: prepared?.snapshot ?? before,
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

  /** What is in the ring, oldest first; `maxSteps`: the newest so many of it. `plugins`: by kind, those of which something is in it are named. */
  recording(about: RecordingAbout, maxSteps = Number.POSITIVE_INFINITY): Recording {
    const { plugins = {}, ...rest } = about;
    this.#dropOld(about.atMs);
    const skipped = Math.max(0, this.#count - maxSteps);
    const courses = new Map<ActorId, Course>();
    const steps: RecordedStep[] = [];
    for (let at = skipped; at < this.#count; at += 1) {
      const entry = this.#at(at);
      const course: Course = courses.get(entry.actor) ?? { first: entry, events: [], said: new Map() };
      courses.set(entry.actor, course);
      if (entry.event !== undefined) course.events.push(entry.event);
      steps.push(recorded(entry, course.said));
    }
    const named = Object.entries(plugins).filter(([kind]) => steps.some((step) => step.kind === kind));
    return {
      ...{ recording: RECORDING_FORMAT, ...rest, note: NOTE, dropped: this.#dropped + skipped },
      ...(named.length === 0 ? {} : { plugins: Object.fromEntries(named) }),
      ...{ starts: startsOf(courses), steps },
    };
  }

  #at(place: number): Entry {
    return this.#ring[(this.#first + place) % this.#ring.length] as Entry;
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
    const { ageMs } = this.#bounds;
    if (ageMs === 'infinity') return;
    const since = nowMs - ageMs;
    while (this.#count > 0 && (this.#ring[this.#first] as Entry).atMs < since) this.#drop();
  }
}

/** An actor on its way through the ring. */
interface Course {
  readonly first: Entry;
  readonly events: ActorEvent[];
  /** What it looked at and has been told. */
  readonly said: Map<string, unknown>;
}

/** Of each actor that was there before its first step the saved form that it had. */
function startsOf(courses: ReadonlyMap<ActorId, Course>): Recording['starts'] {
  const starts: Record<ActorId, RecordedForm> = {};
  for (const [actor, { first, events }] of courses) {
    const { kindName, kind, before } = first;
    if (before === undefined) continue;
    const { logic } = kind;
    const form = logic.excerpt?.(before, events) ?? logic.save(before);
    starts[actor] = { kind: kindName, version: logic.version, form: masked(form) };
  }
  return starts;
}

function recorded(entry: Entry, said: Map<string, unknown>): RecordedStep {
  const { seq, atMs, actor, kindName, type, event, input, after, looked, change, first, effects, threw } = entry;
  const state = (after as { readonly value?: Json } | null | undefined)?.value;
  return {
    ...{ seq, atMs, actor, kind: kindName, type },
    ...(event === undefined ? {} : { event: masked(plain(event)) }),
    ...(input === undefined ? {} : { input: masked(plain(input)) }),
    ...(state === undefined ? {} : { state }),
    ...(first === undefined ? {} : { saved: masked(plain(first)) }),
    ...(change === undefined
      ? {}
      : 'diff' in change
        ? { diff: masked(JSON.parse(change.diff) as Json) }
        : { saved: masked(JSON.parse(change.saved) as Json) }),
    ...(effects.length === 0 ? {} : { effects: effects.map(effectOf) }),
    ...(looked === undefined ? {} : { looked: masked(looked.told(said)) }),
    ...(threw === undefined ? {} : { threw }),
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
