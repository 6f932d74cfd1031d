/** analyze unit-paths: the directories where unit files are looked for, the strongest first (systemd-analyze(1)). */
import { systemPaths } from '../../../units/load-path.ts';
import type { Call } from '../../command.ts';

export async function run({ context, print }: Call): Promise<number> {
  const environment = Object.fromEntries(
    Object.entries(context.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const { search } = systemPaths(environment, environment['SYSMASTER_RUN_DIR']);
  print(search, () => search);
  return 0;
}
