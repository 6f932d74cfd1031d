/** Law 2 of DESIGN.md, held against every machine of a unit type: they decide, and do nothing else. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { unitMachines } from '../../src/machines/index.ts';
import { effectKinds } from '../../src/machines/protocol.ts';
import { activeState, readiness, subState, type UnitSnapshot, view } from '../../src/machines/view.ts';
import { machineLogic } from '../../src/supervisor/logic.ts';
import { ServiceDriver } from './support/service-driver.ts';

/** All states of a machine, the root included. */
function states(machine: AnyStateMachine): AnyStateMachine['root'][] {
  const all: AnyStateMachine['root'][] = [];
  const walk = (node: AnyStateMachine['root']) => {
    all.push(node);
    for (const child of Object.values(node.states)) walk(child as AnyStateMachine['root']);
  };
  walk(machine.root);
  return all;
}

describe.each(Object.entries<AnyStateMachine>(unitMachines))('the %s machine', (_, machine) => {
  test('invokes nothing and waits for no clock of its own', () => {
    for (const node of states(machine)) {
      expect(node.invoke).toEqual([]);
      expect(node.after).toEqual([]);
    }
  });

  test('names every action and guard in its setup', () => {
    const { actions, guards } = machine.implementations;
    for (const node of states(machine)) {
      const transitions = [...node.transitions.values()].flat().concat(node.always ?? []);
      const named = [...node.entry, ...node.exit, ...transitions.flatMap((transition) => transition.actions)];
      for (const action of named) {
        expect(typeof action).not.toBe('function');
        expect(Object.keys(actions)).toContain(typeof action === 'string' ? action : (action as { type: string }).type);
      }
      for (const { guard } of transitions) {
        if (guard === undefined) continue;
        expect(Object.keys(guards)).toContain(typeof guard === 'string' ? guard : (guard as { type: string }).type);
      }
    }
  });

  test('has no step that bears the name of an effect', () => {
    for (const name of Object.keys(effectKinds)) {
      const action = machine.implementations.actions[name] as unknown as () => unknown;
      expect(action()).toBeUndefined();
      expect(action).not.toHaveProperty('resolve'); // what a step has
    }
  });
});

test('no file of a unit machine reads a clock, a random number or the world', () => {
  const forbidden =
    /\b(Date|Math\.random|setTimeout|setInterval|performance|process\.(env|hrtime|nextTick)|sendTo|spawnChild|invoke:|after:)\b|from 'node:/;
  const directory = new URL('../../src/machines/', import.meta.url);
  for (const file of readdirSync(directory)) {
    const code = readFileSync(new URL(file, directory), 'utf8').replace(/\/\*\*[\s\S]*?\*\/|\/\/.*/g, '');
    expect([file, forbidden.exec(code)?.[0]]).toEqual([file, undefined]);
  }
});

describe('the outside view', () => {
  const logic = machineLogic(unitMachines.target);

  test('is the tag and the innermost state', () => {
    const up = logic.step(logic.initial({} as never).snapshot, { type: 'start', atMs: 5 }).snapshot as UnitSnapshot;
    expect(subState({ value: { stopping: 'stop-sigterm' } })).toBe('stop-sigterm');
    expect(activeState(up)).toBe('active');
    expect(view(up)).toMatchObject({ active: 'active', sub: 'active', result: 'success', downs: 0 });
  });

  test('says when a verb is worth sending', () => {
    const service = new ServiceDriver({ Restart: 'always' });
    const ready = () => (['start', 'stop', 'reload'] as const).map((verb) => readiness(service.snapshot, verb));
    expect(ready()).toEqual(['now', 'done', 'invalid']);
    service.send({ type: 'start' });
    expect(ready()).toEqual(['under-way', 'now', 'later']);
    service.forked();
    expect(ready()).toEqual(['done', 'now', 'now']);
    service.exited('main', { exited: 1 });
    expect(ready()).toEqual(['now', 'now', 'later']); // auto-restart
    service.send({ type: 'start' });
    service.forked();
    service.send({ type: 'stop' });
    expect(ready()).toEqual(['later', 'under-way', 'invalid']);
  });
});
