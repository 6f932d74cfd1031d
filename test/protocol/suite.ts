/** Runs the same cases on every back end. */
import { describe, test } from 'vitest';
import { native } from './native.ts';
import { simulated, simulatedWithoutGroups } from './simulated.ts';
import type { Backend, World } from './world.ts';

const BACKENDS: readonly Backend[] = [simulated, simulatedWithoutGroups, native];

/** A sentence about what every init and every host does, shown on a world of its own. */
export type Case = readonly [sentence: string, run: (world: World) => Promise<void>];

export function suite(subject: string, cases: readonly Case[]): void {
  for (const { name, missing, open } of BACKENDS) {
    describe.skipIf(missing !== undefined)(
      `${subject}: ${name}${missing === undefined ? '' : ` (skipped: ${missing})`}`,
      () => {
        for (const [sentence, run] of cases) {
          test(sentence, async () => {
            const world = await open();
            try {
              await run(world);
            } finally {
              await world.end();
            }
          });
        }
      },
    );
  }
}
