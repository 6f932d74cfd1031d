/** Runs the same cases on every back end. */
import { afterAll, describe, test } from 'vitest';
import { native } from './native.ts';
import { simulated, simulatedWithoutGroups } from './simulated.ts';
import type { Backend, World } from './world.ts';

const BACKENDS: readonly Backend[] = [simulated, simulatedWithoutGroups, native];

/** A sentence about what every init and every host does, and what shows it. `alone`: no other case may come after it in its world. */
export type Case = readonly [sentence: string, run: (world: World) => Promise<void>, alone?: 'alone'];

/** A world is used again where it can be laid to rest: starting a real init and a real core for each case takes too long. */
export function suite(subject: string, cases: readonly Case[]): void {
  for (const { name, missing, open } of BACKENDS) {
    describe.skipIf(missing !== undefined)(
      `${subject}: ${name}${missing === undefined ? '' : ` (skipped: ${missing})`}`,
      () => {
        let kept: World | undefined;
        afterAll(async () => await kept?.end());
        for (const [sentence, run, alone] of cases) {
          test(sentence, async () => {
            const world = (alone === undefined ? kept : undefined) ?? (await open());
            if (world === kept) kept = undefined;
            let rested = false;
            try {
              await run(world);
              if (alone === undefined && world.rest !== undefined) {
                await world.rest();
                rested = true;
              }
            } finally {
              if (rested) kept = world;
              else await world.end();
            }
          });
        }
      },
    );
  }
}
