/** io.sysmaster.Units: reads. Changes are in unit-changes.ts. */
import type { DependencyKind, Unit } from '../../units/types.ts';
import { globber } from '../glob.ts';
import { ManagerError, type UnitSummary, type UnitView } from '../manager.ts';
import { unitProperties } from '../properties/unit.ts';
import type { CallContext, Handled, Reply } from '../session.ts';
import { unitChanges } from './unit-changes.ts';
import { edgeReply, findingReply, unitName, unknownUnit } from './wire.ts';

/** Null and absent are one. */
type Maybe<T> = T | null | undefined;
type Filter = {
  readonly patterns?: Maybe<string[]>;
  readonly types?: Maybe<string[]>;
  readonly states?: Maybe<string[]>;
};

const typeOf = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** A test for {@link Filter}; `statesOf` gives every word that the states may name. */
function filter<T extends { readonly name: string }>(
  { patterns, types, states }: Filter,
  statesOf: (item: T) => readonly string[],
) {
  const named = globber(patterns ?? []);
  return (item: T): boolean =>
    named(item.name) &&
    ((types ?? []).length === 0 || types!.includes(typeOf(item.name))) &&
    ((states ?? []).length === 0 || statesOf(item).some((state) => states!.includes(state)));
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

function supervisionReply({ unit, state }: UnitView): Reply | undefined {
  const settings = unit.unit.Supervisor;
  if (settings === undefined) return undefined;
  const { Strategy: strategy, Intensity: intensity, Period, OnEscalate: onEscalate } = settings;
  const periodUs = Period === 'infinity' ? undefined : Math.round(Period * 1000);
  return { strategy, intensity, periodUs, onEscalate, ...(state.supervision ?? { members: [], failures: [] }) };
}

function socketReply(unit: Unit, { state }: UnitView): Reply | undefined {
  if (unit.socket === undefined) return undefined;
  const counts = state.socket ?? { accepted: 0, connections: 0, refused: 0, controlPid: 0 };
  return {
    listen: unit.socket.Listen.map(({ kind, address }) => ({ kind, address })),
    accept: unit.socket.Accept,
    ...counts,
  };
}

function pathReply(unit: Unit, { state }: UnitView): Reply | undefined {
  if (unit.path === undefined) return undefined;
  const { triggered, triggeredBy } = state.path ?? { triggered: 0, triggeredBy: undefined };
  return { watches: unit.path.specs.map(({ kind, path }) => ({ setting: kind, path })), triggered, triggeredBy };
}

function unitReply(view: UnitView, { manager }: CallContext, processes: boolean): Reply {
  const { unit, state, preset } = view;
  const linked = (kind: DependencyKind): UnitSummary[] =>
    [
      ...new Set(
        manager
          .edges(unit.name)
          .filter((edge) => edge.kind === kind && edge.from === unit.name)
          .map((edge) => edge.to),
      ),
    ]
      .sort()
      .map((name) => manager.summary(name) ?? unknownUnit(name));
  return {
    name: unit.name,
    names: [...new Set([unit.name, ...unit.names])],
    description: unit.unit.Description === '' ? unit.name : unit.unit.Description,
    documentation: unit.unit.Documentation,
    load: unit.loadState,
    active: state.active,
    sub: state.sub,
    result: state.result,
    following: state.following,
    job: state.job,
    invocationId: state.invocationId,
    fragmentPath: unit.fragmentPath,
    sourcePath: unit.unit.SourcePath,
    dropInPaths: unit.dropInPaths,
    unitFileState: unit.unitFileState,
    preset,
    needDaemonReload: state.needDaemonReload,
    transient: unit.unitFileState === 'transient',
    stateChange: state.stateChange,
    activeEnter: state.activeEnter,
    activeExit: state.activeExit,
    inactiveEnter: state.inactiveEnter,
    inactiveExit: state.inactiveExit,
    condition: state.condition,
    assertion: state.assertion,
    controlGroup: state.controlGroup,
    group: processes ? manager.group(unit.name) : undefined,
    tasks: state.tasks,
    tasksMax: state.tasksMax,
    memoryBytes: state.memoryBytes,
    memoryPeakBytes: state.memoryPeakBytes,
    cpuNs: state.cpuNs,
    triggers: linked('Triggers'),
    triggeredBy: linked('TriggeredBy'),
    service: state.service,
    socket: socketReply(unit, view),
    path: pathReply(unit, view),
    supervision: supervisionReply(view),
    findings: unit.findings.map(findingReply),
  };
}

/** Breadth first from the root; a unit comes once, so this ends with the units there are. */
function reachable(root: string, kinds: readonly string[], { manager }: CallContext): Reply[] {
  const wanted = new Set(kinds);
  const seen = new Set([root]);
  const nodes: Reply[] = [];
  for (const name of seen) {
    const edges = manager.edges(name).filter((edge) => edge.from === name && wanted.has(edge.kind));
    const below = [...new Set(edges.map((edge) => edge.to))].sort();
    for (const next of below) seen.add(next);
    const { load, active, sub, description } = manager.summary(name) ?? unknownUnit(name);
    nodes.push({ name, load, active, sub, description, below });
  }
  return nodes;
}

export const units = {
  ...unitChanges,
  List: (asked: Filter, { manager }: CallContext): Handled => {
    const wanted = filter<UnitSummary>(asked, ({ load, active, sub }) => [load, active, sub]);
    return { reply: { units: manager.units().filter(wanted).sort(byName) } };
  },
  States: ({ names }: { names: string[] }, { manager }: CallContext): Handled => ({
    reply: {
      units: names.map((name) => {
        const { load, active, sub } = manager.summary(name) ?? unknownUnit(name);
        return { name, load, active, sub };
      }),
    },
  }),
  Get: ({ name, processes }: { name: string; processes?: Maybe<boolean> }, context: CallContext): Handled => ({
    reply: { unit: unitReply(context.manager.unit(unitName(name)), context, processes === true) },
  }),
  Properties: ({ name }: { name: string }, { manager }: CallContext): Handled => {
    const view = manager.unit(unitName(name));
    const cuts = manager.insight.cuts(view.unit.name);
    const cut =
      cuts.length === 0 ? {} : { CutOrderings: cuts.map(({ from, to }) => `${from} After ${to}`).join(' ; ') };
    return { reply: { properties: { ...unitProperties(view, manager.edges(view.unit.name)), ...cut } } };
  },
  Cat: ({ name }: { name: string }, { manager, owner }: CallContext): Handled => {
    const texts = manager.texts(unitName(name));
    const hidden = owner ? undefined : texts.find(({ mode }) => (mode & 0o004) === 0);
    if (hidden !== undefined) {
      throw new ManagerError({
        error: 'AccessDenied',
        unit: name,
        why: `${hidden.path} is not readable for everyone`,
        todo: 'run it as root',
      });
    }
    return { reply: { files: texts.map(({ path, text }) => ({ path, text })) } };
  },
  Files: (asked: Filter, { manager }: CallContext): Handled => {
    const wanted = filter<{ name: string; state: string }>(asked, ({ state }) => [state]);
    return { reply: { files: manager.unitFiles().filter(wanted).sort(byName) } };
  },
  FileStates: ({ names }: { names: string[] }, { manager }: CallContext): Handled => ({
    reply: {
      files: names.map((name) => manager.unitFile(unitName(name)) ?? { name, path: '', state: '', preset: '' }),
    },
  }),
  Dependencies: ({ name, kinds }: { name: string; kinds: string[] }, context: CallContext): Handled => {
    // One that is not there may be wanted all the same.
    context.manager.look([unitName(name)]);
    const { unit } = context.manager.unit(unitName(name));
    return { reply: { nodes: reachable(unit.name, kinds, context) } };
  },
  Edges: ({ name, kinds }: { name?: Maybe<string>; kinds?: Maybe<string[]> }, { manager }: CallContext): Handled => {
    const named = typeof name === 'string' ? [unitName(name)] : manager.units().map((unit) => unit.name);
    const of = (unit: string) => {
      const all = manager.edges(unit);
      return Array.isArray(kinds) ? all.filter(({ kind, from }) => from === unit && kinds.includes(kind)) : all;
    };
    return { reply: { edges: named.flatMap((unit) => of(unit).map(edgeReply)) } };
  },
};
