/** When units came up, as systemd-analyze(1) counts it: shared by time, blame, critical-chain and plot. */
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { spanText } from '../../output/time.ts';
import type { Times, UnitTimes } from '../../wire.ts';
import { type BeforeKernel, beforeKernel } from './firmware.ts';

/** Throws CliError while the boot is not over, unless `early`. */
export async function readTimes({ client, context }: Call, early = false): Promise<Times> {
  const times = await client.call<Times>('io.sysmaster.Insight.Times');
  if (!early && !times.finishedUs) {
    throw new CliError(
      `Bootup is not yet finished: jobs are left to run.\nPlease try again later.\nHint: Use '${context.name} list-jobs' to see active jobs, and '${context.name} why JOB' what they wait for.`,
    );
  }
  return times;
}

/** µs that a unit took to come up, or to run where it never became active. */
export function tookUs({ activatingUs, activatedUs, deactivatedUs }: UnitTimes): number {
  if (!activatingUs) return 0;
  if (activatedUs && activatedUs >= activatingUs) return activatedUs - activatingUs;
  return deactivatedUs && deactivatedUs >= activatingUs ? deactivatedUs - activatingUs : 0;
}

/** Came up during the boot. */
export const inBoot = ({ activatedUs }: UnitTimes, { finishedUs, nowUs }: Times): boolean =>
  !!activatedUs && activatedUs <= (finishedUs || nowUs);

export const msText = (us: number): string => spanText(us, 1000) || '0';

/** What came before the kernel; a container has nothing to do with it. */
export const beforeOf = ({ role }: Times): BeforeKernel | undefined =>
  role === 'machine' ? beforeKernel() : undefined;

/** The first lines of `time` and of a plot. */
export function summary(times: Times, before: BeforeKernel | undefined = beforeOf(times)): string[] {
  const { userspaceUs, finishedUs, role, target, units } = times;
  const userspace = `${msText((finishedUs ?? 0) - userspaceUs)} (userspace)`;
  const { firmwareUs = 0, loaderUs = 0 } = before ?? {};
  const parts = [
    ...(firmwareUs > 0 ? [`${msText(firmwareUs)} (firmware)`] : []),
    ...(loaderUs > 0 ? [`${msText(loaderUs)} (loader)`] : []),
    `${msText(userspaceUs)} (kernel)`,
    userspace,
  ];
  const whole =
    role === 'machine'
      ? `Startup finished in ${parts.join(' + ')} = ${msText(firmwareUs + loaderUs + (finishedUs ?? 0))} `
      : `Startup finished in ${userspace} `;
  const reached = units.find(({ name }) => name === target)?.activatedUs;
  if (!reached) return [whole, `${target} was never reached`];
  if (finishedUs && reached > finishedUs)
    return [whole, `${target} has been reached anew since; when the boot reached it is not known any more.`];
  return [whole, `${target} reached after ${msText(reached - userspaceUs)} in userspace.`];
}
