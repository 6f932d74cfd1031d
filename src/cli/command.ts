/** What a command is: a line in the table of words, and a function that runs it. */
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import type { OptionName, Options } from './options.ts';
import type { Style } from './output/style.ts';

/** What a command gets. */
export interface Call {
  /** The word it was called by; one function may serve several. */
  readonly word: string;
  readonly args: readonly string[];
  readonly options: Options;
  readonly context: Context;
  readonly style: Style;
  /** Connects at first use. */
  readonly client: Client;
  readonly quiet: boolean;
  /** --output=json: `print` prints data instead of text. */
  readonly json: boolean;
  /** The one way to answer: `text` is called, and its lines printed, unless JSON is wanted. */
  readonly print: (data: unknown, text: () => readonly string[]) => void;
  /** Advice and warnings; silent with --quiet. */
  readonly warn: (line: string) => void;
  /** Columns for tables: those of the terminal, or without end for pipes and --full. */
  readonly columns: number;
  /** Every command there is, for completion. */
  readonly commands: Readonly<Record<string, CommandSpec>>;
}

/** Returns the exit status; throws CliError. */
export type Run = (call: Call) => Promise<number>;

export interface Module {
  readonly run: Run;
}

/** A command whose first argument is a word of its own: `analyze calendar`, `snapshot save`. */
export interface Family {
  readonly commands: Readonly<Record<string, CommandSpec>>;
  /** What is run where no word is given. */
  readonly standard?: string;
}

export interface CommandSpec {
  /** As commander writes them: `[units...]`. */
  readonly args: string;
  readonly help: string;
  readonly group: string;
  readonly options?: readonly OptionName[];
  readonly hidden?: boolean;
  /** Brings its own options instead of the table's (logs, escape …). */
  readonly own?: boolean;
  /** Asked so often that it is run without the parser where there is nothing to parse. */
  readonly quick?: boolean;
  readonly load: () => Promise<Module | Family>;
}
