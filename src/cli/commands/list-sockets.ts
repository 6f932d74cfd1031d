/** list-sockets: addresses, the sockets that listen there, and what they start. */
import type { Call } from '../command.ts';
import { listTriggering } from './triggering.ts';

export const run = (call: Call): Promise<number> =>
  listTriggering(call, {
    type: 'socket',
    rows: ({ socket }) => (socket?.listen ?? []).map(({ address, kind }) => ({ listen: address, type: kind })),
    key: ({ listen }) => listen,
    columns: ['LISTEN'],
    cells: ({ listen }) => [listen],
  });
