/** What FailureAction= and its kin make of the system's end. */
import { expect, test } from 'vitest';
import { managerMachine } from '../../src/machines/manager.ts';
import { machineLogic } from '../../src/supervisor/logic.ts';

const logic = machineLogic(managerMachine);

test.each([
  ['exit', { kind: 'exit', status: 33, argument: '' }],
  ['exit-force', { kind: 'exit', status: 33, argument: '' }],
  ['poweroff', { kind: 'poweroff', status: 0, argument: '' }],
  ['poweroff-immediate', { kind: 'poweroff', status: 0, argument: '' }],
  ['reboot', { kind: 'reboot', status: 0, argument: 'abc' }],
])('the exit status of a unit is that of an exit, and of no other end: %s', (action, ending) => {
  const { snapshot } = logic.initial({ atMs: 1, environment: [] } as never);
  const rebootArgument = ending.argument;
  const event = { type: 'unit-action', atMs: 2, unit: 'a.service', action, exitStatus: 33, rebootArgument };
  const { context } = logic.step(snapshot, event).snapshot as unknown as { context: { ending: unknown } };
  expect(context.ending).toMatchObject(ending);
});
