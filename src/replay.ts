/**
 * A recording, run again: the machines of this program, fed with what another core was told, step by step.
 *
 * Machines are pure, so the same snapshot and the same event must give the same snapshot and the same effects; where they do not,
 * the program is another one, or the recording was changed. Everything here is as deterministic as the machines: no clock, no world.
 * Each actor begins with its recorded saved form, and goes on from what this program made of it; after a difference from what was
 * recorded, so that one fault is told once.
 */
import { pluginKind } from './machines/plugin.ts';
import { type Charts, type Kind, kindsOf } from './replay-kinds.ts';
import type { ActorEvent, Json, RecordedPlugin, RecordedStep, Recording } from './supervisor/index.ts';
import { masked } from './supervisor/masking.ts';
import { messageOf } from './supervisor/message.ts';

export { definitionOfExports } from './machines/plugin.ts';
export type { Charts } from './replay-kinds.ts';
export { MASK, masked, maskedText } from './supervisor/masking.ts';
export type { RecordedStep, Recording };

/** A place where what happened here is not what was recorded. */
export interface Difference {
  /** `state`, `context.result`, `effects[2].params.ms`, `throw` … */
  readonly at: string;
  readonly recorded: Json | undefined;
  readonly here: Json | undefined;
}

/** One step and how it went here. */
export interface Replayed {
  readonly step: RecordedStep;
  /** State values, or states in words where there are no such values; undefined: there is none to tell. */
  readonly before: Json | undefined;
  readonly after: Json | undefined;
  /** `same` and `different`: it was run. `skipped`: it could not be, and `why` says the reason. */
  readonly outcome: 'same' | 'different' | 'skipped';
  readonly why: string;
  readonly differences: readonly Difference[];
}

/** Differences that are told of one step. */
const DIFFERENCES_MAX = 8;
/** Most steps of one recording. */
const STEPS_MAX = 100_000;

/** The recording in a file: by itself, or in a report. Throws an Error that says what is wrong with it. */
export function recordingOf(text: string): Recording {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    // All that core and sctl write ends so: what does not was cut short on its way.
    const cut = text.trimStart().startsWith('{') && !text.trimEnd().endsWith('}');
    throw new Error(cut ? 'not JSON: it ends in the middle, so a part of it is missing' : 'not JSON', { cause });
  }
  const inner = isObject(value) && isObject(value['recording']) ? value['recording'] : value;
  if (!isObject(inner) || typeof inner['recording'] !== 'number') throw new Error('there is no recording in it');
  if (inner['recording'] !== 1) throw new Error(`a recording of form ${inner['recording']}; form 1 is read here`);
  const { starts, steps } = inner;
  if (!isObject(starts) || !Array.isArray(steps)) throw new Error('a recording without starts and steps');
  if (steps.length > STEPS_MAX) throw new Error(`${steps.length} steps; at most ${STEPS_MAX} are read`);
  for (const [index, step] of steps.entries()) {
    const wrong = faultOfStep(step);
    if (wrong !== undefined) throw new Error(`step ${index + 1}: ${wrong}`);
  }
  for (const [actor, start] of Object.entries(starts))
    if (!isObject(start) || typeof start['kind'] !== 'string' || typeof start['version'] !== 'number')
      throw new Error(`the start of ${actor} has no kind and version`);
  const { plugins = {} } = inner;
  if (!isObject(plugins) || !Object.values(plugins).every(isPlugin))
    throw new Error('its machine plugins are no objects with file and sha256');
  return inner as unknown as Recording;
}

const isPlugin = (plugin: unknown): boolean =>
  isObject(plugin) && typeof plugin['file'] === 'string' && typeof plugin['sha256'] === 'string';

/** A chart of a user's that some of a recording's units follow. */
export interface NeededChart {
  /** Of the plugin, as units name it. */
  readonly name: string;
  /** Undefined: the core that recorded it kept too little of these units to run them again, and did not say where it came from. */
  readonly from: RecordedPlugin | undefined;
}

/** By name, each once. */
export function chartsNeeded({ steps, plugins = {} }: Recording): readonly NeededChart[] {
  const prefix = pluginKind('');
  const kinds = [...new Set(steps.map(({ kind }) => kind))].filter((kind) => kind.startsWith(prefix)).sort();
  return kinds.map((kind) => ({
    name: kind.slice(prefix.length),
    from: Object.hasOwn(plugins, kind) ? plugins[kind] : undefined,
  }));
}

function faultOfStep(step: unknown): string | undefined {
  if (!isObject(step)) return 'not an object';
  for (const key of ['actor', 'kind', 'type']) if (typeof step[key] !== 'string') return `no ${key}`;
  for (const key of ['seq', 'atMs']) if (typeof step[key] !== 'number') return `no ${key}`;
  const { event, effects } = step;
  if (event !== undefined && !(isObject(event) && typeof event['type'] === 'string')) return 'an event without a type';
  if (effects !== undefined && !(Array.isArray(effects) && effects.every(isObject)))
    return 'effects are no list of objects';
  return undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An actor on its way through the recording. */
interface Course {
  readonly kind: Kind;
  /** Of its form: what was recorded may be of another version than the logic here. */
  readonly version: number;
  snapshot: unknown;
  /** As recorded. */
  form: Json;
}

/** Of one run through a recording: actors, or why one cannot be run any more, and the kinds that there are. */
interface Run {
  readonly courses: Map<string, Course | string>;
  readonly kinds: ReadonlyMap<string, Kind>;
}

/**
 * Run every step again, in order. Never throws for what a machine does.
 *
 * @param charts those of users that are at hand; see {@link chartsNeeded}
 */
export function* replay(recording: Recording, charts: Charts = {}): Generator<Replayed, void, void> {
  const run: Run = { courses: new Map(), kinds: kindsOf(charts) };
  for (const [actor, { kind, version, form }] of Object.entries(recording.starts))
    run.courses.set(actor, loaded(run.kinds.get(kind) ?? missing(kind), version, form));
  for (const step of recording.steps) yield again(step, run);
}

const missing = (kind: string): string =>
  kind.startsWith(pluginKind(''))
    ? `the chart of the machine plugin ${kind.slice(pluginKind('').length)} is not at hand`
    : `there is no machine ${kind} here`;

function loaded(kind: Kind | string, version: number, form: Json): Course | string {
  if (typeof kind === 'string') return kind;
  try {
    return { kind, version, snapshot: kind.logic.load(form, version), form };
  } catch (error) {
    return `its recorded state cannot be loaded here: ${messageOf(error)}`;
  }
}

function again(step: RecordedStep, run: Run): Replayed {
  const { actor, event, input, threw } = step;
  const skipped = (why: string): Replayed => ({
    ...{ step, before: undefined, after: step.state, outcome: 'skipped', why, differences: [] },
  });
  if (step.blind === true) return skipped('the core that recorded it kept no states of it');
  const kind = run.kinds.get(step.kind);
  if (input !== undefined) return begun(step, input, run);
  const course = run.courses.get(actor);
  if (course === undefined) return skipped('its state before is not recorded');
  if (typeof course === 'string') return skipped(course);
  const before = stateOf(course.kind, course.snapshot);
  const recorded = recordedForm(step, course);
  const unknown = untold(step, kind);
  if (typeof recorded === 'string') {
    run.courses.set(actor, recorded);
    return skipped(recorded);
  }
  if (event === undefined || unknown !== undefined) {
    run.courses.set(actor, loaded(course.kind, course.version, recorded.form));
    return { ...skipped(unknown ?? 'its event was too large to be recorded'), before };
  }
  let made: Made | undefined;
  let thrown: string | undefined;
  try {
    const { snapshot, effects } = course.kind.logic.step(course.snapshot, event as unknown as ActorEvent);
    made = { snapshot, effects: plain(effects) };
  } catch (error) {
    thrown = messageOf(error);
  }
  return compared(step, { before, course, recorded: recorded.form, made, thrown, threw });
}

/** Pass on what the step has looked at. @returns why that cannot be done; undefined: it can */
function untold({ looked }: RecordedStep, kind: Kind | undefined): string | undefined {
  if (kind?.tell === undefined) return undefined;
  try {
    kind.tell(looked);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The actor's first step. */
function begun(step: RecordedStep, input: Json, { courses, kinds }: Run): Replayed {
  const none = { step, before: undefined, after: step.state, outcome: 'skipped' as const, differences: [] };
  const kind = kinds.get(step.kind);
  if (kind === undefined || step.saved === undefined) {
    const why = kind === undefined ? missing(step.kind) : 'its first state is not recorded';
    courses.set(step.actor, why);
    return { ...none, why };
  }
  try {
    const { snapshot, effects } = kind.logic.initial(input);
    const course: Course = { kind, version: kind.logic.version, snapshot, form: step.saved };
    courses.set(step.actor, course);
    const made = { snapshot, effects: plain(effects) };
    return compared(step, { ...none, course, recorded: step.saved, made, thrown: undefined, threw: undefined });
  } catch (error) {
    const why = `it cannot be started here: ${messageOf(error)}`;
    courses.set(step.actor, why);
    const differences = [{ at: 'throw', recorded: undefined, here: messageOf(error) }];
    return { ...none, outcome: 'different', why, differences };
  }
}

/** The saved form after the step as it was recorded; a string: it cannot be told. */
function recordedForm({ saved, diff }: RecordedStep, { kind, form }: Course): { readonly form: Json } | string {
  if (saved !== undefined) return { form: saved };
  if (diff === undefined) return { form };
  try {
    if (kind.logic.patch === undefined) throw new Error('nothing here reads differences of it');
    return { form: kind.logic.patch(form, diff) };
  } catch (error) {
    return `its recorded state cannot be read here: ${messageOf(error)}`;
  }
}

/** What came of a step here. */
interface Made {
  readonly snapshot: unknown;
  readonly effects: Json;
}

interface Outcome {
  readonly before: Json | undefined;
  readonly course: Course;
  readonly recorded: Json;
  readonly made: Made | undefined;
  readonly thrown: string | undefined;
  readonly threw: string | undefined;
}

function compared(step: RecordedStep, { before, course, recorded, made, thrown, threw }: Outcome): Replayed {
  const { kind, version } = course;
  const differences: Difference[] = [];
  if (thrown !== threw) differences.push({ at: 'throw', recorded: threw, here: thrown });
  if (threw === undefined && made !== undefined) {
    if (!isSameChange(step, course, made.snapshot)) {
      const here = masked(plain(kind.logic.save(made.snapshot)));
      compare('', named(asSavedHere(course, recorded)), named(here), differences);
    }
    compare('effects', plain(step.effects ?? []), masked(made.effects), differences);
  }
  const after = stateOf(kind, made === undefined ? course.snapshot : made.snapshot);
  if (differences.length === 0) {
    if (made !== undefined) course.snapshot = made.snapshot;
  } else {
    const next = loaded(kind, version, recorded);
    if (typeof next !== 'string') course.snapshot = next.snapshot;
  }
  course.form = recorded;
  const outcome = differences.length === 0 ? 'same' : 'different';
  return { step, before, after, outcome, why: '', differences };
}

/** Did the step change its actor as it did then? Asked of the change alone: the whole may be the states of thousands of units. */
function isSameChange({ saved, diff }: RecordedStep, { kind, version, snapshot }: Course, after: unknown): boolean {
  const { logic } = kind;
  if (version !== logic.version || saved !== undefined) return false;
  const isSame = snapshot === after || logic.same?.(snapshot, after) === true;
  if (isSame || diff === undefined) return isSame && diff === undefined;
  if (logic.diff === undefined) return false;
  const differences: Difference[] = [];
  compare('', diff, masked(plain(logic.diff(snapshot, after))), differences);
  return differences.length === 0;
}

/** Of another version it is converted first, or the forms themselves would differ. */
function asSavedHere({ kind: { logic }, version }: Course, recorded: Json): Json {
  if (version === logic.version) return plain(recorded);
  try {
    return plain(logic.save(logic.load(recorded, version)));
  } catch {
    return plain(recorded); // it cannot be converted: each difference in form is one
  }
}

/** `value` is called what people call it. */
function named(form: Json): Json {
  if (!isObject(form)) return form;
  const { value, ...rest } = form as Record<string, Json>;
  return value === undefined ? (rest as Json) : { state: value, ...rest };
}

/** What differs, deepest place first found; fields that are undefined are not there, as in JSON. */
function compare(at: string, recorded: Json | undefined, here: Json | undefined, into: Difference[]): void {
  if (into.length >= DIFFERENCES_MAX || recorded === here) return;
  const [a, b] = [recorded as unknown, here as unknown];
  if (Array.isArray(a) && Array.isArray(b)) {
    const length = Math.max(a.length, b.length);
    for (let index = 0; index < length; index += 1) compare(`${at}[${index}]`, a[index], b[index], into);
    return;
  }
  if (isObject(a) && isObject(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    for (const key of keys) compare(at === '' ? key : `${at}.${key}`, a[key] as Json, b[key] as Json, into);
    return;
  }
  into.push({ at, recorded, here });
}

const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

function stateOf({ words }: Kind, snapshot: unknown): Json | undefined {
  if (words !== undefined) return words(snapshot as never);
  return isObject(snapshot) ? (snapshot['value'] as Json | undefined) : undefined;
}
