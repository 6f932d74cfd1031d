/**
 * What differs between a unit as it was loaded and as its files are now, key by key, and from when a difference counts.
 *
 * Settings are compared as written, in order, so that a reader finds them in the files; edges are compared as they are, whatever
 * rule or link they come from. Source: systemctl(1), daemon-reload; the manual page of each section.
 */
import type { Edge, Unit } from './types.ts';

/**
 * From when a change counts: `live` at once; `reload` when the unit is told to load its configuration again; `restart` when
 * its processes are started anew. A unit that is not running has only `live` ones.
 */
export type Effect = 'live' | 'reload' | 'restart';

export interface SettingChange {
  /** Section and key; for an edge `Unit` and its kind. */
  readonly section: string;
  readonly key: string;
  /** As written, in order, one value a line; undefined: it is not set. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly effect: Effect;
  /** Where the new value is written, or what the edge comes from; empty: nowhere. */
  readonly at: string;
}

export interface UnitChange {
  readonly unit: string;
  /** `broken`: it was well and cannot be loaded any more; `mended`: the other way round. */
  readonly what: 'new' | 'gone' | 'broken' | 'mended' | 'changed';
  readonly loadStateBefore: string;
  readonly loadState: string;
  /** The strongest of its settings: a restart counts more than a reload, that more than live. */
  readonly effect: Effect;
  readonly settings: readonly SettingChange[];
}

/** Used by a process from its start on, whatever comes later. Keys of [Service], [Socket] … that are not here count at once. */
const LIVE: ReadonlySet<string> = new Set([
  'Restart', 'RestartSec', 'RestartPreventExitStatus', 'RestartForceExitStatus', 'SuccessExitStatus', 'TimeoutStartSec', 'TimeoutStopSec',
  'TimeoutAbortSec', 'TimeoutSec', 'TimeoutStartFailureMode', 'TimeoutStopFailureMode', 'ExecStop', 'ExecStopPost', 'ExecStopPre', 'KillMode',
  'KillSignal', 'RestartKillSignal', 'SendSIGHUP', 'SendSIGKILL', 'FinalKillSignal', 'WatchdogSignal', 'NotifyAccess', 'OOMPolicy',
  'FileDescriptorStoreMax', 'GuessMainPID', 'TriggerLimitIntervalSec', 'TriggerLimitBurst', 'PollLimitIntervalSec', 'PollLimitBurst', 'MaxConnections', 'MaxConnectionsPerSource', 'RemoveOnStop',
  'OnCalendar', 'OnActiveSec', 'OnBootSec', 'OnStartupSec', 'OnUnitActiveSec', 'OnUnitInactiveSec', 'AccuracySec', 'RandomizedDelaySec', 'Persistent', 'WakeSystem', 'RemainAfterElapse', 'RuntimeDirectoryPreserve', 'LazyUnmount', 'ForceUnmount',
]); // biome-ignore format: a list of words
/** Used the next time that the unit is reloaded. */
const RELOAD: ReadonlySet<string> = new Set(['ExecReload', 'ReloadSignal']);
/** [Unit] keys that are only looked at when the unit is started; the others of this section count at once. */
const AT_START = /^(Condition|Assert)/;

/** When a changed setting counts for a unit that runs. */
export function effectOf(section: string, key: string): Effect {
  if (section === 'Unit' || section === 'Install' || section.startsWith('X-')) return 'live';
  if (RELOAD.has(key)) return 'reload';
  return LIVE.has(key) ? 'live' : 'restart';
}

const RANK: Readonly<Record<Effect, number>> = { live: 0, reload: 1, restart: 2 };

/** Load states of units whose files are at fault. */
const isBroken = (unit: Unit): boolean => unit.loadState === 'bad-setting' || unit.loadState === 'error';
const isThere = (unit: Unit): boolean => unit.loadState !== 'not-found';

/**
 * Differences between two loads, by name; units without any are left out.
 *
 * @param isActive has it processes, listeners or the like, which were made with the settings from before?
 */
export function compareUnits(
  before: readonly Unit[],
  after: readonly Unit[],
  isActive: (name: string) => boolean,
): UnitChange[] {
  const old = new Map(before.map((unit) => [unit.name, unit]));
  const fresh = new Map(after.map((unit) => [unit.name, unit]));
  const names = [...new Set([...old.keys(), ...fresh.keys()])].sort();
  return names.flatMap((name) => {
    const was = old.get(name);
    const is = fresh.get(name);
    if (was === is) return []; // kept over the reload
    const change = compareUnit(was, is, isActive(name));
    return change === undefined ? [] : [{ ...change, unit: name }];
  });
}

function compareUnit(was: Unit | undefined, is: Unit | undefined, active: boolean): UnitChange | undefined {
  const there = was !== undefined && isThere(was);
  const stays = is !== undefined && isThere(is);
  if (!there && !stays) return undefined;
  const states = { loadStateBefore: was?.loadState ?? 'stub', loadState: is?.loadState ?? 'stub' };
  const name = (is ?? was)?.name ?? '';
  const bare = { unit: name, effect: 'live', settings: [] } as const;
  if (was === undefined || (!there && stays)) return { ...bare, ...states, what: 'new' };
  if (is === undefined) return undefined; // nothing names it any more; its files may be as they were
  if (!stays) return { ...bare, ...states, what: 'gone' };
  if (was.loadState !== is.loadState && isBroken(is)) return { ...bare, ...states, what: 'broken' };
  const settings = [...settingChanges(was, is, active), ...edgeChanges(was, is)];
  const mended = was.loadState !== is.loadState && isBroken(was);
  if (settings.length === 0 && was.loadState === is.loadState) return undefined;
  const effect = settings.reduce<Effect>((most, one) => (RANK[one.effect] > RANK[most] ? one.effect : most), 'live');
  return { unit: name, ...states, what: mended ? 'mended' : 'changed', effect, settings };
}

/** Keys that are edges are told as edges. */
const EDGE_KEYS: ReadonlySet<string> = new Set([
  'Requires', 'Requisite', 'Wants', 'BindsTo', 'PartOf', 'Upholds', 'Conflicts', 'Before', 'After', 'OnFailure', 'OnSuccess',
  'PropagatesReloadTo', 'ReloadPropagatedFrom', 'PropagatesStopTo', 'StopPropagatedFrom', 'JoinsNamespaceOf',
]); // biome-ignore format: a list of words

interface Written {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly at: string;
}

/** All settings of a unit, by section and key, values in order. An empty assignment takes back those before it. */
function written(unit: Unit): Map<string, Written> {
  const out = new Map<string, Written>();
  for (const assignments of Object.values(unit.raw)) {
    for (const { section, key, value, at } of assignments) {
      if (section === 'Unit' && EDGE_KEYS.has(key)) continue;
      const id = `${section}.${key}`;
      const known = value === '' ? undefined : out.get(id);
      const place = `${at.file}:${at.line}`;
      out.set(id, { section, key, value: known === undefined ? value : `${known.value}\n${value}`, at: place });
    }
  }
  return out;
}

function settingChanges(was: Unit, is: Unit, active: boolean): SettingChange[] {
  const before = written(was);
  const after = written(is);
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((id) => {
    const [old, fresh] = [before.get(id), after.get(id)];
    const either = fresh ?? old;
    if (either === undefined || old?.value === fresh?.value) return [];
    const { section, key } = either;
    const effect = active && !AT_START.test(key) ? effectOf(section, key) : 'live';
    return [{ section, key, before: old?.value, after: fresh?.value, effect, at: fresh?.at ?? '' }];
  });
}

function edgeChanges(was: Unit, is: Unit): SettingChange[] {
  const lists = (unit: Unit) => {
    const kinds = new Map<string, Edge[]>();
    for (const edge of unit.edges) kinds.set(edge.kind, [...(kinds.get(edge.kind) ?? []), edge]);
    return kinds;
  };
  const [before, after] = [lists(was), lists(is)];
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((kind) => {
    const namesOf = (edges: readonly Edge[] | undefined) => [...new Set((edges ?? []).map(({ to }) => to))].sort();
    const [old, fresh] = [namesOf(before.get(kind)), namesOf(after.get(kind))];
    if (old.join(' ') === fresh.join(' ')) return [];
    const added = (after.get(kind) ?? []).find(({ to }) => !old.includes(to));
    return [
      {
        section: 'Unit',
        key: kind,
        before: old.length === 0 ? undefined : old.join('\n'),
        after: fresh.length === 0 ? undefined : fresh.join('\n'),
        effect: 'live' as const,
        at: added === undefined ? '' : originText(added),
      },
    ];
  });
}

const originText = ({ origin }: Edge): string =>
  'file' in origin ? `${origin.file}:${origin.line}` : 'link' in origin ? origin.link : origin.rule;
