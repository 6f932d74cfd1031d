/**
 * What we make of unit files beside what a live systemd makes of them: load state, edges, properties, and the lines that are
 * complained of. Each comparison answers with sentences about what differs, so that a test can take the known ones away.
 */
import * as fs from 'node:fs';
import { unitProperties } from '../../src/api/properties/unit.ts';
import { showValue } from '../../src/cli/commands/show.ts';
import { machineFacts } from '../../src/host/node/facts.ts';
import type { FilePort, MachineFacts } from '../../src/host/ports.ts';
import {
  createGraph,
  createUnitLoader,
  DEPENDENCY_KINDS,
  type Finding,
  type Graph,
  plainPaths,
  type Unit,
} from '../../src/units/index.ts';
import { fakeState } from '../unit/support/fake-units.ts';
import { diskFiles } from '../unit/units-support.ts';
import { PROBE, probeText, type Shown } from './live-systemd.ts';

/** The machine as the systemd of live-systemd.ts finds it: a container. */
export const peerFacts: MachineFacts = {
  ...machineFacts({ role: 'container', canSetUid: true }, '/run/sysmaster'),
  virtualization: 'container-other',
  hostname: fs.readFileSync('/proc/sys/kernel/hostname', 'utf8').trim(),
  environment: {},
};

/** The graph of everything that the unit {@link PROBE} over `names` reaches in these directories. */
export function ourGraph(directories: readonly string[], names: readonly string[]): Graph {
  const loader = createUnitLoader({
    files: withProbe(diskFiles(), names),
    facts: peerFacts,
    paths: plainPaths(['/run/probe', ...directories]),
    devices: true,
  });
  const graph = createGraph(loader);
  graph.load(PROBE);
  for (const name of ['init.scope', '-.mount']) graph.load(name); // systemd has these of itself
  return graph;
}

/** The probe, which lies elsewhere on our disk. */
function withProbe(files: FilePort, names: readonly string[]): FilePort {
  const place = `/run/probe/${PROBE}`;
  const text = probeText(names);
  const stat = {
    kind: 'file',
    size: text.length,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtimeMs: 0,
    dev: 0,
    ino: 1,
    rdev: 0,
  } as const;
  return {
    ...files,
    readText: (path) => (path === place ? text : files.readText(path)),
    list: (path) => (path === '/run/probe' ? [PROBE] : files.list(path)),
    lstat: (path) => (path === place ? stat : files.lstat(path)),
    stat: (path) =>
      path === place ? stat : path === '/run/probe' ? { ...stat, kind: 'directory', ino: 2 } : files.stat(path),
  };
}

/** systemd's units that come from the mount table, with their devices: the machine's, not the files'. */
export function foreignUnits(shown: ReadonlyMap<string, Shown>): ReadonlySet<string> {
  const mounts = [...shown].filter(([name, is]) => name.endsWith('.mount') && is.get('FragmentPath') === '');
  const devices = mounts.flatMap(([, is]) =>
    listOf(is.get('After')).filter((name) => name.endsWith('.device') || name.startsWith('blockdev@')),
  );
  return new Set([...mounts.map(([name]) => name).filter((name) => name !== '-.mount'), ...devices]);
}

/** `"a b"` as systemctl quotes words, undone. */
const unquoted = (value: string): string =>
  value.replace(/"((?:[^"\\]|\\.)*)"/g, (_, inner: string) => inner.replace(/\\(.)/g, '$1'));

const listOf = (value: string | undefined): string[] =>
  unquoted(value ?? '')
    .split(' ')
    .filter((word) => word !== '');

/** systemd lets a target come after what it is PartOf= if it happens to load the target first; here it never does. */
function dependsOnLoading(graph: Graph, name: string, kind: string, other: string): boolean {
  const isPart = (target: string, whole: string) =>
    target.endsWith('.target') && graph.others(target, 'PartOf').includes(whole);
  return (kind === 'After' && isPart(name, other)) || (kind === 'Before' && isPart(other, name));
}

/** `missing: a.service After b.service`, `extra: …`; both ways of each edge are looked at. */
export function edgeDifferences(graph: Graph, unit: Unit, theirs: Shown, foreign: ReadonlySet<string>): string[] {
  const out: string[] = [];
  const compare = (kind: string, their: Iterable<string>, our: Iterable<string>) => {
    const a = new Set([...their].filter((name) => !foreign.has(name)));
    const b = new Set([...our].filter((name) => !foreign.has(name)));
    for (const name of a)
      if (!b.has(name) && !dependsOnLoading(graph, unit.name, kind, name))
        out.push(`missing: ${unit.name} ${kind} ${name}`);
    for (const name of b) if (!a.has(name)) out.push(`extra: ${unit.name} ${kind} ${name}`);
  };
  for (const kind of DEPENDENCY_KINDS)
    if (theirs.has(kind)) compare(kind, listOf(theirs.get(kind)), graph.others(unit.name, kind));
  compare('Slice', listOf(theirs.get('Slice')), graph.others(unit.name, 'InSlice'));
  // systemctl quotes these in ways of its own.
  const words = (text: string): string[] => text.replaceAll('"', '').split(' ').filter(Boolean);
  compare(
    'RequiresMountsFor',
    words(theirs.get('RequiresMountsFor') ?? ''),
    words(unit.unit.RequiresMountsFor.join(' ')),
  );
  return out;
}

/** Of this boot and machine, not of the files; or compared elsewhere; or of what systemctl can print nothing. */
const RUNTIME =
  /Timestamp|^(ActiveState|SubState|InvocationID|Job|ControlGroup|CPUUsageNSec|ConditionResult|AssertResult|NeedDaemonReload|Slice|RequiresMountsFor|TasksMax|UnitFilePreset|Conditions|Asserts)$/;
/** systemd shows these as they are while the unit runs, and the unit does not run. */
const WHILE_RUNNING = /^WatchdogUSec$/;
/** ProtectKernelModules=, PrivateDevices= and the like take these away from a service; here they are not honoured yet. */
const TAKEN: ReadonlySet<string> = new Set([
  'cap_sys_module',
  'cap_mknod',
  'cap_sys_rawio',
  'cap_syslog',
  'cap_sys_time',
  'cap_wake_alarm',
]);
const KINDS: ReadonlySet<string> = new Set(DEPENDENCY_KINDS);
/** Lists in which order and repetition mean nothing. */
const SETS =
  /^(Names|RuntimeDirectory|StateDirectory|CacheDirectory|LogsDirectory|ConfigurationDirectory|UnsetEnvironment|PassEnvironment|AmbientCapabilities)$/;

const resting = fakeState('inactive', 'dead');

/** Properties that both show and that differ: `Nice of a.service: 0, not 1`; and how many were compared. */
export function propertyDifferences(
  graph: Graph,
  unit: Unit,
  theirs: Shown,
): { readonly differences: string[]; readonly compared: number } {
  const ours = unitProperties({ unit, state: resting, preset: '' }, graph.allEdges(unit.name));
  const differences: string[] = [];
  let compared = 0;
  for (const [name, theirValue] of theirs) {
    const ourValue = ours[name];
    if (ourValue === undefined || RUNTIME.test(name) || WHILE_RUNNING.test(name) || KINDS.has(name)) continue;
    compared += 1;
    if (name === 'CapabilityBoundingSet') {
      const those = new Set(listOf(theirValue));
      const odd = [
        ...listOf(ourValue).filter((each) => !those.has(each) && !TAKEN.has(each)),
        ...[...those].filter((each) => !listOf(ourValue).includes(each)),
      ];
      if (odd.length > 0) differences.push(`${name} of ${unit.name}: ${odd.join(' ')}`);
      continue;
    }
    const inOrder = (value: string) =>
      SETS.test(name) ? [...new Set(listOf(value))].sort().join(' ') : unquoted(value);
    const [mine, their] = [inOrder(showValue(name, ourValue).replaceAll('\n', ' ; ')), inOrder(theirValue)];
    if (mine !== their) differences.push(`${name} of ${unit.name}: ${their}, not ${mine}`);
  }
  return { differences, compared };
}

/** `file:line` of everything systemd has complained of. */
export function theirPlaces(log: readonly string[]): string[] {
  return [...new Set(log.flatMap((line) => /^(\/[^:]+:\d+): /.exec(line)?.[1] ?? []))].sort();
}

/**
 * `file:line` of our errors and warnings. Without `all` not of what systemd says without a line: edges that are dropped, and
 * units that are refused as a whole.
 */
export function ourPlaces(units: readonly Unit[], all = true): string[] {
  const counts = ({ severity, why, at }: Finding) =>
    severity !== 'note' &&
    at !== undefined &&
    at.line > 0 &&
    (all || (severity === 'warning' && !why.endsWith('edge is dropped')));
  const places = units.flatMap((unit) => unit.findings.filter(counts).map(({ at }) => `${at?.file}:${at?.line}`));
  return [...new Set(places)].sort();
}
