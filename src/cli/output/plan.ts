/** Plans for people and programs: as text, as a tree of what pulls in what, and as a graph in DOT. */
import type { PlanDocument, PlannedJob, Reason } from '../../jobs/types.ts';
import { counted } from '../../units/counted.ts';
import type { Style } from './style.ts';
import { spanText } from './time.ts';
import { branches } from './tree.ts';

type Origin = PlanDocument['cuts'][number]['edge']['origin'];

function originWords(origin: Origin): string {
  if ('file' in origin) return `${origin.file}:${origin.line}`;
  return 'link' in origin ? origin.link : `rule: ${origin.rule}`;
}

export function reasonWords(reason: Reason): string {
  if ('asked' in reason) return `asked for by ${reason.asked}`;
  if ('isolate' in reason) return `${reason.isolate} is isolated`;
  if ('triggers' in reason) return `it triggers ${reason.triggers}`;
  const { from, kind, to, origin } = reason.edge;
  return `${from} ${kind} ${to}, from ${originWords(origin)}`;
}

/** Names in a line are cut after so many. */
const MAX_NAMES = 8;
const some = (names: readonly string[]): string =>
  names.length <= MAX_NAMES
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMES).join(', ')} and ${names.length - MAX_NAMES} more`;

const span = (ms: number): string => spanText(Math.round(ms * 1000), 1000);

function estimateWords({ jobs, estimate }: PlanDocument): string {
  if (estimate.unknown === jobs.length) return 'how long it takes is not known';
  const rest =
    estimate.unknown === 0 ? '' : ` and what ${counted(estimate.unknown, 'job')} that never ran before may take`;
  return `about ${span(estimate.ms)}${rest}`;
}

const edgeText = ({ from, kind, to, origin }: PlanDocument['cuts'][number]['edge']): string =>
  `${from} ${kind} ${to} (${originWords(origin)})`;

/** Edges of a ring that are shown. */
const MAX_RING = 24;

/** The ring that a cut opens, an edge a line. */
function ringLines({ ring, edges = [] }: PlanDocument['cuts'][number]): string[] {
  const shown = edges.slice(0, MAX_RING);
  const rest = ring.length - shown.length;
  return [
    ...shown.map((edge, at) => `${at === 0 ? 'ring: ' : '      '}${edgeText(edge)}`),
    ...(rest > 0 ? [`      … and ${rest} more of ${ring.length} units`] : []),
  ];
}

/** One line and its reasons for each job, in waves; then everything that is given up, waited for or stopped. */
export function planText(plan: PlanDocument, style: Style): string[] {
  const { jobs, notes, cuts, replaces, stops, stands, waits, estimate } = plan;
  const label = (word: string) => style.yellow(word.padEnd(8));
  const after = [
    ...(stops.length === 0
      ? []
      : [`${label('stops')} ${some(stops.map(({ unit }) => unit))} (up, and not named in the request)`]),
    ...replaces.map(({ job, unit, why }) => `${label('replaces')} job ${job} of ${unit}: ${why}`),
    ...waits.map(({ unit, why }) => `${label('waits')} ${unit}: ${why}`),
    ...cuts.flatMap((cut) => [
      `${label('cuts')} ${edgeText(cut.edge)}: ${cut.why}`,
      ...ringLines(cut).map((line) => style.grey(`           ${line}`)),
    ]),
    ...(stands.length === 0 ? [] : [`stands   ${some(stands)}`]),
    // What is cut has just been told in full.
    ...notes.filter((note) => !note.includes(' no longer waits for ')).map((note) => `note     ${note}`),
  ];
  if (jobs.length === 0) return ['Nothing is to do.', ...after];
  const waves = jobs.reduce((most, { wave }) => Math.max(most, wave), 0) + 1;
  const lines: string[] = [];
  for (const [at, { unit, type, reasons, after: first, wave }] of jobs.entries()) {
    const length = estimate.jobs[unit];
    const facts: string[] = [];
    if (length !== undefined) facts.push(`about ${span(length)}`);
    if (first.length > 0) facts.push(`after ${some(first)}`);
    if (waves > 1 && wave !== jobs[at - 1]?.wave) lines.push(style.grey(`wave ${wave}`));
    lines.push(`${type.padEnd(8)} ${style.bold(unit)}${facts.length > 0 ? style.grey(`  ${facts.join('; ')}`) : ''}`);
    for (const reason of reasons) lines.push(style.grey(`           ${reasonWords(reason)}`));
  }
  const sum = `${counted(jobs.length, 'job')} in ${counted(waves, 'wave')}, ${estimateWords(plan)}.`;
  return [...lines, ...(after.length === 0 ? [] : ['', ...after]), '', sum];
}

/** Who pulled a job in: the unit of the nearest reason; undefined: the request. */
function puller({ reasons }: PlannedJob): string | undefined {
  const [reason] = reasons;
  if (reason === undefined || 'asked' in reason) return undefined;
  if ('edge' in reason) return reason.edge.from;
  return 'isolate' in reason ? reason.isolate : reason.triggers;
}

/** Each job below the one that pulled it in. */
export function planTree({ jobs, request }: PlanDocument, style: Style): string[] {
  if (jobs.length === 0) return ['Nothing is to do.'];
  const below = new Map<string | undefined, PlannedJob[]>();
  const planned = new Set(jobs.map(({ unit }) => unit));
  for (const job of jobs) {
    const by = puller(job);
    const at = by === undefined || !planned.has(by) || by === job.unit ? undefined : by;
    const list = below.get(at);
    if (list === undefined) below.set(at, [job]);
    else list.push(job);
  }
  for (const list of below.values()) list.sort((a, b) => (a.unit < b.unit ? -1 : 1));
  const words = ({ unit, type, reasons: [reason] }: PlannedJob) =>
    `${type} ${style.bold(unit)}${reason === undefined || 'asked' in reason ? '' : style.grey(`  ${reasonWords(reason)}`)}`;
  const parts = [request, ...(request.also ?? [])].map((part) => `${part.verb} ${part.units.join(' ')}`);
  const root = `${request.title ?? parts.join('; ')}, asked for by ${request.by}`;
  return branches<PlannedJob | undefined>(
    undefined,
    (job) => (job === undefined ? root : words(job)),
    (job) => below.get(job?.unit) ?? [],
  );
}

const COLOURS: Readonly<Record<string, string>> = {
  start: 'palegreen',
  stop: 'lightpink',
  restart: 'khaki',
  reload: 'lightblue',
};
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

/** A graph for graphviz: an arrow from each job to those that wait for it, dashed where an ordering was cut. */
export function planDot({ id, jobs, cuts }: PlanDocument): string[] {
  return [
    `digraph ${quoted(`plan ${id}`)} {`,
    '  rankdir=LR; node [shape=box, style=filled, fontname="sans-serif"];',
    ...jobs.map(
      ({ unit, type }) =>
        `  ${quoted(unit)} [label=${quoted(`${type}\n${unit}`).replace('\n', '\\n')}, fillcolor=${COLOURS[type] ?? 'white'}];`,
    ),
    ...jobs.flatMap(({ unit, after }) => after.map((first) => `  ${quoted(first)} -> ${quoted(unit)};`)),
    ...cuts.map(({ edge }) => `  ${quoted(edge.to)} -> ${quoted(edge.from)} [style=dashed, color=red, label="cut"];`),
    '}',
  ];
}

/** In the form that --output names. JSON is the caller's. */
export function planLines(plan: PlanDocument, form: string | undefined, style: Style): string[] {
  if (form === 'dot') return planDot(plan);
  return form === 'tree' ? planTree(plan, style) : planText(plan, style);
}
