/** Scopes, slices, targets, and the types that are only watched. Sources: systemd.scope(5), systemd.slice(5), systemd.target(5). */
import { describe, expect, test } from 'vitest';
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { sliceMachine, staticMachine, targetMachine } from '../../src/machines/plain.ts';
import type { UnitEffect } from '../../src/machines/protocol.ts';
import { scopeMachine } from '../../src/machines/scope.ts';
import { type UnitSnapshot, view } from '../../src/machines/view.ts';
import { machineLogic } from '../../src/supervisor/logic.ts';
import { scopeWith } from '../model/other-settings.ts';

/** Send events; @returns the view after the last, and all effects */
function run(machine: AnyStateMachine, input: unknown, ...events: { type: string; [field: string]: unknown }[]) {
  const logic = machineLogic(machine);
  let snapshot: AnyMachineSnapshot = logic.initial(input as never).snapshot;
  const effects: UnitEffect[] = [];
  for (const event of events) {
    const next = logic.step(snapshot, { atMs: 1_000, ...event });
    snapshot = next.snapshot;
    effects.push(...(next.effects as UnitEffect[]));
  }
  const { active, sub, result } = view(snapshot as UnitSnapshot);
  return { state: `${active}/${sub}`, result, effects, names: effects.map(({ type }) => type) };
}

describe('a scope', () => {
  const start = { type: 'start', pids: [{ pid: 5, startTime: 6 }] };
  const input = { settings: scopeWith() };

  test('takes in processes, and ends with the last of them', () => {
    expect(run(scopeMachine, input, start).state).toBe('activating/start-chown');
    expect(run(scopeMachine, input, start, { type: 'adopted' }).state).toBe('active/running');
    const ended = run(scopeMachine, input, start, { type: 'adopted' }, { type: 'empty' });
    expect(ended.state).toBe('inactive/dead');
    expect(ended.names).toContain('release');
  });

  test('whose processes are gone already has failed', () => {
    const failed = run(scopeMachine, input, start, { type: 'adopt-failed' });
    expect([failed.state, failed.result]).toEqual(['failed/failed', 'resources']);
  });

  test('is stopped by signals to its group, the last one not to be ignored', () => {
    const stopped = run(
      scopeMachine,
      input,
      start,
      { type: 'adopted' },
      { type: 'stop' },
      { type: 'deadline', name: 'TimeoutStopSec' },
    );
    expect(stopped.state).toBe('deactivating/stop-sigkill');
    const signals = stopped.effects.flatMap((effect) => (effect.type === 'signalGroup' ? [effect.params.signal] : []));
    expect(signals).toEqual([15, 18, 9]);
  });

  test('stopped before its processes are in signals them all the same', () => {
    const stopped = run(scopeMachine, input, start, { type: 'stop' });
    expect(stopped.names).toContain('signalGroup');
    expect(stopped.state).toBe('deactivating/stop-sigterm');
  });

  test('lives only once', () => {
    const again = run(scopeMachine, input, start, { type: 'adopted' }, { type: 'empty' }, start);
    expect(again.state).toBe('inactive/dead');
    expect(again.effects.at(-1)).toMatchObject({ type: 'refuse', params: { verb: 'start', result: 'once' } });
  });

  test('that is abandoned goes on, and is limited in time like any other', () => {
    const limited = { settings: scopeWith({ RuntimeMaxSec: 500 }) };
    const abandoned = run(scopeMachine, limited, start, { type: 'adopted' }, { type: 'abandon' });
    expect(abandoned.state).toBe('active/abandoned');
    const over = run(
      scopeMachine,
      limited,
      start,
      { type: 'adopted' },
      { type: 'abandon' },
      { type: 'deadline', name: 'RuntimeMaxSec' },
    );
    expect([over.state, over.result]).toEqual(['deactivating/stop-sigterm', 'timeout']);
  });
});

test('a target is up when it is asked to be', () => {
  expect(run(targetMachine, {}, { type: 'start' }).state).toBe('active/active');
  expect(run(targetMachine, {}, { type: 'start' }, { type: 'stop' }).state).toBe('inactive/dead');
});

test.each([
  ['target', targetMachine, []],
  ['slice', sliceMachine, ['prepare']],
] as const)('a %s that was up when core lost its state is up', (_type, machine, names) => {
  const adopted = run(machine, {}, { type: 'adopt', populated: false });
  expect(adopted).toMatchObject({ state: 'active/active', names });
});

test.each([
  ['target', targetMachine],
  ['slice', sliceMachine],
] as const)('SuccessAction= follows the end of a %s, and nothing else', (_type, machine) => {
  const settings = { ...scopeWith(), SuccessAction: 'reboot', SuccessActionExitStatus: 7, RebootArgument: 'now' };
  const { effects } = run(machine, { settings }, { type: 'start' }, { type: 'stop' });
  expect(effects.filter(({ type }) => type === 'unitAction').map(({ params }) => params)).toEqual([
    { setting: 'SuccessAction', action: 'reboot', exitStatus: 7, rebootArgument: 'now' },
  ]);
  expect(run(machine, { settings: null }, { type: 'start' }, { type: 'stop' }).names).not.toContain('unitAction');
  // A reload of unit files may bring it, or take it away.
  const later = run(machine, {}, { type: 'start' }, { type: 'settings', settings }, { type: 'stop' });
  expect(later.names).toContain('unitAction');
});

test('a slice has its group from start to stop', () => {
  expect(run(sliceMachine, {}, { type: 'start' }).names).toEqual(['prepare']);
  expect(run(sliceMachine, {}, { type: 'start' }, { type: 'stop' }).names).toEqual(['prepare', 'release', 'ended']);
});

describe('a unit that is only watched', () => {
  test.each([
    ['mount', 'mounted'],
    ['device', 'plugged'],
    ['swap', 'active'],
    ['scope', 'running'],
  ])('of type %s is %s while the kernel shows it', (type, sub) => {
    const input = { settings: { type } };
    expect(run(staticMachine, input, { type: 'present' }).state).toBe(`active/${sub}`);
    expect(run(staticMachine, input, { type: 'present' }, { type: 'absent' }).state).toBe('inactive/dead');
  });

  test.each(['mount', 'timer', 'path', 'automount'])(
    'of type %s refuses to be started, and says that it is not supported',
    (type) => {
      const refused = run(staticMachine, { settings: { type } }, { type: 'start' });
      expect(refused.state).toBe('inactive/dead');
      expect(refused.effects).toMatchObject([{ type: 'refuse', params: { verb: 'start', result: 'unsupported' } }]);
    },
  );

  test('is not stopped in pretence either', () => {
    const refused = run(staticMachine, { settings: { type: 'mount' } }, { type: 'present' }, { type: 'stop' });
    expect(refused.state).toBe('active/mounted');
    expect(refused.effects).toMatchObject([{ type: 'refuse', params: { verb: 'stop', result: 'unsupported' } }]);
  });
});
