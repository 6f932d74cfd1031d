/**
 * The options of systemctl's words, in one table: every command takes all of them, as systemctl does, and shows those
 * that mean something to it. Options may stand before the command's name as well as after it.
 */

/** A value that an option does not take; the message says which ones it does. */
export class BadValue extends Error {}

/** Collects `a,b` and repeated options. */
const list = (value: string, before: string[] | undefined): string[] => [
  ...(before ?? []),
  ...value.split(',').filter((word) => word !== ''),
];

function count(value: string): number {
  if (!/^\d+$/.test(value)) throw new BadValue('not a number');
  return Number(value);
}

const OUTPUTS = ['text', 'json', 'json-pretty', 'short', 'cat', 'tree', 'dot'];

function output(value: string): string {
  if (!OUTPUTS.includes(value)) throw new BadValue(`use one of ${OUTPUTS.join(', ')}`);
  return value;
}

/** By the name under which the value is found. */
const TABLE = {
  type: { flags: '-t, --type <type,…>', help: 'units of these types', parse: list },
  state: { flags: '--state <state,…>', help: 'units with one of these LOAD, ACTIVE or SUB states', parse: list },
  failed: { flags: '--failed', help: 'same as --state=failed' },
  all: { flags: '-a, --all', help: 'everything: inactive units, empty properties, dependencies of dependencies' },
  full: { flags: '-l, --full', help: 'do not cut lines to the terminal' },
  property: { flags: '-p, --property <name,…>', help: 'these properties only', parse: list },
  valueOf: { flags: '-P <name,…>', help: 'same as --value --property=NAME', parse: list },
  value: { flags: '--value', help: 'the values only' },
  reverse: { flags: '--reverse', help: 'units that need this one' },
  before: { flags: '--before', help: 'units that are ordered after this one; of jobs: what each waits for' },
  after: { flags: '--after', help: 'units that are ordered before this one; of jobs: those that wait for each' },
  withDependencies: { flags: '--with-dependencies', help: 'and what these units need' },
  plain: { flags: '--plain', help: 'a list without a tree and dots' },
  signal: { flags: '-s, --signal <signal>', help: 'by name or number' },
  killWhom: { flags: '--kill-whom <whom>', help: 'main, control or all' },
  killWho: { flags: '--kill-who <whom>', help: 'same as --kill-whom' },
  jobMode: { flags: '--job-mode <mode>', help: 'what to do about jobs that are in the way: replace, fail, …' },
  showTransaction: { flags: '-T, --show-transaction', help: 'show the jobs that a request leads to' },
  block: { flags: '--no-block', help: 'do not wait for the jobs to be over' },
  wait: { flags: '--wait', help: 'wait for the units to end again' },
  now: { flags: '--now', help: 'start or stop the units as well' },
  runtime: { flags: '--runtime', help: 'until the next boot' },
  force: { flags: '-f, --force', help: 'replace links that are in the way; twice on shutdown: at once' },
  presetMode: { flags: '--preset-mode <mode>', help: 'full, enable-only or disable-only' },
  reload: { flags: '--no-reload', help: 'do not load the units anew' },
  follow: { flags: '--follow', help: 'go on, and show it anew when it changes' },
  lines: { flags: '-n, --lines <count>', help: 'log lines to show', parse: count },
  output: {
    flags: '-o, --output <form>',
    help: 'text, json or json-pretty; for log lines also short and cat, for plans tree and dot',
    parse: output,
  },
  quiet: { flags: '-q, --quiet', help: 'say less' },
  legend: { flags: '--no-legend', help: 'no header and no footer' },
  legendWord: { flags: '--legend <yes|no>', help: 'header and footer' },
  root: { flags: '--root <directory>', help: 'unit files of the tree below it; no manager is asked' },
  dropIn: { flags: '--drop-in <name>', help: 'the name of the drop-in, instead of override.conf' },
  stdin: { flags: '--stdin', help: 'take the text from standard input, not from an editor' },
  socket: { flags: '--socket <path>', help: 'the API socket of another manager' },
  // What follows is taken as systemctl takes it and has nothing to do here.
  pager: { flags: '--no-pager', help: 'there is none' },
  wall: { flags: '--no-wall', help: 'there is none' },
  askPassword: { flags: '--no-ask-password', help: 'there is none' },
  system: { flags: '--system', help: 'the system manager, as always' },
  noWarn: { flags: '--no-warn', help: 'no advice' },
  showTypes: { flags: '--show-types', help: 'types of sockets' },
  recursive: { flags: '-r, --recursive', help: 'containers as well; there are none' },
  checkInhibitors: { flags: '--check-inhibitors <when>', help: 'there are none' },
  ignoreInhibitors: { flags: '-i', help: 'there are none' },
  message: { flags: '--message <text>', help: 'why, for the log' },
  dryRun: { flags: '--dry-run', help: 'only show what would be done' },
  save: { flags: '--save <file>', help: 'write the plan to a file, for sctl apply' },
  confirmWithin: {
    flags: '--confirm-within <time>',
    help: 'undo it after so long unless it is confirmed: sctl confirm',
  },
  list: { flags: '--list', help: 'only list what waits to be confirmed' },
  plan: { flags: '--plan', help: 'only show what would be done' },
  fail: { flags: '--fail', help: 'same as --job-mode=fail' },
  irreversible: { flags: '--irreversible', help: 'same as --job-mode=replace-irreversibly' },
  ignoreDependencies: { flags: '--ignore-dependencies', help: 'same as --job-mode=ignore-dependencies' },
  rebootArgument: { flags: '--reboot-argument <argument>', help: 'for reboot(2)' },
} as const;

/** The table for those who read all of it: the parser and completion. */
export const SPECS: Readonly<
  Record<string, { readonly flags: string; readonly help: string; readonly parse?: unknown }>
> = TABLE;

export type OptionName = keyof typeof TABLE;

/** Values as commander hands them over. */
export interface Options {
  readonly type?: string[];
  readonly state?: string[];
  readonly failed?: boolean;
  readonly all?: boolean;
  readonly full?: boolean;
  readonly property?: string[];
  /** -P */
  readonly P?: string[];
  readonly value?: boolean;
  readonly reverse?: boolean;
  readonly before?: boolean;
  readonly after?: boolean;
  readonly plain?: boolean;
  readonly signal?: string;
  readonly killWhom?: string;
  readonly killWho?: string;
  readonly jobMode?: string;
  readonly showTransaction?: boolean;
  readonly block?: boolean;
  readonly wait?: boolean;
  readonly now?: boolean;
  readonly runtime?: boolean;
  /** How often it was given. */
  readonly force?: number;
  readonly presetMode?: string;
  readonly reload?: boolean;
  readonly lines?: number;
  readonly output?: string;
  readonly quiet?: boolean;
  readonly legend?: boolean | string;
  readonly socket?: string;
  readonly root?: string;
  readonly dropIn?: string;
  readonly stdin?: boolean;
  readonly warn?: boolean;
  readonly message?: string;
  readonly dryRun?: boolean;
  readonly save?: string;
  readonly confirmWithin?: string;
  readonly list?: boolean;
  readonly plan?: boolean;
  readonly withDependencies?: boolean;
  readonly rebootArgument?: string;
  readonly [name: string]: unknown;
}

/** Shown with every command. */
export const ALWAYS: ReadonlySet<string> = new Set(['output', 'quiet', 'socket']);

/** Options that take a value, by every way to write them; needed to find the command's name among them. */
export const VALUED: ReadonlySet<string> = new Set(
  Object.values(SPECS)
    .filter(({ flags }) => flags.includes('<'))
    .flatMap(({ flags }) => flags.replace(/ <.*/, '').split(', ')),
);

/** Long options that a command shows, for completion. */
export function options(shown: readonly OptionName[]): { readonly long: string; readonly help: string }[] {
  return Object.entries(SPECS)
    .filter(([name]) => ALWAYS.has(name) || shown.includes(name as OptionName))
    .flatMap(([, { flags, help }]) => {
      const long = /--[a-z-]+/.exec(flags)?.[0];
      return long === undefined ? [] : [{ long: flags.includes('<') ? `${long}=` : long, help }];
    });
}
