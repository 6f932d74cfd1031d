/**
 * An xstate machine as a {@link Logic}: transitions are computed, never executed.
 *
 * Custom actions are collected, in order, as effects; what xstate would do by itself (start children, send, delay, log) is
 * refused with a throw, since nobody here would ever carry it out. One inert scope serves all machines: building one
 * per step costs four times the step. The saved form is { value, context, historyValue?, output? }, without machine or children.
 */
import {
  type ActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createEmptyActor,
  type EventObject,
  type StateValue,
} from 'xstate';
import type { Effect, Json, Logic } from './actor.ts';
import { type FieldsChange, fieldsChange, withChange } from './changes.ts';

/** More microsteps than this in one step is an `always` loop, and a throw. */
const MAX_MICROSTEPS = 1000;

/** A snapshot of a machine in the checkpoint. Short names: it is written at every commit. */
interface Saved {
  readonly value: StateValue;
  readonly context: { readonly [key: string]: Json | undefined };
  /** Ids of state nodes, by the id of their history state. */
  readonly history?: { readonly [key: string]: readonly string[] };
  readonly output?: Json;
}

/** What changed of it: of its context, and `h` and `o` null: gone. */
interface SavedDiff extends FieldsChange {
  readonly v?: StateValue;
  readonly h?: Saved['history'] | null;
  readonly o?: Json;
}

export interface MachineLogicOptions {
  /** Of the machine's states and context; raise it when a saved snapshot of the old form must be converted. */
  readonly version?: number;
  /** Turns a saved form of an older (or newer) version into this one's, or throws. */
  readonly migrate?: (saved: Json, version: number) => Json;
}

/** The one scope. Transitions run one at a time and to completion, so its collector is a plain variable. */
const scope = inertScope();
let collected: Effect[] = [];

/**
 * Adapt a machine. Throws where the machine has options that this host cannot serve; the machine itself is not changed
 * except that an endless `always` loop becomes a throw.
 */
export function machineLogic(machine: AnyStateMachine, options: MachineLogicOptions = {}): Logic<AnyMachineSnapshot> {
  const version = options.version ?? 1;
  const bound = machine.options.maxIterations;
  if (bound === undefined || bound > MAX_MICROSTEPS) machine.options.maxIterations = MAX_MICROSTEPS;
  const known = new Map<string, AnyMachineSnapshot>();
  return {
    name: machine.id,
    version,
    initial(input) {
      const { snapshot, effects } = collect(() => machine.getInitialSnapshot(scope, input));
      if (snapshot.status === 'error') throw snapshot.error;
      return { snapshot, effects };
    },
    step: (snapshot, event) => collect(() => machine.transition(snapshot, event as EventObject, scope)),
    save,
    load(saved, from) {
      const current = from === version ? saved : migrated(saved, from, version, options);
      return restore(machine, current as unknown as Saved, known);
    },
    same: (a, b) =>
      a === b ||
      (a.value === b.value && a.context === b.context && a.historyValue === b.historyValue && a.status === b.status),
    diff,
    patch,
    output: (snapshot) => (snapshot.status === 'done' ? ((snapshot.output as Json | undefined) ?? null) : undefined),
  };
}

function collect(run: () => AnyMachineSnapshot): { snapshot: AnyMachineSnapshot; effects: readonly Effect[] } {
  collected = [];
  const snapshot = run();
  const effects = collected;
  collected = [];
  return { snapshot, effects };
}

function inertScope(): ActorScope<AnyMachineSnapshot, EventObject> {
  const self = createEmptyActor();
  return {
    // biome-ignore lint/suspicious/noExplicitAny: an inert reference; a machine that uses it is refused below.
    self: self as any,
    id: 'host',
    sessionId: 'host',
    logger: () => {},
    defer: () => {},
    emit: () => {},
    system: self.system,
    stopChild: () => {},
    actionExecutor: (action) => {
      if (!action.type.startsWith('xstate.')) {
        collected.push({ type: action.type, params: action.params as unknown as Json | undefined });
        return;
      }
      const params = action.params as { delay?: unknown } | undefined;
      if (action.type === 'xstate.raise' && params?.delay === undefined) return; // already in the machine's own queue
      throw new Error(`${action.type} is not served here: ask for an effect by name`);
    },
  };
}

function migrated(saved: Json, from: number, version: number, options: MachineLogicOptions): Json {
  if (options.migrate === undefined) throw new Error(`saved as version ${from}, this is version ${version}`);
  return options.migrate(saved, from);
}

function save(snapshot: AnyMachineSnapshot): Json {
  const saved: Record<string, unknown> = { value: snapshot.value, context: snapshot.context };
  const history = savedHistory(snapshot);
  if (history !== undefined) saved['history'] = history;
  if (snapshot.output !== undefined) saved['output'] = snapshot.output;
  return saved as Json;
}

function savedHistory(snapshot: AnyMachineSnapshot): Record<string, string[]> | undefined {
  const entries = Object.entries(snapshot.historyValue);
  if (entries.length === 0) return undefined;
  return Object.fromEntries(entries.map(([id, nodes]) => [id, nodes.map((node) => node.id)]));
}

/**
 * Thousands of actors are restored in a handful of states: what follows from the state alone is found out once.
 *
 * @param known snapshots by their state, of those that have neither a history nor an output
 */
function restore(machine: AnyStateMachine, saved: Saved, known: Map<string, AnyMachineSnapshot>): AnyMachineSnapshot {
  if (saved?.history !== undefined || saved?.output !== undefined) return resolved(machine, saved);
  // No name of a state can be taken for a list of them.
  const state = typeof saved?.value === 'string' ? saved.value : `\0${JSON.stringify(saved?.value)}`;
  const same = known.get(state);
  if (same !== undefined) return { ...same, context: contextOf(saved) } as AnyMachineSnapshot;
  const snapshot = resolved(machine, saved);
  known.set(state, { ...snapshot, context: {} } as AnyMachineSnapshot);
  return snapshot;
}

function contextOf(saved: Saved): Saved['context'] {
  if (typeof saved?.context !== 'object' || saved.context === null) throw new Error('saved without a context');
  return saved.context;
}

/** xstate fills in missing regions without their entry actions: such a snapshot is not believed, but migrated by its author. */
function resolved(machine: AnyStateMachine, saved: Saved): AnyMachineSnapshot {
  const context = contextOf(saved);
  const historyValue = Object.fromEntries(
    Object.entries(saved.history ?? {}).map(([id, nodes]) => [
      id,
      nodes.map((node) => machine.getStateNodeById(`#${node}`)),
    ]),
  );
  const snapshot = machine.resolveState({
    value: saved.value,
    context,
    historyValue,
    ...(saved.output === undefined ? {} : { output: saved.output }),
  }) as AnyMachineSnapshot;
  if (!sameValue(snapshot.value, saved.value)) {
    throw new Error(`saved in state ${JSON.stringify(saved.value)}, which is no longer a whole state of ${machine.id}`);
  }
  return snapshot;
}

function sameValue(a: StateValue | undefined, b: StateValue | undefined): boolean {
  if (typeof a !== 'object' || typeof b !== 'object') return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => sameValue(a[key], b[key]));
}

function diff(before: AnyMachineSnapshot, after: AnyMachineSnapshot): Json {
  const change: Record<string, unknown> = {};
  if (before.value !== after.value) change['v'] = after.value;
  if (before.context !== after.context) Object.assign(change, fieldsChange(before.context, after.context));
  if (before.historyValue !== after.historyValue) change['h'] = savedHistory(after) ?? null;
  if (before.output !== after.output) change['o'] = after.output ?? null;
  return change as Json;
}

function patch(saved: Json, change: Json): Json {
  const was = saved as unknown as Saved;
  const diff = change as unknown as SavedDiff;
  const context = withChange(was.context, diff);
  const history = diff.h === undefined ? was.history : (diff.h ?? undefined);
  const output = diff.o === undefined ? was.output : diff.o;
  return {
    value: diff.v ?? was.value,
    context,
    ...(history === undefined ? {} : { history }),
    ...(output === undefined || output === null ? {} : { output }),
  } as Json;
}
