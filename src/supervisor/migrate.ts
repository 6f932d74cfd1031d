/**
 * How what an older core has saved is brought into the present form: one step a version, from one registry.
 *
 * A step is found by kind and by the version it starts from, and leads to the next one; who raises the version of a kind
 * (`Logic.version`) or the form of images (`FORMAT`) adds the step in the same commit, and the fixtures of released versions
 * (test/fixtures/checkpoints) show that none is missing. A kind without a step for a version is asked itself: `Logic.load` is told the version.
 * There is no way back: what a newer core has saved is refused as a whole, and core goes on by adoption.
 */
import type { Json } from './actor.ts';

/** Pure: a saved form of one version in, the form of the next version out. Throws where it cannot be believed. */
export type Migration = (saved: Json) => Json;

/** By kind of actor, then by the version that a step starts from. The kinds `image` and `record` are the ledger's own. */
export type Migrations = Readonly<Record<string, Readonly<Record<number, Migration>>>>;

/** Versions of one kind are few; more steps than this are a loop. */
const STEPS_MAX = 1000;

/** Is there a step from here? */
export const canMigrate = (migrations: Migrations, kind: string, from: number): boolean =>
  migrations[kind]?.[from] !== undefined;

/** `saved` as version `to` of the kind. Throws, with words for a person, where a step is missing, fails, or would have to go back. */
export function migrate(migrations: Migrations, kind: string, saved: Json, from: number, to: number): Json {
  if (!Number.isInteger(from) || from > to || to - from > STEPS_MAX)
    throw new Error(`${kind}: saved as version ${from}, this core reads ${to} and what is older`);
  let form = saved;
  for (let version = from; version < to; version += 1) {
    const step = migrations[kind]?.[version];
    if (step === undefined) throw new Error(`${kind}: nothing here reads version ${version}`);
    try {
      form = step(form);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${kind}: from version ${version} to ${version + 1}: ${why}`, { cause });
    }
  }
  return form;
}
