/** sctl tree, and what sctl status says of a quarantine. */
import { expect, test } from 'vitest';
import type { SupervisorView } from '../../src/api/manager.ts';
import { NOON } from './support/fake-units.ts';
import { sctl } from './support/sctl.ts';

const sick: SupervisorView = {
  id: 'unit:web.service',
  kind: 'worker',
  restart: 'permanent',
  shutdown: 'limited',
  shutdownMs: 1500,
  strategy: undefined,
  intensity: undefined,
  periodMs: undefined,
  state: 'quarantined',
  restarts: 0,
  failures: 11,
  last: { actor: 'unit:web.service', at: NOON, event: 'exited', why: 'not a number' },
  held: 2,
  children: [],
};
const group: SupervisorView = {
  ...sick,
  id: 'unit-actors',
  kind: 'supervisor',
  shutdown: 'infinity',
  shutdownMs: undefined,
  strategy: 'one_for_one',
  intensity: 10,
  periodMs: 60_000,
  state: 'running',
  restarts: 3,
  held: 0,
  children: [sick],
};

function world() {
  const told = sctl();
  Object.assign(told.manager, { supervisors: (id?: string) => (id === 'unit:web.service' ? sick : group) });
  return told;
}

test('tree shows strategy, budget, time for the shutdown, restarts and the last failure of each actor', async () => {
  const { out, status } = await world().run('tree');
  expect(status).toBe(0);
  expect(out.trimEnd().split('\n')).toEqual([
    'unit-actors (one_for_one, permanent, at most 10 in 60s) restarted 3× in the period failed 11×, last 3min 5s ago of unit:web.service at exited: not a number',
    '└─unit:web.service (permanent, shutdown 1.5s) quarantined failed 11×, last 3min 5s ago at exited: not a number 2 events held',
  ]);
});

test('tree begins with init, and says what became of the cores before this one', async () => {
  const last = { actor: 'core', at: NOON, event: 'unit:web.service', why: 'SIGKILL' };
  const init = { ...group, id: 'init', intensity: undefined, periodMs: undefined, restarts: 20, failures: 3, last };
  for (const [seen, line] of [
    [
      init,
      'init (one_for_one, permanent) core restarted 20×, the last died by SIGKILL 3min 5s ago in unit:web.service',
    ],
    [{ ...init, restarts: 0, failures: 0, last: undefined }, 'init (one_for_one, permanent)'],
  ] as const) {
    const told = sctl();
    Object.assign(told.manager, { supervisors: () => seen });
    expect((await told.run('tree')).out.split('\n')[0]).toBe(line);
  }
});

test('tree ACTOR shows the part below it, also as JSON', async () => {
  const { out } = await world().run('tree unit:web.service -o json');
  expect(JSON.parse(out)).toMatchObject({
    id: 'unit:web.service',
    shutdown: 'limited',
    shutdownMs: 1500,
    failures: 11,
    last: { event: 'exited' },
  });
});

test('tree --follow draws anew on a terminal, and elsewhere tells each different tree once', async () => {
  for (const terminal of [true, false]) {
    const { run } = world();
    let looks = 0;
    const printed: string[] = [];
    const pause = async () => {
      looks += 1;
      if (looks === 3) throw new Error('interrupted');
    };
    const followed = run('tree --follow', { terminal, pause, out: (text) => void printed.push(text) });
    await expect(followed).rejects.toThrow('interrupted');
    const out = printed.join('');
    expect(out.split('quarantined').length - 1).toBe(terminal ? 3 : 1);
    expect(out.includes('\x1b[H')).toBe(terminal);
  }
});

test('status says that a unit is quarantined, why, and what releases it; without a unit it names all of them', async () => {
  const { run } = world();
  const { out } = await run('status web.service');
  expect(out).toContain(
    'Quarantine: since 3min 5s ago, exited: not a number; its processes run on, 2 events are held for it',
  );
  expect(out).toContain('sctl reset-failed web.service releases it');
  expect((await run('status')).out).toContain('Aside: unit:web.service: quarantined since 3min 5s ago');
});
