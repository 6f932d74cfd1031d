/** Rules that need more than edges: what can be reloaded, read from real unit files and carried out by the real core. */
import { expect, test } from 'vitest';
import { createSim } from '../../src/host/sim/index.ts';
import { bootCore, Clients, shownUnits, simOptions, type Wish } from '../simulation/machine.ts';

const plain = (lines: string) => `[Unit]\nDefaultDependencies=no\n${lines}`;

/** Play requests on real units; what each was answered, how often each program was started, and how the units are at the end. */
function play(units: Readonly<Record<string, string>>, wishes: readonly Wish[]) {
  const programs = {
    '/bin/daemon': {},
    '/bin/reload': { run: [{ after: 10, exit: 0 }] },
    '/bin/no': { run: [{ exit: 1 }] },
  };
  const sim = createSim(simOptions({ units, programs }));
  const clients = new Clients(sim, wishes);
  let shown = {};
  sim.boot((host) => {
    const core = bootCore(host);
    sim.at(9_000, () => {
      shown = shownUnits(core);
    });
  });
  sim.run(10_000);
  const answers = wishes.map((_, index) => clients.answer(index)?.parameters?.outcomes?.[0]);
  return { answers, reloads: sim.started.filter(({ path }) => path === '/bin/reload').map(({ unit }) => unit), shown };
}

const units = {
  'group.target': plain('Wants=member.service\nPropagatesReloadTo=member.service idle.service'),
  'lonely.target': plain(''),
  'passing.service': plain('PropagatesReloadTo=member.service\n[Service]\nExecStart=/bin/daemon\n'),
  'member.service': plain('[Service]\nExecStart=/bin/daemon\nExecReload=/bin/reload\n'),
  'idle.service': plain('[Service]\nExecStart=/bin/daemon\nExecReload=/bin/reload\n'),
};
const start: Wish = { atMs: 10, verb: 'start', units: ['group.target'] };

test('PropagatesReloadTo= makes a unit reloadable, and reloads those that run', () => {
  const { answers, reloads } = play(units, [start, { atMs: 500, verb: 'reload', units: ['group.target'] }]);
  expect(answers[1]).toMatchObject({ result: 'done' });
  expect(reloads).toEqual(['member.service']);
});

test.each(['lonely.target', 'passing.service'])('%s, which has nothing to reload, refuses it', (name) => {
  const { answers } = play(units, [start, { atMs: 500, verb: 'reload', units: [name] }]);
  expect(answers[1]).toMatchObject({ refusal: { error: 'JobTypeNotApplicable' } });
});

test('a reload of what is down is invalid, a try-reload nothing to do', () => {
  const { answers, reloads } = play(units, [
    { atMs: 10, verb: 'reload', units: ['idle.service'] },
    { atMs: 500, verb: 'try-reload', units: ['idle.service'] },
  ]);
  expect(answers.map((answer) => answer?.result)).toEqual(['invalid', 'done']);
  expect(reloads).toEqual([]);
});

test('a service that its ExecCondition= says no to has not failed: what requires it is started, and OnSuccess= follows', () => {
  const { answers, shown } = play(
    {
      'picky.service': plain(
        'OnSuccess=idle.service\n[Service]\nType=oneshot\nExecCondition=/bin/no\nExecStart=/bin/daemon\n',
      ),
      'needy.service': plain('Requires=picky.service\nAfter=picky.service\n[Service]\nExecStart=/bin/daemon\n'),
      'idle.service': units['idle.service'],
    },
    [
      { atMs: 10, verb: 'start', units: ['needy.service'] },
      { atMs: 500, verb: 'start', units: ['picky.service'] },
    ],
  );
  expect(answers.map((answer) => answer?.result)).toEqual(['done', 'done']);
  expect(shown).toMatchObject({ 'needy.service': { active: 'active' }, 'idle.service': { active: 'active' } });
});

test('verify-active is done for what is up and skipped for what is down, and starts nothing', () => {
  const { answers, shown } = play(units, [
    start,
    { atMs: 500, verb: 'verify-active', units: ['member.service'] },
    { atMs: 600, verb: 'verify-active', units: ['idle.service'] },
    { atMs: 700, verb: 'nop', units: ['idle.service'] },
  ]);
  expect(answers.slice(1).map((answer) => answer?.result)).toEqual(['done', 'skipped', 'done']);
  expect(shown).toMatchObject({ 'idle.service': { active: 'inactive' } });
});

test('start, then stop, returns to the beginning', () => {
  // -.slice came with the first unit in it, and stays.
  const { '-.slice': _, ...before } = play(units, []).shown as Readonly<Record<string, object>>;
  const after = play(units, [start, { atMs: 500, verb: 'stop', units: ['group.target', 'member.service'] }]).shown;
  expect(after).toMatchObject(before);
});
