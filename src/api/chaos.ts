/**
 * Faults that people bring about on purpose, as clients ask for them and see them: io.sysmaster.Chaos.
 *
 * Plain JSON. Spans end in `Ms` here and in `Us` on the wire.
 */

export type ChaosFault =
  /** A signal; again and again where `everyMs` is set. */
  | {
      readonly kind: 'kill';
      readonly signal: number;
      readonly whom: 'main' | 'all';
      readonly everyMs: number | undefined;
    }
  /** SIGSTOP, and SIGCONT at the end. */
  | { readonly kind: 'hang'; readonly whom: 'main' | 'all' }
  /** READY=1 is held back for so long, at most until the end; undefined: until the end. */
  | { readonly kind: 'delay_ready'; readonly ms: number | undefined }
  /** So many of the next processes cannot be started; `step` and `errno` by name, as in the log. */
  | { readonly kind: 'fail_spawn'; readonly count: number; readonly step: string; readonly errno: string }
  /** WATCHDOG=1 is not heard. */
  | { readonly kind: 'drop_watchdog' };

/** What a client asks for. */
export interface ChaosWish {
  readonly fault: ChaosFault;
  /** Names, patterns (fnmatch(3)), and slices and targets, which stand for their members. */
  readonly units: readonly string[];
  /** Core itself, and no units: `kill` and `hang` only. */
  readonly core: boolean;
  /** The blast radius: no more units than this, and no more than this share of those that the fault suits. Neither: one a word of `units`. */
  readonly atMost: number | undefined;
  readonly percent: number | undefined;
  /** When it is taken back at the latest; undefined: {@link CHAOS_FOR_MS}. */
  readonly forMs: number | undefined;
  /** The same seed and the same units make the same choice; undefined: one is made of the request. */
  readonly seed: number | undefined;
  /** Only say whom it would hit. */
  readonly dryRun: boolean;
}

/** How long faults last where nothing is said. */
export const CHAOS_FOR_MS = 30_000;

/** What an administrator allows: system.conf, section [X-Chaos]. */
export interface ChaosSettings {
  readonly enabled: boolean;
  /** Units under faults at the same time, of all requests together. */
  readonly maxUnits: number;
  /** The longest time for which anything may be asked. */
  readonly maxMs: number;
  /** Patterns of units that are never hit. */
  readonly protect: readonly string[];
  /** Where these stand. */
  readonly path: string;
}

/** Chaos that is under way. */
export interface ChaosRun {
  readonly id: number;
  /** In words: `SIGKILL to the main process`. */
  readonly what: string;
  readonly fault: ChaosFault['kind'];
  readonly core: boolean;
  readonly units: readonly string[];
  readonly by: string;
  readonly seed: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Whom a request hits, or would hit. */
export interface ChaosChoice {
  /** 0: it was a dry run. */
  readonly id: number;
  readonly what: string;
  readonly seed: number;
  readonly units: readonly string[];
  /** Units that were named and are not hit, with the reason; those that the draw has passed over without. */
  readonly spared: readonly { readonly unit: string; readonly why: string }[];
  /** Units that go down, or are restarted, with those that are hit; absent: an earlier core has not looked. */
  readonly along?: readonly string[];
  /** CLOCK_MONOTONIC. */
  readonly untilMs: number;
  readonly enabled: boolean;
}
