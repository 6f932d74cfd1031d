/** analyze time: how long the boot took (systemd-analyze(1)). */
import type { Call } from '../../command.ts';
import { beforeOf, readTimes, summary } from './boot-times.ts';

export async function run(call: Call): Promise<number> {
  const times = await readTimes(call);
  const { userspaceUs, unitsLoadedUs, finishedUs, role, target, units } = times;
  const before = beforeOf(times);
  const data = {
    ...before,
    kernelUs: role === 'machine' ? userspaceUs : undefined,
    userspaceUs: (finishedUs ?? 0) - userspaceUs,
    loadingUs: unitsLoadedUs ? unitsLoadedUs - userspaceUs : undefined,
    target,
    targetUs: units.find(({ name }) => name === target)?.activatedUs,
  };
  call.print(data, () => summary(times, before));
  return 0;
}
