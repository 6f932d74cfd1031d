/** analyze blame: units by the time they took to come up, the slowest first (systemd-analyze(1)). */
import type { Call } from '../../command.ts';
import { msText, readTimes, tookUs } from './boot-times.ts';

export async function run(call: Call): Promise<number> {
  const { units } = await readTimes(call);
  const slow = units
    .map((unit) => ({ name: unit.name, us: tookUs(unit) }))
    .filter(({ us }) => us > 0)
    .sort((a, b) => b.us - a.us || (a.name < b.name ? -1 : 1));
  const width = Math.max(...slow.map(({ us }) => msText(us).length));
  call.print(slow, () => slow.map(({ name, us }) => `${msText(us).padStart(width)} ${name}`));
  return 0;
}
