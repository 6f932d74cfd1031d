/**
 * From settings to numbers: the exposure of one service, from 0 (none) to 10 (all of it), in tenths.
 * Source: systemd-analyze(1), security: weights, rounded up at each step, over the weights of all checks that apply.
 */
import type { Unit } from '../../../../units/types.ts';
import { CHECKS, type Check } from './checks.ts';
import { settingsOf } from './settings.ts';

export interface Row {
  readonly name: string;
  readonly field: string;
  /** null: means nothing for this service. */
  readonly set: boolean | null;
  readonly about: string;
  /** Tenths of what the whole comes to; null: it adds nothing. */
  readonly exposure: number | null;
}

export interface Assessment {
  readonly unit: string;
  /** 0 to 100. */
  readonly exposure: number;
  readonly predicate: string;
  readonly smiley: string;
  readonly rows: readonly Row[];
}

/** What a security policy may replace of a check. */
export interface Override {
  readonly weight?: number;
  readonly range?: number;
  readonly description_good?: string;
  readonly description_bad?: string;
  readonly description_na?: string;
}
export type Policy = Readonly<Record<string, Override>>;

const LEVELS: readonly (readonly [least: number, predicate: string, smiley: string])[] = [
  [100, 'DANGEROUS', '🤢'],
  [90, 'UNSAFE', '😨'],
  [75, 'EXPOSED', '🙁'],
  [50, 'MEDIUM', '😐'],
  [10, 'OK', '🙂'],
  [1, 'SAFE', '😀'],
  [0, 'PERFECT', '😇'],
];

/** undefined: not a service. */
export function assess(unit: Unit, policy: Policy = {}): Assessment | undefined {
  const settings = settingsOf(unit);
  if (settings === undefined) return undefined;
  const judged = CHECKS.map((row) => {
    const override = policy[row.field] ?? {};
    return { row: { ...row, ...numbers(override) }, override, verdict: row.judge(settings) };
  });
  const applying = judged.filter(({ verdict }) => verdict.badness !== null);
  const weights = applying.reduce((sum, { row }) => sum + row.weight, 0);
  const bad = applying.reduce(
    (sum, { row, verdict }) => sum + Math.ceil(((verdict.badness ?? 0) * row.weight) / row.range),
    0,
  );
  const exposure = weights === 0 ? 0 : Math.ceil((bad * 100) / weights);
  const level = LEVELS.find(([least]) => exposure >= least);
  return {
    unit: unit.name,
    exposure,
    predicate: level?.[1] ?? 'PERFECT',
    smiley: level?.[2] ?? '😇',
    rows: judged.map(({ row, override, verdict }) => ({
      name: row.name,
      field: row.field,
      set: verdict.badness === null ? null : verdict.badness === 0,
      about: words(override, verdict.badness) ?? verdict.about,
      exposure: share(row, verdict.badness, weights),
    })),
  };
}

function numbers({ weight, range }: Override): Partial<Pick<Check, 'weight' | 'range'>> {
  return { ...(weight === undefined ? {} : { weight }), ...(range === undefined ? {} : { range }) };
}

function words(override: Override, badness: number | null): string | undefined {
  if (badness === null) return override.description_na;
  return badness === 0 ? override.description_good : override.description_bad;
}

function share({ weight, range }: Check, badness: number | null, weights: number): number | null {
  if (badness === null || badness === 0 || weights === 0) return null;
  return Math.ceil((badness * weight * 100) / range / weights);
}

/** `9.6` for 96. */
export const tenths = (exposure: number): string => `${Math.floor(exposure / 10)}.${exposure % 10}`;
