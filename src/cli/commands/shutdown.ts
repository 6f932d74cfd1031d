/** poweroff, reboot, halt, kexec, soft-reboot and exit. */
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { showPlan } from './plan.ts';

export async function run(call: Call): Promise<number> {
  const { word, args, options, client } = call;
  const status = word === 'exit' ? Number(args[0] ?? 0) : 0;
  if (!Number.isInteger(status) || status < 0 || status > 255)
    throw new CliError(`Invalid exit code "${args[0]}": use 0 to 255.`);
  const argument = word === 'reboot' ? (args[0] ?? options.rebootArgument ?? '') : '';
  if (options.dryRun === true) {
    if ((options.force ?? 0) > 0) {
      call.print({ verb: word, status, argument, dryRun: true }, () => [
        `Would ${word} at once, without stopping units in order.`,
      ]);
      return 0;
    }
    // What is done in order is the start of a target that stops all else.
    return await showPlan(call, 'start', [`${word}.target`], 'replace-irreversibly', true);
  }
  await client.farewell('io.sysmaster.Manager.Shutdown', {
    verb: word,
    force: Math.min(options.force ?? 0, 2),
    status,
    argument,
  });
  call.print({ verb: word, status, argument }, () => []);
  return 0;
}
