/** Plans that are kept, applied, confirmed and undone; snapshots that are saved and gone back to. */
import type { Answered, Call } from '../machine.ts';
import { type Life, programs, service } from './life.ts';

const polite = (lines = '') => service('ExecStart=/bin/polite', lines);
const units = {
  'old.service': polite(),
  'new.service': polite('Conflicts=old.service\nWants=helper.service'),
  'helper.service': polite(),
};

type PlanOf = (index: number) => Answered | undefined;
const planOf = (answer: PlanOf, index: number) =>
  answer(index)?.parameters?.['plan'] as { readonly id: string } | undefined;
/** Apply the plan that another wish has asked for. */
const apply = (atMs: number, planned: number, more: Readonly<Record<string, unknown>> = {}): Call => ({
  atMs,
  method: 'Jobs.Apply',
  parameters(answer) {
    const plan = planOf(answer, planned);
    return plan === undefined ? undefined : { plan, ...more };
  },
});
const ask = (atMs: number, verb: string, names: readonly string[]): Call => ({
  atMs,
  method: 'Jobs.Plan',
  parameters: { verb, units: names },
  asks: true,
});

export const planLives: readonly Life[] = [
  {
    name: 'a plan that is applied, not confirmed in time, and so undone',
    units,
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['old.service'] },
      ask(150, 'start', ['new.service']),
      apply(200, 1, { confirmWithinUs: 400_000 }),
    ],
    forMs: 4_000,
    end: { 'old.service': 'running success', 'new.service': 'dead success', 'helper.service': 'dead success' },
  },
  {
    name: 'a plan that is kept, applied by its id, and confirmed',
    units,
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['old.service'] },
      ask(150, 'start', ['new.service']),
      {
        atMs: 180,
        method: 'Jobs.Keep',
        parameters(answer) {
          const plan = planOf(answer, 1);
          return plan === undefined ? undefined : { verb: 'start', units: ['new.service'], id: plan.id };
        },
      },
      {
        atMs: 250,
        method: 'Jobs.Apply',
        parameters(answer) {
          const plan = planOf(answer, 1);
          return plan === undefined || answer(2) === undefined ? undefined : { id: plan.id, confirmWithinUs: 600_000 };
        },
      },
      {
        atMs: 500,
        method: 'Jobs.Confirm',
        parameters(answer) {
          const plan = planOf(answer, 1);
          return plan === undefined || answer(3) === undefined ? undefined : { id: plan.id };
        },
      },
    ],
    forMs: 4_000,
    end: { 'old.service': 'dead success', 'new.service': 'running success', 'helper.service': 'running success' },
  },
  {
    name: 'a plan whose world has moved',
    units,
    programs,
    wishes: [
      ask(20, 'start', ['new.service']),
      { atMs: 100, verb: 'start', units: ['old.service'] },
      apply(300, 0),
      { atMs: 500, method: 'Jobs.Confirm', parameters: { id: '0123456789ab' } },
    ],
    forMs: 2_000,
    end: { 'old.service': 'running success' },
  },
  {
    name: 'a snapshot that is saved, gone back to, and removed',
    units,
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['old.service'] },
      { atMs: 150, method: 'Snapshots.Save', parameters: { name: 'before' } },
      { atMs: 200, verb: 'start', units: ['new.service'] },
      { atMs: 500, method: 'Snapshots.Restore', parameters: { name: 'before' } },
      { atMs: 1_000, method: 'Snapshots.Save', parameters: { name: 'kept' } },
      { atMs: 1_100, method: 'Snapshots.Delete', parameters: { name: 'before' } },
    ],
    forMs: 4_000,
    end: { 'old.service': 'running success', 'new.service': 'dead success', 'helper.service': 'dead success' },
  },
];
