/** poweroff, reboot, halt, kexec, soft-reboot and exit. */
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { type Planned, showPlan } from './plan.ts';

/** Jobs are in the way: those of an ending that is under way, and goes on. */
const UNDER_WAY = 'TransactionIsDestructive';

export async function run(call: Call): Promise<number> {
  const { word, args, options, client } = call;
  const status = word === 'exit' ? Number(args[0] ?? 0) : 0;
  if (!Number.isInteger(status) || status < 0 || status > 255)
    throw new CliError(`Invalid exit code "${args[0]}": use 0 to 255.`);
  const argument = word === 'reboot' ? (args[0] ?? options.rebootArgument ?? '') : '';
  if (options.dryRun === true) {
    // What is done in order is the start of a target that stops all else.
    const target = `${word}.target`;
    const asked = { verb: 'start', units: [target], mode: 'replace-irreversibly', ending: true };
    const forced = (options.force ?? 0) > 0;
    const { refusal } = forced ? {} : await client.call<Planned>('io.sysmaster.Jobs.Plan', asked);
    const lost = refusal && refusal.error !== UNDER_WAY ? refusal : undefined;
    if (!forced && lost === undefined) return await showPlan(call, 'start', [target], 'replace-irreversibly', true);
    call.print({ verb: word, status, argument, dryRun: true }, () => [
      ...(lost === undefined ? [] : [`There is no order to go by: ${lost.why}.`]),
      `Would ${word} at once, without stopping units in order.`,
    ]);
    return 0;
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
