/** snapshot save, list, show and delete. */
import type { Call } from '../../command.ts';
import { table } from '../../output/table.ts';
import { dateText } from '../../output/time.ts';
import { hasLegend } from '../list-units.ts';
import type { Snapshot } from './snapshot.ts';

interface Summary {
  readonly name: string;
  readonly madeUs: number;
  readonly by: string;
  readonly units: number;
  readonly active: number;
  readonly fault?: string | null;
}

async function list(call: Call): Promise<number> {
  const { client, style } = call;
  const { snapshots } = await client.call<{ snapshots: Summary[] }>('io.sysmaster.Snapshots.List');
  call.print(snapshots, () => {
    const legend = hasLegend(call);
    if (snapshots.length === 0) return legend ? ['No snapshots.'] : [];
    const rows = snapshots.map(({ name, madeUs, by, units, active, fault }) => ({
      cells: fault ? [name, '-', '-', '-', fault] : [name, dateText(madeUs), String(units), String(active), by],
    }));
    const header = legend ? { cells: ['NAME', 'MADE', 'UNITS', 'ACTIVE', 'BY'], paint: style.underline } : undefined;
    const lines = table(rows, { header, columns: call.columns, full: true });
    return legend ? [...lines, '', `${snapshots.length} snapshots listed.`] : lines;
  });
  return 0;
}

async function show(call: Call): Promise<number> {
  const { client, args, options, style } = call;
  const { snapshot } = await client.call<{ snapshot: Snapshot }>('io.sysmaster.Snapshots.Get', { name: args[0] });
  call.print(snapshot, () => {
    const shown = Object.entries(snapshot.units).filter(
      ([, { active, file }]) => options.all === true || active !== 'inactive' || /^(enabled|masked)/.test(file),
    );
    const rows = shown.map(([unit, { active, sub, file, settings }]) => ({
      cells: [unit, active, sub, file || '-', settings.slice(0, 12) || '-'],
    }));
    const legend = hasLegend(call);
    const header = legend
      ? { cells: ['UNIT', 'ACTIVE', 'SUB', 'FILE', 'SETTINGS'], paint: style.underline }
      : undefined;
    const lines = table(rows, { header, columns: call.columns, full: true });
    if (!legend) return lines;
    const all = Object.keys(snapshot.units).length;
    const hidden = all - shown.length;
    return [
      `${style.bold(snapshot.name)}: ${dateText(snapshot.madeUs)}${snapshot.by === '' ? '' : `, by ${snapshot.by}`}`,
      `boot ${snapshot.bootId}, machine ${snapshot.machineId}, default target ${snapshot.defaultTarget}`,
      '',
      ...lines,
      '',
      `${shown.length} of ${all} units${hidden > 0 ? '; --all shows those that are neither active nor enabled nor masked' : ''}.`,
    ];
  });
  return 0;
}

async function change(call: Call, method: 'Save' | 'Delete', names: readonly string[]): Promise<number> {
  const { client, options } = call;
  const word = method.toLowerCase();
  if (options.dryRun === true) {
    const { snapshots } = await client.call<{ snapshots: Summary[] }>('io.sysmaster.Snapshots.List');
    const there = new Set(snapshots.map(({ name }) => name));
    for (const name of names) await client.change(`io.sysmaster.Snapshots.${method}`, { name, dryRun: true });
    call.print({ [word]: names, dryRun: true }, () =>
      names.map((name) =>
        method === 'Save' && there.has(name)
          ? `Would save snapshot ${name}, replacing the one of this name.`
          : `Would ${word} snapshot ${name}.`,
      ),
    );
    return 0;
  }
  for (const name of names) await client.change(`io.sysmaster.Snapshots.${method}`, { name });
  call.print({ [word]: names }, () => []);
  return 0;
}

export async function run(call: Call): Promise<number> {
  switch (call.word) {
    case 'save':
      return await change(call, 'Save', call.args);
    case 'delete':
      return await change(call, 'Delete', call.args);
    case 'show':
      return await show(call);
    default:
      return await list(call);
  }
}
