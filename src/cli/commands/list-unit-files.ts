/** list-unit-files: what is on the unit path. */
import type { Call } from '../command.ts';
import { statesOf, unitPattern } from '../names.ts';
import { table } from '../output/table.ts';
import type { UnitFile } from '../wire.ts';
import { byTypeAndName, hasLegend } from './list-units.ts';

/** Presets say nothing about what has no [Install] section of its own, or no file. */
const NO_PRESET: ReadonlySet<string> = new Set(['alias', 'static', 'generated', 'transient']);

export async function run(call: Call): Promise<number> {
  const { client, options, style, args } = call;
  const { files } = await client.call<{ files: UnitFile[] }>('io.sysmaster.Units.Files', {
    patterns: args.map((word) => unitPattern(word)),
    types: options.type,
    states: statesOf(call),
  });
  files.sort(byTypeAndName);
  const colour = (word: string): ((text: string) => string) => {
    if (/^(enabled|alias)/.test(word)) return style.green;
    if (/^(disabled)/.test(word)) return style.yellow;
    return /^(masked|bad)/.test(word) ? style.red : (text) => text;
  };
  call.print(
    files.map(({ name, state, preset, path }) => ({
      unit_file: name,
      state,
      preset: preset === '' ? null : preset,
      path,
    })),
    () => {
      const rows = files.map(({ name, state, preset }) => ({
        cells: [name, state, preset === '' || NO_PRESET.has(state) ? '-' : preset],
        paint: (cell: string, index: number) => (index === 0 ? cell : colour(index === 1 ? state : preset)(cell)),
      }));
      const legend = hasLegend(call);
      const header = legend ? { cells: ['UNIT FILE', 'STATE', 'PRESET'], paint: style.underline } : undefined;
      return [
        ...table(rows, { header, columns: call.columns, full: true }),
        ...(legend ? ['', `${files.length} unit files listed.`] : []),
      ];
    },
  );
  return files.length === 0 && args.length > 0 ? 1 : 0;
}
