/** Our own program in this process, to be held against systemd's: the same words in, text and status out. */
import type { Context } from '../../src/cli/context.ts';
import { main } from '../../src/cli/run.ts';
import type { Answer } from './units-oracle.ts';

/** Run a command line under a program's name; `input` is standard input. */
export async function tell(
  name: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Promise<Answer> {
  let stdout = '';
  let stderr = '';
  const context: Context = {
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    input: () => Promise.resolve(input),
    terminal: false,
    columns: 80,
    env,
    nowUs: () => Date.now() * 1000,
    monotonicUs: () => Math.round(performance.now() * 1000),
    name,
    uid: 0,
    pause: () => Promise.resolve(),
  };
  const status = await main(argv, context);
  return { status, stdout, stderr };
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
