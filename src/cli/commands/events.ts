/** events: what happens, as it happens, until interrupted. */
import type { Call } from '../command.ts';
import { unitPattern } from '../names.ts';
import { stateColour } from '../output/style.ts';
import { dateText } from '../output/time.ts';
import type { Event } from '../wire.ts';

function line({ event, unit, job, system, note }: Event, { style }: Call): string {
  if (unit) {
    if (unit.gone) return `${unit.name}: forgotten`;
    const colour = stateColour(style, unit.active);
    return `${unit.name}: ${unit.was && unit.was !== unit.active ? `${unit.was} → ` : ''}${colour(`${unit.active} (${unit.sub})`)}${unit.active === 'failed' ? `: ${unit.result}` : ''}`;
  }
  if (job)
    return event === 'job-new'
      ? `job ${job.id}: ${job.type} ${job.unit}`
      : `job ${job.id}: ${job.type} ${job.unit}: ${job.result ?? ''}`;
  if (note) return note.unit === '' ? note.text : `${note.unit}: ${note.text}`;
  return event === 'system' ? `system: ${system}` : event;
}

export async function run(call: Call): Promise<number> {
  const { client, args, context } = call;
  const again = (): void => call.warn('-- core was restarted; what happened meanwhile is not listed --');
  for await (const { event } of client.stream<{ event: Event }>(
    'io.sysmaster.Events.Subscribe',
    { units: args.map((word) => unitPattern(word)) },
    again,
  )) {
    if (event.event === 'ready' && !call.json) continue;
    call.print(event, () => [`${dateText(event.at?.realUs ?? context.nowUs()).slice(4, 23)} ${line(event, call)}`]);
  }
  return 0;
}
