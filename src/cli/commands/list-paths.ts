/** list-paths: what path units watch, how, and what they start. */
import type { Call } from '../command.ts';
import { listTriggering } from './triggering.ts';

export const run = (call: Call): Promise<number> =>
  listTriggering(call, {
    type: 'path',
    rows: ({ path }) => (path?.watches ?? []).map(({ path, setting }) => ({ path, condition: setting })),
    key: ({ path }) => path,
    columns: ['PATH', 'CONDITION'],
    cells: ({ path, condition }) => [path, condition],
  });
