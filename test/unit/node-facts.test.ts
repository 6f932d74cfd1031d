import { afterEach, expect, test } from 'vitest';
import { machineFacts } from '../../src/host/node/facts.ts';

const { env } = process;
afterEach(() => {
  process.env = env;
});

const factsOf = (more: Readonly<Record<string, string>>) => {
  process.env = { ...env, ...more };
  return JSON.stringify(machineFacts({ role: 'container', canSetUid: true }, '/run/sysmaster'));
};

test('the facts are the same for each core, so that units kept by one are believed by the next', () => {
  expect(factsOf({ SYSTEMD_EXEC_PID: '17' })).toBe(factsOf({ SYSTEMD_EXEC_PID: '18' }));
  expect(factsOf({ USER: 'somebody' })).not.toBe(factsOf({ USER: 'else' }));
});
