/** analyze unit-paths: the directories where unit files are looked for, the strongest first (systemd-analyze(1)). */
import type { Command } from 'commander';
import type { Call } from '../../command.ts';
import { answer, defineCommon, pathsOf } from './offline.ts';

export const define = (command: Command): void => void defineCommon(command);

export async function run(call: Call): Promise<number> {
  const { search } = pathsOf(call.context);
  answer(call, search, () => search);
  return 0;
}
