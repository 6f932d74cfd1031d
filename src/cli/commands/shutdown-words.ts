/** `shutdown -h now`, as a command of sctl. Only `now` and `+0` are times that we know. */
import { CliError } from '../context.ts';

/** Source: shutdown(8). `-k` and delays are refused, since there is no timer for them yet. */
export function shutdownWords(argv: readonly string[]): { readonly word: string; readonly rest: readonly string[] } {
  let word = 'poweroff';
  const rest: string[] = [];
  let when: string | undefined;
  for (const arg of argv) {
    if (arg === '-h' || arg === '-P' || arg === '--poweroff') word = 'poweroff';
    else if (arg === '-H' || arg === '--halt') word = 'halt';
    else if (arg === '-r' || arg === '--reboot') word = 'reboot';
    else if (arg === '-f' || arg === '--force' || arg === '--help' || arg.startsWith('--socket=')) rest.push(arg);
    else if (arg === '--no-wall') continue;
    else if (arg.startsWith('-'))
      throw new CliError(`shutdown: ${arg}: not an option that is supported; use -h, -P, -H, -r and now`);
    // What follows the time is a message to the users, whom nobody tells.
    else when ??= arg;
  }
  if (when === undefined || (when !== 'now' && when !== '+0')) {
    throw new CliError(`shutdown: ${when ?? 'no time'}: a shutdown cannot be put off; use now`);
  }
  return { word, rest };
}
