/**
 * analyze dot: the graph of units for dot(1) (systemd-analyze(1)).
 *
 * Of the units that the manager has in memory. With --root= or --all-files, and where no manager answers, it is drawn from the unit
 * files: of the units that the default target and the patterns' units reach.
 */
import type { Command } from 'commander';
import { originText } from '../../../units/cycles.ts';
import { createGraph } from '../../../units/graph.ts';
import { defaultTarget } from '../../../units/install.ts';
import { parseName } from '../../../units/names.ts';
import { matchesGlob } from '../../../units/syntax/glob.ts';
import type { DependencyKind, Edge } from '../../../units/types.ts';
import { CallError } from '../../client.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { answer, defineCommon, offline, repeated, wordsOf } from './offline.ts';

export function define(command: Command): void {
  defineCommon(command)
    .option('--order', 'only the order')
    .option('--require', 'only requirements')
    .option('--from-pattern <glob>', 'edges from such units', repeated)
    .option('--to-pattern <glob>', 'edges to such units', repeated)
    .option('--all-files', 'of every unit file there is, not only of what the default target reaches');
}

const REQUIRE: readonly (readonly [DependencyKind, string])[] = [
  ['Requires', 'black'],
  ['Requisite', 'darkblue'],
  ['Wants', 'grey66'],
  ['Conflicts', 'red'],
];
const ORDER: readonly (readonly [DependencyKind, string])[] = [['After', 'green']];
const DRAWN = [...ORDER, ...REQUIRE].map(([kind]) => kind);
const LEGEND = [
  '   Color legend: black     = Requires',
  '                 dark blue = Requisite',
  '                 dark grey = Wants',
  '                 red       = Conflicts',
  '                 green     = After',
];

/** Every unit's edges; undefined: there is no manager. */
async function edgesInMemory({ client }: Call): Promise<readonly Edge[] | undefined> {
  try {
    return (await client.call<{ edges: Edge[] }>('io.sysmaster.Units.Edges', { kinds: DRAWN })).edges;
  } catch (error) {
    if (error instanceof CallError || !(error instanceof CliError)) throw error;
    return undefined;
  }
}

/** The edges of all units that are looked at. */
function edgesOfFiles(call: Call, patterns: readonly string[]): readonly Edge[] {
  const { options } = call;
  const { loader } = offline(call);
  const graph = createGraph(loader);
  graph.load(defaultTarget(loader) ?? 'default.target');
  const files = [...loader.catalog().entries.keys()].filter((name) => parseName(name)?.kind !== 'template').sort();
  for (const name of patterns)
    if (parseName(name) !== undefined && parseName(name)?.kind !== 'template') graph.load(name);
  for (const name of files)
    if (options['allFiles'] === true || patterns.some((pattern) => matchesGlob(pattern, name))) graph.load(name);

  return graph.units().flatMap((unit) => DRAWN.flatMap((kind) => graph.edges(unit.name, kind)));
}

/** One arrow for each pair and kind, whatever number of reasons it has. */
function drawn(edges: readonly Edge[], kinds: readonly (readonly [DependencyKind, string])[]) {
  const found = new Map<string, { readonly edge: Edge; readonly color: string; readonly place: number }>();
  for (const edge of edges) {
    const place = kinds.findIndex(([kind]) => kind === edge.kind);
    const key = `${edge.from} ${edge.kind} ${edge.to}`;
    if (place >= 0 && !found.has(key)) found.set(key, { edge, color: kinds[place]![1], place });
  }
  return [...found.values()].sort(
    (a, b) => compareTexts(a.edge.from, b.edge.from) || a.place - b.place || compareTexts(a.edge.to, b.edge.to),
  );
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export async function run(call: Call): Promise<number> {
  const { options } = call;
  const patterns = await wordsOf(call);
  const from = (options['fromPattern'] ?? []) as readonly string[];
  const to = (options['toPattern'] ?? []) as readonly string[];
  const fromFiles = options['root'] !== undefined || options['allFiles'] === true;
  const known = (fromFiles ? undefined : await edgesInMemory(call)) ?? edgesOfFiles(call, patterns);
  const kinds =
    options['order'] === options['require'] ? [...ORDER, ...REQUIRE] : options['order'] === true ? ORDER : REQUIRE;
  const matches = (list: readonly string[], name: string) => list.some((pattern) => matchesGlob(pattern, name));
  const wanted = (edge: Edge): boolean =>
    (patterns.length === 0 || matches(patterns, edge.from) || matches(patterns, edge.to)) &&
    (from.length === 0 || matches(from, edge.from)) &&
    (to.length === 0 || matches(to, edge.to));
  const edges = drawn(known.filter(wanted), kinds);
  answer(
    call,
    edges.map(({ edge, color }) => ({
      from: edge.from,
      kind: edge.kind,
      to: edge.to,
      color,
      origin: originText(edge.origin),
    })),
    () => [
      'digraph systemd {',
      ...edges.map(({ edge, color }) => `\t"${edge.from}"->"${edge.to}" [color="${color}"];`),
      '}',
    ],
  );
  if (!call.json && options['json'] === undefined) for (const line of LEGEND) call.warn(line);
  return 0;
}
