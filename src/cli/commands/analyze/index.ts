/** `sctl analyze WORD`: systemd-analyze(1)'s words, and ours. The files behind them are read when they are called. */
import type { CommandSpec } from '../../command.ts';

export const commands: Readonly<Record<string, CommandSpec>> = {
  'unit-paths': {
    args: '',
    help: 'directories of unit files, the strongest first',
    group: '',
    load: () => import('./unit-paths.ts'),
  },
};
