/** list-units: what is in memory. */
import type { Call } from '../command.ts';
import { expand, isShown, statesOf, unitPattern } from '../names.ts';
import { isBadLoad, type Style, stateColour } from '../output/style.ts';
import { cutMiddle, type Row, table } from '../output/table.ts';
import type { Node, Summary } from '../wire.ts';
import { kindsOf } from './list-dependencies.ts';

/** By type, then by name, as systemctl does. */
export function byTypeAndName(a: { readonly name: string }, b: { readonly name: string }): number {
  const suffix = (name: string): string => name.slice(name.lastIndexOf('.'));
  const order = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);
  return (
    order(suffix(a.name), suffix(b.name)) || order(a.name.toLowerCase(), b.name.toLowerCase()) || order(a.name, b.name)
  );
}

export const hasLegend = ({ options }: Call): boolean =>
  options.legend !== false && options.legend !== 'no' && options.legend !== 'false';

function rowOf(unit: Summary, style: Style, name: string, withJobs: boolean): Row {
  const failed = unit.active === 'failed' || isBadLoad(unit.load);
  const job = withJobs ? [unit.job?.type ?? ''] : [];
  return {
    lead: failed ? style.red('● ') : '  ',
    cells: [name, unit.load, unit.active, unit.sub, ...job, unit.description],
    paint: (cell, index) => {
      if (index === 1 && isBadLoad(unit.load)) return style.red(cell);
      if ((index === 2 || index === 3) && unit.active === 'failed') return style.red(cell);
      return index === 2 && unit.active !== 'active' ? stateColour(style, unit.active)(cell) : cell;
    },
  };
}

/** --with-dependencies: the units, and those next to them along the kinds that the options name; each once. */
export async function withDependencies(call: Call, words: readonly string[]): Promise<string[]> {
  const names = await expand(call, words);
  const answers = await call.client.calls<{ nodes: Node[] }>(
    'io.sysmaster.Units.Dependencies',
    names.map((name) => ({ name, kinds: kindsOf(call) })),
  );
  const below = answers.flatMap((answer) => {
    if (!('nodes' in answer)) throw answer;
    return answer.nodes[0]?.below ?? [];
  });
  return [...new Set([...names, ...below])];
}

export async function run(call: Call): Promise<number> {
  const { client, options, style, args } = call;
  const states = statesOf(call);
  const patterns = args.map((word) => unitPattern(word));
  const { units: found } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List', {
    patterns: options.withDependencies === true && args.length > 0 ? await withDependencies(call, patterns) : patterns,
    types: options.type,
    states,
  });
  const units = found.filter((unit) => isShown(call, unit)).sort(byTypeAndName);
  const data = units.map(({ name, load, active, sub, description, job }) => ({
    unit: name,
    load,
    active,
    sub,
    ...(job ? { job: job.type, jobId: job.id } : {}),
    description,
  }));
  call.print(data, () => {
    const withJobs = units.some(({ job }) => job !== undefined && job !== null);
    const longest = Number.isFinite(call.columns)
      ? Math.max(20, Math.floor(call.columns / 2))
      : Number.POSITIVE_INFINITY;
    const rows = units.map((unit) => rowOf(unit, style, cutMiddle(unit.name, longest), withJobs));
    if (!hasLegend(call))
      return table(options.plain === true ? rows.map((row) => ({ ...row, lead: '' })) : rows, {
        header: undefined,
        columns: call.columns,
        full: options.full === true,
      });
    const header = {
      lead: '  ',
      cells: ['UNIT', 'LOAD', 'ACTIVE', 'SUB', ...(withJobs ? ['JOB'] : []), 'DESCRIPTION'],
      paint: style.underline,
    };
    const lines = table(options.plain === true ? rows.map((row) => ({ ...row, lead: '' })) : rows, {
      header: options.plain === true ? { ...header, lead: '' } : header,
      columns: call.columns,
      full: options.full === true,
    });
    if (units.length > 0) {
      lines.push(
        '',
        'LOAD   = Reflects whether the unit definition was properly loaded.',
        'ACTIVE = The high-level unit activation state, i.e. generalization of SUB.',
        'SUB    = The low-level unit activation state, values depend on unit type.',
        ...(withJobs ? ['JOB    = Pending job for the unit.', ''] : []),
      );
    }
    const hint = options.all === true || states.length > 0 ? '' : ' Pass --all to see loaded but inactive units, too.';
    lines.push(style.bold(`${units.length} loaded units listed.`) + hint);
    if (states.length === 0) lines.push(`To show all installed unit files use '${call.context.name} list-unit-files'.`);
    return lines;
  });
  return 0;
}
