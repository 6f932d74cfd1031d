/**
 * A recording, run again: the machines of this program, fed with what another core was told, step by step.
 *
 * Machines are pure, so the same snapshot and the same event must give the same snapshot and the same effects; where they do not,
 * the program is another one, or the recording was changed. Everything here is as deterministic as the machines: no clock, no world.
 * Each actor begins with its recorded saved form, and goes on from what this program made of it; after a difference from what was
 * recorded, so that one fault is told once.
 */
import { CHAOS, chaosLogic } from './actors/chaos-logic.ts';
import { unitsLogic } from './actors/small.ts';
import { UPGRADE, upgradeLogic } from './actors/upgrade.ts';
import { unitMachines } from './machines/index.ts';
import { jobMachine } from './machines/job.ts';
import { managerMachine } from './machines/manager.ts';
import type { ActorEvent, Json, Logic, RecordedStep, Recording } from './supervisor/index.ts';
import { machineLogic } from './supervisor/logic.ts';
import { masked } from './supervisor/masking.ts';

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
  /** State values; undefined: there is none to tell. */
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

// biome-ignore lint/suspicious/noExplicitAny: a machine's snapshot type is its own; here snapshots are only passed on.
type AnyLogic = Logic<any>;

/** The logics of the kinds that can be run again, by kind. */
export function logics(): Readonly<Record<string, AnyLogic>> {
  const machines = { ...unitMachines, job: jobMachine, manager: managerMachine };
  return {
    ...Object.fromEntries(Object.entries(machines).map(([kind, machine]) => [kind, machineLogic(machine)])),
    units: unitsLogic,
    [CHAOS]: chaosLogic,
    [UPGRADE]: upgradeLogic,
  };
}

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
  return inner as unknown as Recording;
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
  readonly logic: AnyLogic;
  snapshot: unknown;
  /** As recorded. */
  form: Json;
}

/** Run every step again, in order. Never throws for what a machine does. */
export function* replay(recording: Recording, known = logics()): Generator<Replayed, void, void> {
  const courses = new Map<string, Course | string>();
  for (const [actor, { kind, version, form }] of Object.entries(recording.starts)) {
    courses.set(actor, loaded(Object.hasOwn(known, kind) ? known[kind] : undefined, kind, version, form));
  }
  for (const step of recording.steps) yield again(step, courses, known);
}

function loaded(logic: AnyLogic | undefined, kind: string, version: number, form: Json): Course | string {
  if (logic === undefined) return `there is no machine ${kind} here`;
  try {
    return { logic, snapshot: logic.load(form, version), form };
  } catch (error) {
    return `its recorded state cannot be loaded here: ${messageOf(error)}`;
  }
}

function again(
  step: RecordedStep,
  courses: Map<string, Course | string>,
  known: Readonly<Record<string, AnyLogic>>,
): Replayed {
  const { actor, kind, event, input, threw } = step;
  const skipped = (why: string): Replayed => ({
    ...{ step, before: undefined, after: step.state, outcome: 'skipped', why, differences: [] },
  });
  if (step.blind === true) return skipped('its logic looks at more than what it was told');
  const course = courses.get(actor);
  if (input !== undefined) return begun(step, input, courses, Object.hasOwn(known, kind) ? known[kind] : undefined);
  if (course === undefined) return skipped('its state before is not recorded');
  if (typeof course === 'string') return skipped(course);
  const before = stateOf(course.form);
  const recorded = recordedForm(step, course);
  if (typeof recorded === 'string') {
    courses.set(actor, recorded);
    return skipped(recorded);
  }
  if (event === undefined) {
    courses.set(actor, loaded(course.logic, kind, course.logic.version, recorded.form));
    return { ...skipped('its event was too large to be recorded'), before };
  }
  let made: { readonly snapshot: unknown; readonly effects: Json } | undefined;
  let thrown: string | undefined;
  try {
    const { snapshot, effects } = course.logic.step(course.snapshot, event as unknown as ActorEvent);
    made = { snapshot, effects: plain(effects) };
  } catch (error) {
    thrown = messageOf(error);
  }
  return compared(step, { before, course, recorded: recorded.form, made, thrown, threw });
}

/** The actor's first step. */
function begun(
  step: RecordedStep,
  input: Json,
  courses: Map<string, Course | string>,
  logic: AnyLogic | undefined,
): Replayed {
  const none = { step, before: undefined, after: step.state, outcome: 'skipped' as const, differences: [] };
  if (logic === undefined || step.saved === undefined) {
    const why = logic === undefined ? `there is no machine ${step.kind} here` : 'its first state is not recorded';
    courses.set(step.actor, why);
    return { ...none, why };
  }
  try {
    const { snapshot, effects } = logic.initial(input);
    const course: Course = { logic, snapshot, form: step.saved };
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
function recordedForm({ saved, diff }: RecordedStep, { logic, form }: Course): { readonly form: Json } | string {
  if (saved !== undefined) return { form: saved };
  if (diff === undefined) return { form };
  try {
    if (logic.patch === undefined) throw new Error('nothing here reads differences of it');
    return { form: logic.patch(form, diff) };
  } catch (error) {
    return `its recorded state cannot be read here: ${messageOf(error)}`;
  }
}

interface Outcome {
  readonly before: Json | undefined;
  readonly course: Course;
  readonly recorded: Json;
  readonly made: { readonly snapshot: unknown; readonly effects: Json } | undefined;
  readonly thrown: string | undefined;
  readonly threw: string | undefined;
}

function compared(step: RecordedStep, { before, course, recorded, made, thrown, threw }: Outcome): Replayed {
  const differences: Difference[] = [];
  if (thrown !== threw) differences.push({ at: 'throw', recorded: threw, here: thrown });
  const here = made === undefined ? course.form : masked(plain(course.logic.save(made.snapshot)));
  if (threw === undefined && made !== undefined) {
    compare('', named(recorded), named(here), differences);
    compare('effects', plain(step.effects ?? []), masked(made.effects), differences);
  }
  if (differences.length === 0) {
    if (made !== undefined) course.snapshot = made.snapshot;
  } else {
    const next = loaded(course.logic, step.kind, course.logic.version, recorded);
    if (typeof next !== 'string') course.snapshot = next.snapshot;
  }
  course.form = recorded;
  const outcome = differences.length === 0 ? 'same' : 'different';
  return { step, before, after: stateOf(here), outcome, why: '', differences };
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

const stateOf = (form: Json): Json | undefined =>
  isObject(form) ? (form as Record<string, Json>)['value'] : undefined;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
