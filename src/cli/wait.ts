/** Waiting for units, over the event stream; a stream that is cut off by a restart of core is taken up again. */

import { CallError } from './client.ts';
import type { Call } from './command.ts';
import type { Event } from './wire.ts';

const isOver = (active: string): boolean => active === 'inactive' || active === 'failed';

type States = { units: { name: string; active: string }[] };

/** Watch before the request is made, so that no unit can end unseen. */
export async function untilEnded({ client }: Call, units: readonly string[]) {
  const patterns = units.map((unit) => unit.replace(/[\\*?[]/g, '\\$&'));
  const stream = client.stream<{ event: Event }>('io.sysmaster.Events.Subscribe', { kinds: ['unit'], units: patterns });
  // The first event says that the subscription stands.
  await stream.next();
  return {
    /** Wait for all of them to be inactive or failed; 1 if one failed. */
    async result(): Promise<number> {
      const states = async (): Promise<Map<string, string>> => {
        const answer = await client.call<States>('io.sysmaster.Units.States', { names: units });
        return new Map(answer.units.map(({ name, active }) => [name, active]));
      };
      let now = await states();
      while ([...now.values()].some((active) => !isOver(active))) {
        const { value, done } = await stream.next();
        if (done === true) break;
        // `ready` again: core was restarted, and what happened meanwhile is asked for.
        if (value.event.event === 'ready') now = await states();
        else if (value.event.unit !== undefined && value.event.unit !== null)
          now.set(value.event.unit.name, value.event.unit.active);
      }
      return [...now.values()].includes('failed') ? 1 : 0;
    },
    close(): void {
      void stream.return(undefined).catch((error: unknown) => {
        if (!(error instanceof CallError)) throw error;
      });
    },
  };
}
