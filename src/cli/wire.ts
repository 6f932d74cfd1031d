/** Replies of core as sctl reads them: src/api/interfaces in TypeScript. Absent and null are one. */

type Maybe<T> = T | null | undefined;

export interface Stamp {
  readonly realUs: number;
  readonly monotonicUs: number;
}

export interface Summary {
  readonly name: string;
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  readonly description: string;
  readonly job?: Maybe<{ readonly id: number; readonly type: string }>;
  readonly following?: Maybe<string>;
}

export interface Exit {
  readonly code: string;
  readonly status: number;
}

export interface CommandRecord {
  readonly setting: string;
  readonly index: number;
  readonly path: string;
  readonly argv: readonly string[];
  readonly ignoreFailure: boolean;
  readonly pid: number;
  readonly started?: Maybe<Stamp>;
  readonly ended?: Maybe<Stamp>;
  readonly exit?: Maybe<Exit>;
}

export interface Group {
  readonly path: string;
  readonly processes: readonly { readonly pid: number; readonly command: string }[];
  readonly children: readonly Group[];
}

export interface Check {
  readonly result: boolean;
  readonly at: Stamp;
  readonly failed: string;
}

export interface Finding {
  readonly severity: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly what: string;
  readonly why: string;
  readonly todo: string;
}

export interface Unit {
  readonly name: string;
  readonly names: readonly string[];
  readonly description: string;
  readonly documentation: readonly string[];
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  readonly result: string;
  readonly following?: Maybe<string>;
  readonly job?: Maybe<{ readonly id: number; readonly type: string }>;
  readonly invocationId: string;
  readonly fragmentPath: string;
  readonly sourcePath: string;
  readonly dropInPaths: readonly string[];
  readonly unitFileState: string;
  readonly preset: string;
  readonly needDaemonReload: boolean;
  readonly transient: boolean;
  readonly stateChange?: Maybe<Stamp>;
  readonly activeEnter?: Maybe<Stamp>;
  readonly activeExit?: Maybe<Stamp>;
  readonly inactiveEnter?: Maybe<Stamp>;
  readonly inactiveExit?: Maybe<Stamp>;
  readonly condition?: Maybe<Check>;
  readonly assertion?: Maybe<Check>;
  readonly controlGroup: string;
  readonly group?: Maybe<Group>;
  readonly tasks?: Maybe<number>;
  readonly tasksMax?: Maybe<number>;
  readonly memoryBytes?: Maybe<number>;
  readonly memoryPeakBytes?: Maybe<number>;
  readonly cpuNs?: Maybe<number>;
  readonly triggers: readonly Summary[];
  readonly triggeredBy: readonly Summary[];
  readonly service?: Maybe<{
    readonly mainPid: number;
    readonly controlPid: number;
    readonly main?: Maybe<CommandRecord>;
    readonly statusText: string;
    readonly statusErrno: number;
    readonly nRestarts: number;
    readonly watchdog?: Maybe<Stamp>;
    readonly fdStore: number;
    readonly commands: readonly CommandRecord[];
    readonly reloadResult: string;
  }>;
  readonly socket?: Maybe<{
    readonly listen: readonly { readonly kind: string; readonly address: string }[];
    readonly accept: boolean;
    readonly accepted: number;
    readonly connections: number;
    readonly refused: number;
    readonly controlPid: number;
  }>;
  readonly path?: Maybe<{
    readonly watches: readonly { readonly setting: string; readonly path: string }[];
    readonly triggered: number;
    readonly triggeredBy?: Maybe<string>;
  }>;
  /** `periodUs` absent: infinity. */
  readonly supervision?: Maybe<{
    readonly strategy: string;
    readonly intensity: number;
    readonly periodUs?: Maybe<number>;
    readonly onEscalate: string;
    readonly members: readonly string[];
    readonly failures: readonly Stamp[];
  }>;
  readonly findings: readonly Finding[];
}

export interface Refusal {
  readonly error: string;
  readonly unit: string;
  readonly why: string;
  readonly todo: string;
  readonly details?: Maybe<readonly string[]>;
}

export interface Outcome {
  readonly unit: string;
  readonly job?: Maybe<number>;
  readonly result?: Maybe<string>;
  readonly notes: readonly string[];
  readonly refusal?: Maybe<Refusal>;
  readonly transaction?: Maybe<readonly { readonly id: number; readonly unit: string; readonly type: string }[]>;
}

export interface Job {
  readonly id: number;
  readonly unit: string;
  readonly type: string;
  readonly state: string;
  readonly mode: string;
  readonly by: string;
  readonly created: Stamp;
  readonly started?: Maybe<Stamp>;
  readonly waits: readonly {
    readonly why: string;
    readonly job?: Maybe<number>;
    readonly unit?: Maybe<string>;
    readonly pid?: Maybe<number>;
    readonly sinceUs?: Maybe<number>;
    readonly untilUs?: Maybe<number>;
  }[];
}

export interface UnitFile {
  readonly name: string;
  readonly path: string;
  readonly state: string;
  readonly preset: string;
}

export interface Step {
  readonly kind: string;
  readonly path: string;
  readonly target: string;
}

export interface Node {
  readonly name: string;
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  readonly description: string;
  readonly below: readonly string[];
}

export interface ManagerState {
  readonly version: string;
  readonly state: string;
  readonly role: string;
  readonly pid: number;
  readonly units: number;
  readonly jobs: number;
  readonly failed: number;
  readonly environment: readonly string[];
  readonly tainted: readonly string[];
  readonly defaultTarget: string;
  readonly logDirectory: string;
  readonly hostname: string;
  readonly controlGroup: string;
  readonly safeMode: boolean;
  readonly checkpointFault: string;
  /** Absent: a core that knows of none yet. */
  readonly troubles?: Maybe<readonly { readonly at: Stamp; readonly what: string }[]>;
  readonly cores?: number;
  readonly deaths: readonly { readonly atUs: number; readonly how: string; readonly at: string }[];
  readonly stamps: {
    readonly userspace?: Maybe<Stamp>;
    readonly core?: Maybe<Stamp>;
    readonly unitsLoaded?: Maybe<Stamp>;
    readonly finish?: Maybe<Stamp>;
  };
}

export interface Event {
  readonly event: string;
  readonly at?: Maybe<Stamp>;
  readonly unit?: Maybe<Summary & { readonly was?: Maybe<string>; readonly result: string; readonly gone: boolean }>;
  readonly job?: Maybe<{
    readonly id: number;
    readonly unit: string;
    readonly type: string;
    readonly result?: Maybe<string>;
  }>;
  readonly system?: Maybe<string>;
  readonly note?: Maybe<{ readonly unit: string; readonly text: string }>;
}

export interface Supervisor {
  readonly id: string;
  readonly kind: string;
  readonly restart: string;
  /** Absent: it is told by an older core. */
  readonly shutdown?: string;
  readonly shutdownMs?: Maybe<number>;
  readonly strategy?: Maybe<string>;
  readonly intensity?: Maybe<number>;
  readonly periodMs?: Maybe<number>;
  readonly state: string;
  readonly restarts: number;
  readonly failures: number;
  readonly last?: Maybe<{
    readonly actor: string;
    readonly at: { readonly realUs: number; readonly monotonicUs: number };
    readonly event: string;
    readonly why: string;
  }>;
  readonly held: number;
  readonly children: readonly Supervisor[];
}

/** io.sysmaster.Insight. */
export interface Cause {
  readonly kind: string;
  readonly what: string;
  readonly unit?: Maybe<string>;
  readonly job?: Maybe<number>;
  readonly pid?: Maybe<number>;
  readonly where?: Maybe<string>;
  readonly since?: Maybe<Stamp>;
  readonly below: readonly Cause[];
}

export interface Explanation {
  readonly unit: string;
  readonly job?: Maybe<number>;
  readonly active: string;
  readonly sub: string;
  readonly result: string;
  readonly since?: Maybe<Stamp>;
  readonly state: string;
  readonly because: readonly Cause[];
  readonly next: readonly string[];
}

export interface HistoryRecord {
  readonly number: number;
  readonly at: Stamp;
  readonly kind: string;
  readonly unit: string;
  readonly what: string;
  readonly cause: string;
  readonly job?: Maybe<number>;
}

export interface Cut {
  readonly from: string;
  readonly to: string;
  readonly where: string;
  readonly ring: readonly string[];
  readonly why: string;
  readonly done: boolean;
}

export interface Cycle {
  readonly members: readonly string[];
  readonly rings: readonly (readonly { readonly from: string; readonly to: string; readonly where: string }[])[];
  readonly more: boolean;
  readonly cuts: readonly Cut[];
}

export interface Stall {
  readonly ring: readonly string[];
  readonly why: readonly string[];
  readonly todo: string;
}

export interface UnitTimes {
  readonly name: string;
  readonly activatingUs?: Maybe<number>;
  readonly activatedUs?: Maybe<number>;
  readonly deactivatingUs?: Maybe<number>;
  readonly deactivatedUs?: Maybe<number>;
  readonly after: readonly string[];
}

export interface Times {
  readonly userspaceUs: number;
  readonly unitsLoadedUs?: Maybe<number>;
  readonly finishedUs?: Maybe<number>;
  readonly nowUs: number;
  readonly role: string;
  readonly target: string;
  readonly units: readonly UnitTimes[];
}
