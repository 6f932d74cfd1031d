/**
 * A statechart as data, for people and for drawing: the shape of an xstate definition with everything that is not
 * plain JSON left out. Made from `machine.root` by {@link chartOf}, so the drawing is of what runs.
 */

/** xstate's state value: a key, or an object of keys to values for compound and parallel states. */
export type MachineValue = string | { readonly [key: string]: MachineValue };

export interface ChartTransition {
  /** The event's type; empty for `always`. */
  readonly event: string;
  /** Absolute ids of states; none: the state is kept. */
  readonly targets: readonly string[];
  /** The guard's name; empty: none. */
  readonly guard: string;
  readonly actions: readonly string[];
}

export interface Chart {
  /** Absolute id: `service.starting.spawning`. */
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  /** Key of the initial child; empty: none. */
  readonly initial: string;
  readonly tags: readonly string[];
  readonly description: string;
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly on: readonly ChartTransition[];
  readonly states: readonly Chart[];
}

/** As much of an xstate StateNode as is read here (its `definition` lacks `always`). */
export interface StateNodeLike {
  readonly id: string;
  readonly key: string;
  readonly type: string;
  readonly initial?: unknown;
  readonly states?: Readonly<Record<string, StateNodeLike>>;
  readonly on?: Readonly<Record<string, unknown>>;
  readonly always?: readonly unknown[] | undefined;
  readonly entry?: readonly unknown[];
  readonly exit?: readonly unknown[];
  readonly tags?: readonly string[];
  readonly description?: string | undefined;
  readonly order?: number;
}

const asObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const asList = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];

/** Actions and guards are names, `{type}` objects, or (from helpers such as `assign` and `not`) functions. */
function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'function') return value.name === '' ? 'inline' : value.name;
  const type = asObject(value)['type'];
  return typeof type === 'string' ? type : 'inline';
}

function targetOf(value: unknown): string {
  if (typeof value === 'string') return value.replace(/^#/, '');
  const id = asObject(value)['id'];
  return typeof id === 'string' ? id : '';
}

function initialOf(definition: StateNodeLike): string {
  const [first] = asList(asObject(definition.initial)['target']);
  const id = targetOf(first ?? (typeof definition.initial === 'string' ? definition.initial : undefined));
  return id.slice(id.lastIndexOf('.') + 1);
}

function transition(event: string, value: unknown): ChartTransition {
  const { target, guard, actions } = asObject(value);
  return {
    event,
    targets: asList(target).map(targetOf),
    guard: guard === undefined || guard === null ? '' : nameOf(guard),
    actions: asList(actions).map(nameOf),
  };
}

/** The chart of a machine; pass `machine.root`. States stand in the order of the source. */
export function chartOf(definition: StateNodeLike): Chart {
  const type = definition.type;
  const on = Object.entries(definition.on ?? {}).flatMap(([event, values]) =>
    asList(values).map((value) => transition(event, value)),
  );
  const states = Object.values(definition.states ?? {}).sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
  return {
    id: definition.id,
    key: definition.key,
    type: type === 'compound' || type === 'parallel' || type === 'final' || type === 'history' ? type : 'atomic',
    initial: initialOf(definition),
    tags: [...(definition.tags ?? [])],
    description: definition.description ?? '',
    entry: asList(definition.entry).map(nameOf),
    exit: asList(definition.exit).map(nameOf),
    on: [...on, ...(definition.always ?? []).map((value) => transition('', value))],
    states: states.map((state) => chartOf(state)),
  };
}

/** The ids of all states that `value` is in, outermost first. */
export function activeIds(chart: Chart, value: MachineValue): string[] {
  const ids = [chart.id];
  const keys = typeof value === 'string' ? { [value]: {} } : value;
  for (const [key, below] of Object.entries(keys)) {
    const child = chart.states.find((state) => state.key === key);
    if (child !== undefined) ids.push(...activeIds(child, below));
  }
  return ids;
}
