/** The table of directives as others read it: its page, its defaults and versions. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { DIRECTIVES, directive } from '../../src/units/index.ts';

test('docs/reference/directives.md is what the table says (node scripts/directive-pages.mjs writes it)', () => {
  const done = spawnSync(process.execPath, ['scripts/directive-pages.mjs', '--check'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect([done.stderr, done.status]).toEqual(['', 0]);
});

test('every row says what its value looks like', () => {
  expect(DIRECTIVES.filter(({ form }) => form === '').map(({ key }) => key)).toEqual([]);
});

test.each([
  ['Service', 'TimeoutStartSec', '1min 30s', 188],
  ['Service', 'PrivateTmp', 'no', 0],
  ['Service', 'ProtectClock', 'no', 245],
  ['Path', 'TriggerLimitBurst', '200', 250],
  ['Socket', 'TriggerLimitBurst', '20', 230],
  ['Service', 'RestartSteps', '0', 254],
])('[%s] %s= is %j by default, since %i', (section, key, standard, since) => {
  const row = directive(section, key);
  expect([row?.default, row?.since]).toEqual([standard, since]);
});
