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
  const dryRun = options.dryRun === true;
  const done: { unit: string; signalled: number }[] = [];
  let status = 0;
  for (const unit of await expand(call, args)) {
    try {
      const { signalled } = await client.change<{ signalled: number }>('io.sysmaster.Units.Kill', {
        name: unit,
        whom,
        signal,
        ...(dryRun ? { dryRun } : {}),
      });
      done.push({ unit, signalled });
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      context.err(`${dryRun ? 'Would fail' : 'Failed'} to kill unit ${unit}: ${error.why}\n`);
      status = 1;
    }
  }
  const of = whom === 'all' ? 'all processes' : `the ${whom} process`;
  call.print({ signal, whom, units: done, ...(dryRun ? { dryRun } : {}) }, () =>
    dryRun ? done.map(({ unit, signalled }) => `Would send ${wanted} to ${of} of ${unit}, ${signalled} now.`) : [],
  );
  return status;
}
