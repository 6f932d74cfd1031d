/** The faults that are put into core on purpose (`npm run test:crash -- --mutants ''`) can still be put into it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mutants } from './mutants.ts';

test.each(mutants)('there is one place for the fault: $name', ({ file, from }) => {
  const text = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
  expect(text.split(from)).toHaveLength(2);
});
