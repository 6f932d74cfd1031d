/** machine: the live statechart of a unit, with the state it is in. */
import type { Command } from 'commander';
import type { Chart, MachineValue } from '../../api/chart.ts';
import { mangleName } from '../../units/names.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { chartDot, chartMermaid, chartText } from '../output/chart.ts';
import { spanText } from '../output/time.ts';

export function define(command: Command): void {
  command
    .option('--format <form>', 'text, mermaid or dot')
    .option('-o, --output <form>', 'text, json or json-pretty')
    .option('-q, --quiet', 'the chart only')
    .option('--socket <path>', 'the API socket of another manager');
}

export interface Machine {
  readonly actor: string;
  readonly machine: string;
  readonly version: number;
  readonly value: MachineValue;
  readonly context: Readonly<Record<string, unknown>>;
  readonly active: readonly string[];
  readonly deadlines: readonly { readonly name: string; readonly atUs?: number | null }[];
  readonly chart: Chart;
}

const valueText = (value: MachineValue): string =>
  typeof value === 'string'
    ? value
    : Object.entries(value)
        .map(([key, below]) =>
          typeof below === 'object' && Object.keys(below).length === 0 ? key : `${key}.${valueText(below)}`,
        )
        .join(' + ');

function text(machine: Machine, call: Call): string[] {
  const { style, context, quiet } = call;
  const now = context.monotonicUs();
  const due = (atUs: number | null | undefined): string =>
    atUs === undefined || atUs === null
      ? 'never'
      : atUs >= now
        ? `in ${spanText(atUs - now, 1000)}`
        : `${spanText(now - atUs, 1000)} ago`;
  const head = [
    `${style.bold(machine.actor)} is a ${machine.machine} (version ${machine.version}) in ${style.green(valueText(machine.value))}`,
    ...machine.deadlines.map(({ name, atUs }) => `  ${name}: ${due(atUs)}`),
    '',
  ];
  return [...(quiet ? [] : head), ...chartText(machine.chart, new Set(machine.active), style)];
}

export async function run(call: Call): Promise<number> {
  const { client, args, options } = call;
  const word = args[0] ?? '';
  // A unit's name, or the id of an actor as it stands in `sctl tree`.
  const actor = /[/:]/.test(word) ? word : (mangleName(word) ?? word);
  const { machine } = await client.call<{ machine: Machine }>('io.sysmaster.Machines.Get', { actor });
  const active = new Set(machine.active);
  const format = (options['format'] as string | undefined) ?? 'text';
  const forms: Readonly<Record<string, () => string[]>> = {
    text: () => text(machine, call),
    mermaid: () => chartMermaid(machine.chart, active),
    dot: () => chartDot(machine.chart, active),
  };
  const form = forms[format];
  if (form === undefined) throw new CliError(`--format=${format}: use one of ${Object.keys(forms).join(', ')}`);
  call.print(machine, form);
  return 0;
}
