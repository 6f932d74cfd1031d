/**
 * The requests that are refused before anything is planned, with systemd's error names and the way out.
 * Source: org.freedesktop.systemd1(5); systemd.unit(5), RefuseManualStart=, AllowIsolate=.
 */
import type { InstalledJob, JobRequest, JobType, PlanWorld, Refusal, UnitFacts } from './types.ts';
import { collapse, isDown, type LooseType } from './verbs.ts';
import { jobWords } from './words.ts';

/** A unit that is not well loaded takes a stop and nothing else. */
export function loadRefusal(unit: string, facts: UnitFacts | undefined, type: JobType): Refusal | undefined {
  const refused = loadFault(unit, facts, type);
  const faults = facts?.faults ?? [];
  return refused === undefined || faults.length === 0 ? refused : { ...refused, details: faults };
}

function loadFault(unit: string, facts: UnitFacts | undefined, type: JobType): Refusal | undefined {
  const state = facts?.loadState ?? 'not-found';
  if (type === 'stop' && state !== 'stub' && state !== 'merged') return undefined;
  switch (state) {
    case 'loaded':
      return undefined;
    case 'not-found':
      return refusal('NoSuchUnit', unit, `${unit} not found`, 'check the name, or install the package that has it');
    case 'masked':
      return refusal('UnitMasked', unit, `${unit} is masked`, facts?.unmask ?? `unmask it first: sctl unmask ${unit}`);
    case 'bad-setting':
      return refusal(
        'BadUnitSetting',
        unit,
        `${unit} has a bad setting`,
        `see sctl status ${unit}, mend it, then sctl daemon-reload`,
      );
    case 'error':
      return refusal(
        'LoadFailed',
        unit,
        `${unit} failed to load`,
        `see sctl status ${unit}, mend it, then sctl daemon-reload`,
      );
    case 'stub':
    case 'merged':
      return refusal('LoadFailed', unit, `${unit} is not loaded properly (${state})`, 'sctl daemon-reload');
  }
}

/** May this be asked at all? `type` is the verb's type for this unit, not yet collapsed. */
export function requestRefusal(
  world: PlanWorld,
  request: JobRequest,
  unit: string,
  type: LooseType,
): Refusal | undefined {
  const facts = world.graph.facts(unit);
  const active = world.states.active(unit);
  if (request.mode === 'isolate' && type !== 'start') {
    return refusal('InvalidArgs', unit, 'job mode isolate is for start only', 'use it with start, or as sctl isolate');
  }
  if (request.mode === 'triggering' && type !== 'stop') {
    return refusal('InvalidArgs', unit, 'job mode triggering is for stop only', 'use it with stop');
  }
  const broken = facts === undefined || !['loaded', 'masked'].includes(facts.loadState);
  if (type === 'stop' && broken && isDown(active) && world.installed.of(unit) === undefined) {
    return refusal('NoSuchUnit', unit, `${unit} not loaded`, 'check the name');
  }
  if (facts === undefined) return undefined;
  if (request.automatic !== true) {
    const manual = manualRefusal(facts, type, collapse(type, active));
    if (manual !== undefined) return manual;
  }
  if (request.mode === 'isolate' && !facts.unit.AllowIsolate) {
    if (facts.loadState === 'not-found') {
      const refused = refusal('NoIsolation', unit, `${unit} may not be isolated: it is not found`, 'check the name');
      return { ...refused, details: [`${unit} not found`] };
    }
    return refusal('NoIsolation', unit, `${unit} may not be isolated`, 'set AllowIsolate=yes in its [Unit] section');
  }
  return undefined;
}

function manualRefusal(facts: UnitFacts, asked: LooseType, type: JobType): Refusal | undefined {
  const restarts = asked === 'restart' || asked === 'try-restart';
  const starts = restarts || asked === 'start' || (asked === 'reload-or-start' && type === 'start');
  const stops = restarts || asked === 'stop';
  const setting =
    starts && facts.unit.RefuseManualStart
      ? 'RefuseManualStart'
      : stops && facts.unit.RefuseManualStop
        ? 'RefuseManualStop'
        : undefined;
  if (setting === undefined) return undefined;
  const why = `${facts.name} may be requested by dependency only (${setting}=yes)`;
  return refusal('OnlyByDependency', facts.name, why, 'start or stop a unit that pulls it in');
}

/** Targets that stand for the end of the system: whatever contradicts them comes too late (systemd.special(7)). */
const ENDINGS: ReadonlySet<string> = new Set([
  'exit.target',
  'final.target',
  'halt.target',
  'initrd-switch-root.target',
  'kexec.target',
  'poweroff.target',
  'reboot.target',
  'shutdown.target',
  'soft-reboot.target',
  'umount.target',
]);

/**
 * A job that was asked for with replace-irreversibly, and not for an end of the system. It would have the end refused, and the machine
 * would never go down: it gives way to it.
 */
export const givesWay = ({ irreversible, plan = '' }: InstalledJob): boolean =>
  irreversible && !ENDINGS.has(plan.replace(/^start /, ''));

/** A job of another plan stands in the way: which one, of which plan, who asked for that, and the ways out. */
export function destructive(what: string, unit: string, inTheWay: InstalledJob): Refusal {
  const { id, irreversible, by, plan } = inTheWay;
  const whose = `${jobWords(inTheWay)}${plan === undefined ? '' : ` of ${plan}`}, asked for by ${by}`;
  const hold = irreversible ? ', and it cannot be taken back' : '';
  const why = `${what}, contradicts ${whose}${hold}`;
  if (irreversible && (ENDINGS.has(inTheWay.unit) || ENDINGS.has((plan ?? '').replace(/^start /, ''))))
    return refusal(
      'TransactionIsDestructive',
      unit,
      `the system is going down: ${why}`,
      'nothing that the end of the system stops is started any more; ask for it after the next boot',
    );
  return refusal(
    'TransactionIsDestructive',
    unit,
    why,
    irreversible
      ? `wait for job ${id}, or cancel it: sctl cancel ${id}`
      : `wait for job ${id}, cancel it (sctl cancel ${id}), or use --job-mode=replace`,
  );
}

export function refusal(error: Refusal['error'], unit: string, refused: string, todo: string): Refusal {
  return { refused, error, unit, todo };
}
