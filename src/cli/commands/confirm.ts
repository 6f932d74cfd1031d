/** confirm: what was applied with --confirm-within is to stay. Without an id the only one that waits; of several, the list. */
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { spanText } from '../output/time.ts';

export interface Confirmation {
  readonly id: string;
  readonly what: string;
  readonly by: string;
  readonly appliedUs: number;
  readonly untilUs: number;
  readonly undo: string;
}

function lines({ context, style }: Call, waiting: readonly Confirmation[]): string[] {
  if (waiting.length === 0) return ['Nothing waits to be confirmed.'];
  return waiting.flatMap(({ id, what, by, untilUs, undo }) => [
    `${style.bold(id)}  ${what}, asked for by ${by}`,
    `  in ${spanText(Math.max(0, untilUs - context.monotonicUs()), 1_000_000)}: ${undo === '' ? 'there is nothing to undo' : undo}`,
  ]);
}

export async function run(call: Call): Promise<number> {
  const { args, options, client, context } = call;
  const { waiting } = await client.call<{ waiting: Confirmation[] }>('io.sysmaster.Jobs.Confirmations');
  const [named] = args;
  if (options.list === true || (named === undefined && waiting.length === 0)) {
    call.print(waiting, () => lines(call, waiting));
    return 0;
  }
  const fits = named === undefined ? waiting : waiting.filter(({ id }) => id.startsWith(named));
  if (fits.length > 1) {
    context.err(`${waiting.length} plans wait to be confirmed; say which:\n${lines(call, fits).join('\n')}\n`);
    return 1;
  }
  const one = fits[0];
  if (one === undefined)
    throw new CliError(`Plan ${named} does not wait to be confirmed; ${context.name} confirm --list shows what does.`);
  if (options.dryRun === true) {
    call.print({ confirmed: one.id, dryRun: true }, () => [`Would confirm plan ${one.id}: ${one.what}.`]);
    return 0;
  }
  const { id } = await client.change<{ id: string }>('io.sysmaster.Jobs.Confirm', { id: one.id });
  call.print({ confirmed: id }, () => [`Confirmed plan ${id}: ${one.what}.`]);
  return 0;
}
