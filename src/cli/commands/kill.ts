/** kill: a signal to the processes of units. */
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { expand } from '../names.ts';
import { signalNames, signalNumber } from '../output/exit-words.ts';

const WHOM = ['main', 'control', 'all'];

export async function run(call: Call): Promise<number> {
  const { client, options, args, context } = call;
  const wanted = options.signal ?? 'SIGTERM';
  if (wanted === 'list') {
    call.print(signalNames(), () => signalNames());
    return 0;
  }
  const signal = signalNumber(wanted);
  if (signal === undefined) throw new CliError(`Failed to parse signal string "${wanted}".`);
  const whom = options.killWhom ?? options.killWho ?? 'all';
  if (!WHOM.includes(whom)) throw new CliError(`--kill-whom=${whom}: use one of ${WHOM.join(', ')}`);
  if (options.dryRun === true) {
    const units = await expand(call, args);
    const of = whom === 'all' ? 'all processes' : `the ${whom} process`;
    call.print({ signal, whom, units, dryRun: true }, () =>
      units.map((unit) => `Would send ${wanted} to ${of} of ${unit}.`),
    );
    return 0;
  }
  const done: { unit: string; signalled: number }[] = [];
  let status = 0;
  for (const unit of await expand(call, args)) {
    try {
      const { signalled } = await client.change<{ signalled: number }>('io.sysmaster.Units.Kill', {
        name: unit,
        whom,
        signal,
      });
      done.push({ unit, signalled });
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      context.err(`Failed to kill unit ${unit}: ${error.why}\n`);
      status = 1;
    }
  }
  call.print({ signal, whom, units: done }, () => []);
  return status;
}
