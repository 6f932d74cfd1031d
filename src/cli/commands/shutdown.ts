/** poweroff, reboot, halt, kexec, soft-reboot and exit. */
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';

export async function run(call: Call): Promise<number> {
  const { word, args, options, client } = call;
  const status = word === 'exit' ? Number(args[0] ?? 0) : 0;
  if (!Number.isInteger(status) || status < 0 || status > 255)
    throw new CliError(`Invalid exit code "${args[0]}": use 0 to 255.`);
  const argument = word === 'reboot' ? (args[0] ?? options.rebootArgument ?? '') : '';
  if (options.dryRun === true) {
    call.print({ verb: word, status, argument }, () => [`Would ${word} now.`]);
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
