/** list-paths: what path units watch, how, and what they start. */
import type { Call } from '../command.ts';
import { unitPattern } from '../names.ts';
import { table } from '../output/table.ts';
import type { Summary, Unit } from '../wire.ts';
import { hasLegend } from './list-units.ts';

export async function run(call: Call): Promise<number> {
  const { client, options, style, args } = call;
  const { units } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List', {
    patterns: args.map((word) => unitPattern(word, 'path')),
    types: ['path'],
  });
  const wanted = units.filter(({ active }) => options.all === true || active !== 'inactive');
  const answers = await client.calls<{ unit: Unit }>(
    'io.sysmaster.Units.Get',
    wanted.map(({ name }) => ({ name })),
  );
  const rows = answers
    .flatMap((answer) => ('unit' in answer ? [answer.unit] : []))
    .flatMap(({ name, path, triggers }) =>
      (path?.watches ?? []).map((watched) => ({
        path: watched.path,
        condition: watched.setting,
        unit: name,
        activates: triggers.map((unit) => unit.name),
      })),
    )
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  call.print(rows, () => {
    const legend = hasLegend(call);
    const header = legend ? { cells: ['PATH', 'CONDITION', 'UNIT', 'ACTIVATES'], paint: style.underline } : undefined;
    const lines = table(
      rows.map(({ path, condition, unit, activates }) => ({
        cells: [path, condition, unit, activates.join(' ') || '-'],
      })),
      { header, columns: call.columns, full: true },
    );
    if (legend)
      lines.push(
        '',
        `${rows.length} paths listed.`,
        ...(options.all === true ? [] : ['Pass --all to see loaded but inactive paths, too.']),
      );
    return lines;
  });
  return 0;
}
