/** What is at fault with one unit itself: its file, a condition, its processes, its machine, a fault that was asked for. */
import type { Cause } from '../api/insight.ts';
import type { UnitView } from '../api/manager.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import type { Unit } from '../units/types.ts';
import { endWords } from './causes.ts';
import { AFTERMATH_MS } from './history.ts';
import { askerWords, cause, endedOf, RESULTS } from './why-words.ts';
import { stampIn, type WhyWorld } from './why-world.ts';

/** Why it could not be loaded, with the file and line. */
export function whyNotLoaded({ unit }: UnitView): Cause[] {
  switch (unit.loadState) {
    case 'not-found':
      return [cause('file', `there is no unit file for ${unit.name} on the unit path`, { unit: unit.name })];
    case 'masked':
      return [
        cause(
          'file',
          `it is masked: ${unit.fragmentPath === '' ? 'its file is a link to /dev/null' : `${unit.fragmentPath} is a link to /dev/null or empty`}`,
          {
            unit: unit.name,
            where: unit.fragmentPath || undefined,
          },
        ),
      ];
    case 'bad-setting':
    case 'error':
      return unit.findings
        .filter(({ severity }) => severity === 'error')
        .slice(0, 5)
        .map(({ what, why, at }) =>
          cause('file', `${what}: ${why}`, {
            unit: unit.name,
            where: at === undefined ? undefined : `${at.file}:${at.line}`,
          }),
        );
    default:
      return [];
  }
}

/** The condition or assertion that did not hold. */
export function whyCondition({ unit, state }: UnitView): Cause[] {
  const found: Cause[] = [];
  if (state.condition?.result === false && state.active !== 'active')
    found.push(
      cause('condition', `${state.condition.failed} was not met`, { unit: unit.name, since: state.condition.at }),
    );
  if (state.assertion?.result === false && state.active !== 'active')
    found.push(
      cause('condition', `${state.assertion.failed} did not hold, which is an error`, {
        unit: unit.name,
        since: state.assertion.at,
      }),
    );
  return found;
}

/** Which process, how and when it ended, and at which step. */
export function whyFailed(world: WhyWorld, { unit, state }: UnitView): Cause[] {
  const found: Cause[] = [];
  const snapshot = world.snapshot(unit.name);
  const context = snapshot?.context as Partial<ServiceContext> | undefined;
  if (context?.startLimitHit === true) {
    const { StartLimitBurst: burst = 0, StartLimitIntervalSec: interval = 0 } = context.settings ?? {};
    found.push(
      cause(
        'limit',
        `its start limit was hit: ${burst} starts in ${typeof interval === 'number' ? `${interval / 1000} s` : interval} (StartLimitBurst=, StartLimitIntervalSec=)`,
        {
          unit: unit.name,
        },
      ),
    );
  }
  const records = [
    ...(state.service?.commands ?? []),
    ...(state.service?.main === undefined ? [] : [state.service.main]),
  ];
  const bad = records.filter(
    ({ exit, ignoreFailure }) => exit !== undefined && !ignoreFailure && (exit.code !== 'exited' || exit.status !== 0),
  );
  const told = new Set<number>();
  for (const { setting, index, path, pid, exit, ended } of bad) {
    if (exit === undefined || told.has(pid)) continue;
    told.add(pid);
    const step = exit.code === 'exited' ? stepOf(world, exit.status) : '';
    const command = `${setting}=${index > 0 ? ` ${index + 1}` : ''} (${path})`;
    found.push(
      cause(
        'process',
        `process ${pid} of ${command} ${exit.code === 'exited' ? 'exited' : 'was killed'} with ${endWords(endedOf(exit))}${step}`,
        {
          unit: unit.name,
          pid,
          since: ended,
        },
      ),
    );
  }
  const words = RESULTS[state.result];
  if (words !== undefined) found.push(cause('result', words, { unit: unit.name, since: state.inactiveEnter }));
  return found;
}

/** Whoever supervises it has given up because of it, and does not start it again. */
export function whyGivenUp(world: WhyWorld, unit: string): Cause[] {
  return (world.last(unit).gaveUp ?? []).map(({ atMs, group, why }) =>
    cause('limit', why, { unit: group, since: stampIn(world, atMs) }),
  );
}

/** The step of the exec helper that such an exit status stands for (systemd.exec(5)). */
function stepOf(world: WhyWorld, status: number): string {
  if (status < 200) return '';
  const step = Object.values(world.host.execSteps).find(({ exitCode }) => exitCode === status);
  return step === undefined ? '' : `: before its program ran, it could not ${step.words}`;
}

/** What it was doing last goes on without it, so this comes before all else. */
export function whyQuarantined(world: WhyWorld, { name, unit, raw }: Unit): Cause[] {
  const found = world.quarantine(name);
  if (found === undefined) return [];
  const what = `its machine is quarantined, as of its last good step: ${found.why}; its processes run on, and what happens to them is kept for it`;
  const at = raw['Machine']?.at(-1)?.at;
  const plugin =
    unit.Machine === undefined
      ? []
      : [
          cause('unit', `it follows the chart of the machine plugin ${unit.Machine}`, {
            unit: name,
            where: at === undefined ? undefined : `${at.file}:${at.line}`,
          }),
        ];
  return [cause('unit', what, { unit: name, since: stampIn(world, found.atMs) }), ...plugin];
}

/** A fault that somebody asked for: as long as it lasts, and afterwards while the unit is as it has left it. */
export function whyChaos(world: WhyWorld, unit: string): Cause[] {
  const { chaos } = world.last(unit);
  if (chaos === undefined) return [];
  const changedMs = world.snapshot(unit)?.context.since.stateChangeMs ?? null;
  const [beganMs, overMs] = [chaos.atMs, chaos.overMs ?? Number.POSITIVE_INFINITY];
  const ofIt = changedMs !== null && changedMs >= beganMs && changedMs <= overMs + AFTERMATH_MS;
  if (chaos.overMs !== null && !ofIt) return [];
  const what = `chaos ${chaos.run} ${chaos.overMs === null ? 'is' : 'was'} at work on it: ${chaos.what}`;
  const below = [cause('request', `asked for by ${askerWords(chaos.by)}`)];
  return [cause('chaos', what, { unit, since: stampIn(world, chaos.atMs), below })];
}
