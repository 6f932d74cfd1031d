/**
 * What is wrong with units beyond what loading them says: programs and manual pages that are not there, units that are needed
 * and cannot be had, and ordering cycles. For `sctl analyze verify`; core never asks, since a program's path may hang.
 * Source: systemd-analyze(1), verify.
 */
import { type FilePort, HostError } from '../host/ports.ts';
import { orderingCycles, originText } from './cycles.ts';
import { about } from './finding.ts';
import type { Graph } from './graph.ts';
import type { Edge, Finding, Origin, Unit } from './types.ts';

export interface Reviewed {
  readonly unit: string;
  readonly finding: Finding;
}

export interface ReviewOptions {
  /** Look for the manual pages that Documentation= names. */
  readonly documentation: boolean;
  /** The orderings that are given up when the units of a knot are started together. */
  readonly cuts: (members: readonly string[]) => readonly { readonly edge: Edge }[];
}

/** Where programs without a directory are looked for (systemd.exec(5), ExecSearchPath=). */
const SEARCH_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const MANUALS = ['/usr/local/share/man', '/usr/share/man'];
const BAD: Readonly<Record<string, string>> = {
  'not-found': 'is not there',
  masked: 'is masked',
  'bad-setting': 'has a setting that is refused',
  error: 'cannot be loaded',
};

/**
 * All that is wrong with these units and with what they reach, each said once, in the order of names.
 *
 * Of the units named also the programs, manual pages and needed units are looked at.
 */
export function review(
  graph: Graph,
  files: Pick<FilePort, 'stat' | 'access' | 'list'>,
  names: readonly string[],
  { documentation, cuts }: ReviewOptions,
): readonly Reviewed[] {
  const out: Reviewed[] = [];
  const told = new Set<string>();
  const tell = (unit: string, finding: Finding) => {
    const { at, what, why } = finding;
    // Units that share a file, as instances do, share its faults.
    const key = JSON.stringify([at ?? unit, what, why]);
    if (told.has(key)) return;
    told.add(key);
    out.push({ unit, finding });
  };
  const named = new Set<string>();
  for (const name of names) {
    const unit = graph.load(name);
    named.add(unit.name);
    if (unit.loadState === 'not-found')
      tell(name, about('error', '', name, 'there is no file for it', 'see sctl analyze unit-paths'));
  }
  for (const unit of graph.units()) {
    for (const finding of unit.findings) tell(unit.name, finding);
    if (!named.has(unit.name)) continue;
    for (const finding of missingPrograms(unit, files)) tell(unit.name, finding);
    if (documentation) for (const finding of missingManuals(unit, files)) tell(unit.name, finding);
    for (const finding of missingUnits(graph, unit)) tell(unit.name, finding);
  }
  for (const cycle of orderingCycles(graph)) {
    const cut = new Set(cuts(cycle.members).map(({ edge }) => `${edge.from} ${edge.to}`));
    const [ring] = cycle.rings;
    for (const one of cycle.rings) {
      const [first] = one;
      if (first !== undefined) tell(first.from, cycleFinding(one, cut));
    }
    if (cycle.more && ring !== undefined)
      tell((ring[0] as Edge).from, {
        ...cycleFinding(ring, cut),
        severity: 'note',
        why: `${cycle.members.length} units wait for each other in more rings than these ${cycle.rings.length}`,
        todo: 'take edges away until none is left',
      });
  }
  return out;
}

function findingAt(
  origin: Origin,
  file: string,
  severity: Finding['severity'],
  what: string,
  why: string,
  todo: string,
): Finding {
  if ('file' in origin) return { severity, at: { file: origin.file, line: origin.line, column: 1 }, what, why, todo };
  return about(severity, 'link' in origin ? origin.link : file, what, why, todo);
}

/** A ring told as one sentence, at the first of its edges that stands in a file; `cut` holds the orderings that a start gives up. */
function cycleFinding(ring: readonly Edge[], cut: ReadonlySet<string>): Finding {
  const written = ring.find((edge) => 'file' in edge.origin) ?? ring.find((edge) => 'link' in edge.origin) ?? ring[0];
  const givenUp = ring
    .filter(({ from, to }) => cut.has(`${from} ${to}`))
    .map(({ from, to, origin }) => `${from} does not wait for ${to} (${originText(origin)})`);
  const steps = ring.map((edge) => `${edge.from} comes after ${edge.to} (${originText(edge.origin)})`);
  return findingAt(
    written?.origin ?? { rule: '' },
    '',
    'error',
    'ordering cycle',
    steps.join(', '),
    `take one of these edges away${givenUp.length === 0 ? '' : `; until then ${givenUp.join(', and ')}`}`,
  );
}

/** The commands of a unit, with the setting each stands in. */
function commandsOf(unit: Unit): { readonly key: string; readonly path: string; readonly ignoreFailure: boolean }[] {
  const section = unit.service ?? unit.socket ?? {};
  return Object.entries(section).flatMap(([key, value]) =>
    /^Exec/.test(key) && Array.isArray(value)
      ? value.map(({ path, ignoreFailure }: { path: string; ignoreFailure: boolean }) => ({ key, path, ignoreFailure }))
      : [],
  );
}

function missingPrograms(unit: Unit, files: Pick<FilePort, 'stat' | 'access'>): Finding[] {
  // Below a root of its own we cannot look.
  if (unit.raw['RootDirectory'] !== undefined || unit.raw['RootImage'] !== undefined) return [];
  return commandsOf(unit).flatMap(({ key, path, ignoreFailure }) => {
    if (ignoreFailure) return [];
    const why = programFault(path, files);
    if (why === undefined) return [];
    const lines = unit.raw[key] ?? [];
    const at = (lines.find((line) => line.value.includes(path)) ?? lines[lines.length - 1])?.at;
    return [{ severity: 'error', at, what: `${key}=${path}`, why, todo: 'install the program or mend the path' }];
  });
}

/** Why a program cannot be run; undefined: it can. */
function programFault(path: string, files: Pick<FilePort, 'stat' | 'access'>): string | undefined {
  const places = path.startsWith('/') ? [path] : SEARCH_PATH.map((directory) => `${directory}/${path}`);
  let found = false;
  for (const place of places) {
    try {
      const stat = files.stat(place);
      if (stat === undefined) continue;
      found = true;
      if (stat.kind === 'file' && files.access(place, 'x')) return undefined;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return `cannot be looked at: ${error.code}`;
    }
  }
  return found ? 'not a program that can be run' : 'there is no such program';
}

function missingManuals(unit: Unit, files: Pick<FilePort, 'list'>): Finding[] {
  return unit.unit.Documentation.flatMap((reference) => {
    const [, page, section] = /^man:(.+)\(([0-9][^)]*)\)$/.exec(reference) ?? [];
    if (page === undefined || section === undefined) return [];
    const pages = MANUALS.map((root) => files.list(`${root}/man${section[0]}`));
    // A machine without manual pages misses none.
    if (pages.every((list) => list === undefined)) return [];
    const stem = `${page}.${section}`;
    if (pages.some((list) => list?.some((file) => file === stem || file.startsWith(`${stem}.`)) ?? false)) return [];
    const lines = unit.raw['Documentation'] ?? [];
    const at = (lines.find((line) => line.value.includes(reference)) ?? lines[lines.length - 1])?.at;
    return [
      {
        severity: 'warning',
        at,
        what: reference,
        why: 'there is no such manual page',
        todo: 'install it or mend the reference',
      },
    ];
  });
}

/** Units without which it cannot start: those it requires, with what these require, and the one it triggers. */
function missingUnits(graph: Graph, unit: Unit): Finding[] {
  const out: Finding[] = [];
  const seen = new Set([unit.name]);
  const waiting = [unit.name];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    for (const kind of ['Requires', 'Requisite', 'BindsTo', 'Triggers'] as const) {
      if (kind === 'Triggers' && name !== unit.name) continue;
      for (const edge of graph.edges(name, kind)) {
        if (seen.has(edge.to)) continue;
        seen.add(edge.to);
        const other = graph.get(edge.to);
        const why = other === undefined ? undefined : BAD[other.loadState];
        if (why !== undefined && other?.type !== 'device')
          out.push(
            findingAt(
              edge.origin,
              unit.fragmentPath,
              'error',
              `${kind}=${edge.to}`,
              `${edge.to} ${why}, so ${unit.name} cannot be started`,
              'install or mend it, or weaken the dependency',
            ),
          );
        else if (kind !== 'Triggers') waiting.push(edge.to);
      }
    }
  }
  const socket = unit.socket;
  if (socket?.Accept === true && unit.loadState === 'loaded') {
    const service = `${unit.name.slice(0, -'.socket'.length)}@0.service`;
    const why = BAD[graph.load(service).loadState];
    const at = (unit.raw['Accept'] ?? [])[0]?.at;
    if (why !== undefined)
      out.push({
        severity: 'error',
        at,
        what: 'Accept=yes',
        why: `${service} ${why}, so ${unit.name} cannot be started`,
        todo: 'add the template of the service',
      });
  }
  return out;
}
