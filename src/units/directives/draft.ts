/**
 * What a directive writes to while a unit is being loaded, and what it may ask.
 */
import type { MachineFacts } from '../../host/ports.ts';
import type { UnitName } from '../names.ts';
import type { Zones } from '../time/zones.ts';
import type {
  AutomountSection,
  Condition,
  DependencyKind,
  Edge,
  InstallSection,
  MountSection,
  PathSection,
  ScopeSection,
  ServiceSection,
  SliceSection,
  SocketSection,
  SwapSection,
  TimerSection,
  UnitSection,
} from '../types.ts';

/** The same shape, to be written; lists are replaced, never changed in place. */
export type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A unit in the making. The section of its own type is there, the others are not. */
export interface Draft {
  readonly unit: Mutable<UnitSection>;
  readonly install: Mutable<InstallSection>;
  conditions: Condition[];
  readonly edges: Edge[];
  /** Keys with a good value whose defaults depend on other settings. */
  readonly given: Set<string>;
  service?: Mutable<ServiceSection>;
  socket?: Mutable<SocketSection>;
  slice?: Mutable<SliceSection>;
  scope?: Mutable<ScopeSection>;
  timer?: Mutable<TimerSection>;
  path?: Mutable<PathSection>;
  mount?: Mutable<MountSection>;
  automount?: Mutable<AutomountSection>;
  swap?: Mutable<SwapSection>;
}

/** What a parser may ask and tell about the assignment that is being read. */
export interface Context {
  readonly name: UnitName;
  readonly facts: MachineFacts;
  /** Memory of the machine and the greatest number of tasks, for percentages; undefined: not known. */
  readonly capacity: { readonly memoryBytes: number | undefined; readonly tasks: number | undefined };
  /** Time zones of the machine. */
  readonly zones: Zones;
  /** Specifiers resolved; undefined: one is unknown, which has been told, and the assignment does not count. */
  expand(text: string, offset?: number): string | undefined;
  /** The same without telling. */
  tryExpand(text: string): { readonly text: string } | { readonly fault: string };
  /** The assignment does not count. */
  fault(why: string, todo: string, offset?: number): void;
  /** The unit cannot be used: systemd would refuse it too. */
  refuse(why: string, todo: string, offset?: number): void;
  /** It counts, but hardly as it was meant. */
  warn(why: string, todo: string, offset?: number): void;
  /** Worth saying, but it counts. */
  note(why: string, todo: string): void;
  /** An edge with this assignment as its origin; templates get the unit's instance. */
  edge(kind: DependencyKind, to: string, offset?: number): void;
  /** The assignment's condition, with its place. */
  condition(kind: string, assert: boolean, value: string): Condition;
}

/** Reads a value; undefined: it was told what is wrong, and the assignment does not count. */
export type Parser<T> = (value: string, ctx: Context, current: T) => T | undefined;

/** A parser of which only the faults matter. */
export type Checker = (value: string, ctx: Context, current: never) => unknown;

export type Status = 'honoured' | 'accepted' | 'unsupported';

/** One row of the table. */
export interface Directive {
  readonly section: string;
  readonly key: string;
  readonly status: Status;
  /** systemd's version that brought it, as far as that was noted; 0: older. */
  readonly since: number;
  /** The value where no file gives one, as it would be written; empty: none. */
  readonly default: string;
  /** How the manual page writes the value: BOOLEAN, SECONDS, UNIT... */
  readonly form: string;
  /** For a key with a newer name. */
  readonly renamedTo?: string | undefined;
  /** Its use is worth a warning, not only a note. */
  readonly obsolete?: boolean;
  apply(draft: Draft, value: string, ctx: Context): void;
}
