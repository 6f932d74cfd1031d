/** Our own program in this process, to be held against systemd's: the same words in, text and status out. */
import { main } from '../../src/cli/run.ts';
import { keptContext } from '../unit/support/context.ts';
import type { Answer } from './units-oracle.ts';

/** Run a command line under a program's name; `input` is standard input. */
export async function tell(
  name: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Promise<Answer> {
  const { context, out, err } = keptContext({ input: () => Promise.resolve(input), env, name });
  const status = await main(argv, context);
  return { status, stdout: out(), stderr: err() };
}

/** Lines that hang on the moment of the call are left out. */
export const steady = (text: string): string => text.replaceAll(/^ *From now: .*\n/gm, '');

/** What systemd-analyze printed for each of its arguments, one empty line between two; '' for those refused. */
export function blocksOf(stdout: string): string[] {
  const blocks = [''];
  for (const line of stdout.split('\n').slice(0, -1)) {
    if (line === '') blocks.push('');
    else blocks[blocks.length - 1] += `${line}\n`;
  }
  return blocks;
}
