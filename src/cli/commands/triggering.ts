/** Units that start others, for list-sockets and list-paths: what each of them waits for is a line. */
import type { Call } from '../command.ts';
import { unitPattern } from '../names.ts';
import { table } from '../output/table.ts';
import type { Summary, Unit } from '../wire.ts';
import { hasLegend } from './list-units.ts';

/** Something that a unit waits for. */
interface Awaited {
  readonly unit: string;
  /** Names of the units that it starts. */
  readonly activates: readonly string[];
}

interface Shape<Row> {
  readonly type: 'socket' | 'path';
  /** Of one unit what it waits for. */
  rows(unit: Unit): readonly Row[];
  /** What lines are sorted by. */
  key(row: Row): string;
  /** Columns in front of UNIT and ACTIVATES, and their cells. */
  readonly columns: readonly string[];
  cells(row: Row): readonly string[];
}

/** Print those that are up, or all of them, of the named ones. Always 0. */
export async function listTriggering<Row extends object>(call: Call, shape: Shape<Row>): Promise<number> {
  const { client, options, style, args } = call;
  const { type } = shape;
  const { units } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List', {
    patterns: args.map((word) => unitPattern(word, type)),
    types: [type],
  });
  const wanted = units.filter(({ active }) => options.all === true || active !== 'inactive');
  const answers = await client.calls<{ unit: Unit }>(
    'io.sysmaster.Units.Get',
    wanted.map(({ name }) => ({ name })),
  );
  const rows = answers
    .flatMap((answer) => ('unit' in answer ? [answer.unit] : []))
    .flatMap((unit) => {
      const rest: Awaited = { unit: unit.name, activates: unit.triggers.map(({ name }) => name) };
      return shape.rows(unit).map((row) => ({ ...row, ...rest }));
    })
    .sort((a, b) => (shape.key(a) < shape.key(b) ? -1 : shape.key(a) > shape.key(b) ? 1 : 0));
  call.print(rows, () => {
    const legend = hasLegend(call);
    const header = { cells: [...shape.columns, 'UNIT', 'ACTIVATES'], paint: style.underline };
    const lines = table(
      rows.map((row) => ({ cells: [...shape.cells(row), row.unit, row.activates.join(' ') || '-'] })),
      { header: legend ? header : undefined, columns: call.columns, full: true },
    );
    if (legend)
      lines.push(
        '',
        `${rows.length} ${type}s listed.`,
        ...(options.all === true ? [] : [`Pass --all to see loaded but inactive ${type}s, too.`]),
      );
    return lines;
  });
  return 0;
}
