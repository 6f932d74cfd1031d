/** What a command may use of the world: the streams, the terminal, the clock, the environment. Tests hand in their own. */

export interface Context {
  /** Text as it is; callers end their lines. */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Standard input, whole; for `-`. */
  readonly input: () => Promise<string>;
  /** Standard output is a terminal: colours, cut lines. */
  readonly terminal: boolean;
  /** So is standard error; absent: not known. */
  readonly errorTerminal?: boolean;
  /** Who sits at the terminal and may be asked; undefined, or absent: nobody sees what is printed, or types. */
  readonly person?: () => Promise<Person | undefined>;
  /** Columns of it; Infinity where there is none. */
  readonly columns: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** CLOCK_REALTIME in µs. */
  readonly nowUs: () => number;
  /** CLOCK_MONOTONIC in µs, as the logs and core count it. */
  readonly monotonicUs: () => number;
  /** The name the program was called by: sctl, systemctl, reboot … */
  readonly name: string;
  readonly uid: number;
  /**
   * Do this when somebody interrupts the command (SIGINT, SIGTERM, SIGHUP), which then ends by that signal; a second signal, or half a second,
   * cuts it short. Answers with what takes it back. Absent: a signal ends the command at once.
   */
  readonly onInterrupt?: (does: () => Promise<void>) => () => void;
  /** Wait; real in the program, at once in tests. */
  readonly pause: (ms: number) => Promise<void>;
}

export interface Person {
  /** One line; undefined: there will be no more. */
  ask(prompt: string): Promise<string | undefined>;
  /** No more questions. */
  done(): void;
}

/** An end with a message and systemctl's exit status. */
export class CliError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}
