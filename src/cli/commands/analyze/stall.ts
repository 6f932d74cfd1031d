/** analyze stall: jobs that wait while nothing can move them, and what would end it. */
import type { Call } from '../../command.ts';
import type { Stall } from '../../wire.ts';

export function stallLines({ ring, why, todo }: Stall, { style }: Pick<Call, 'style'>): string[] {
  const head =
    ring.length > 0
      ? `jobs wait in a ring: ${ring.join(' → ')} → ${ring[0]}`
      : 'jobs wait for an event that does not come';
  return [style.red(head), ...why.map((line) => `  ${line}`), `  ${style.green('way out:')} ${todo}`];
}

/** Exit status 1 if there is one. */
export async function run(call: Call): Promise<number> {
  const { stall } = await call.client.call<{ stall?: Stall | null }>('io.sysmaster.Insight.Stall');
  call.print(stall ?? null, () => (stall ? stallLines(stall, call) : ['No stall: every job can still move.']));
  return stall ? 1 : 0;
}
