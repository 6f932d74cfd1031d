/**
 * __complete: words for the completion scripts, one a line. Never an error: a completion that complains is worse than none.
 *
 *   commands                     every word of sctl
 *   options COMMAND              its options
 *   values OPTION [WORD…]        values of an option, where these words stand beside it
 *   words COMMAND [WORD…]        what may come after the command and these words
 *   keys [SECTION]               settings of unit files, with the form of their values; sections, without one
 *
 * Properties and settings are those of the table of directives.
 */
import type { Call, Family } from '../command.ts';
import { CliError } from '../context.ts';
import { options as optionTable } from '../options.ts';
import { signalNames } from '../output/exit-words.ts';
import type { Job, Summary, UnitFile } from '../wire.ts';

/** `before`: the words after the command that stand already. */
type Source = (call: Call, before: readonly string[]) => Promise<readonly string[]>;

const units =
  (wanted: (unit: Summary) => boolean): Source =>
  async ({ client }) => {
    const { units: found } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List', {});
    return found.filter(wanted).map(({ name }) => name);
  };

const files =
  (wanted: (file: UnitFile) => boolean): Source =>
  async ({ client }) => {
    const { files: found } = await client.call<{ files: UnitFile[] }>('io.sysmaster.Units.Files', {});
    return found.filter(wanted).map(({ name }) => name);
  };

const both =
  (a: Source, b: Source): Source =>
  async (call, before) => [...(await a(call, before)), ...(await b(call, before))];

/** A command whose first word is one of a family's, and what comes after it. */
const family =
  (load: () => Promise<Family>, below: Readonly<Record<string, Source>>): Source =>
  async (call, before) => {
    const [word, ...rest] = before;
    if (word === undefined) return Object.keys((await load()).commands);
    return Object.hasOwn(below, word) ? below[word]!(call, rest) : [];
  };

const snapshots: Source = async ({ client }) => {
  const { snapshots: found } = await client.call<{ snapshots: { name: string }[] }>('io.sysmaster.Snapshots.List');
  return found.map(({ name }) => name);
};
const confirmations: Source = async ({ client }) => {
  const { waiting } = await client.call<{ waiting: { id: string }[] }>('io.sysmaster.Jobs.Confirmations');
  return waiting.map(({ id }) => id);
};
const plans: Source = async ({ client }) => {
  const { plans: kept } = await client.call<{ plans: { id: string }[] }>('io.sysmaster.Jobs.Plans');
  return kept.map(({ id }) => id);
};
/** Names of conditions, ready for a value. */
const conditions: Source = async () => {
  const { DIRECTIVES } = await import('../../units/directives.ts');
  return DIRECTIVES.filter(({ form }) => form === 'CONDITION').map(({ key }) => `${key}=`);
};

/** Properties of the units that stand beside the option, else of whatever may be shown: honoured settings, units, the manager. */
async function properties({ client }: Call, beside: readonly string[]): Promise<string[]> {
  const of = async (method: string, parameters?: object): Promise<string[]> => {
    try {
      return Object.keys((await client.call<{ properties: object }>(method, parameters)).properties);
    } catch (error) {
      if (error instanceof CliError) return [];
      throw error;
    }
  };
  const units = beside.filter((word) => /\.[a-z]+$/.test(word));
  const found: string[] = [];
  for (const name of units.length > 0 ? units : ['init.scope'])
    found.push(...(await of('io.sysmaster.Units.Properties', { name })));
  if (units.length > 0 && found.length > 0) return found;
  const { DIRECTIVES } = await import('../../units/directives.ts');
  const { propertiesOf } = await import('../../units/directives/properties.ts');
  const honoured = DIRECTIVES.filter(({ status }) => status === 'honoured').flatMap((row) => propertiesOf(row));
  return [...found, ...honoured, ...(await of('io.sysmaster.Manager.Properties'))];
}

async function keys(section: string): Promise<string[]> {
  const { DIRECTIVES } = await import('../../units/directives.ts');
  if (section === '') return DIRECTIVES.map((row) => row.section);
  return DIRECTIVES.filter((row) => row.section === section && row.renamedTo === undefined).map(
    ({ key, form }) => `${key}=\t${form}`,
  );
}

const isUp = ({ active }: Summary): boolean => active !== 'inactive' && active !== 'failed';
const startable: Source = both(
  units((unit) => !isUp(unit) && unit.load === 'loaded'),
  files(({ state }) => !state.startsWith('masked')),
);
const all: Source = both(
  units(() => true),
  files(() => true),
);
const running = units(isUp);

/** Kinds of words, by the command they follow. */
const SOURCES: Readonly<Record<string, Source>> = {
  start: startable,
  stop: running,
  restart: both(running, startable),
  'try-restart': running,
  reload: running,
  'reload-or-restart': both(running, startable),
  'try-reload-or-restart': running,
  kill: running,
  isolate: files(({ name }) => name.endsWith('.target')),
  'set-default': files(({ name }) => name.endsWith('.target')),
  'is-active': all,
  'is-failed': units(() => true),
  'reset-failed': units(({ active }) => active === 'failed'),
  status: all,
  show: all,
  cat: all,
  logs: all,
  machine: units(({ load }) => load === 'loaded'),
  findings: all,
  events: units(() => true),
  'list-units': units(() => true),
  'list-dependencies': all,
  'list-unit-files': files(() => true),
  'is-enabled': files(() => true),
  enable: files(({ state }) => state === 'disabled' || state === 'indirect'),
  disable: files(({ state }) => state.startsWith('enabled') || state === 'alias'),
  reenable: files(({ state }) => state.startsWith('enabled') || state === 'disabled'),
  mask: files(({ state }) => !state.startsWith('masked')),
  unmask: files(({ state }) => state.startsWith('masked')),
  preset: files(({ state }) => state !== 'static'),
  revert: files(() => true),
  cancel: async ({ client }) => {
    const { jobs } = await client.call<{ jobs: Job[] }>('io.sysmaster.Jobs.List');
    return jobs.map(({ id }) => String(id));
  },
  completion: async () => ['bash', 'zsh', 'fish'],
  edit: all,
  why: all,
  'why-not': all,
  history: all,
  convert: all,
  'list-sockets': units(({ name }) => name.endsWith('.socket')),
  'list-paths': units(({ name }) => name.endsWith('.path')),
  'add-wants': all,
  'add-requires': all,
  apply: plans,
  confirm: confirmations,
  snapshot: family(() => import('./snapshot/index.ts'), {
    save: snapshots,
    show: both(snapshots, async () => ['now']),
    diff: both(snapshots, async () => ['now']),
    delete: snapshots,
    restore: snapshots,
  }),
  analyze: family(() => import('./analyze/index.ts'), {
    verify: all,
    condition: both(conditions, all),
    dot: all,
    security: all,
    'critical-chain': all,
    'unit-files': all,
    cycles: all,
    capability: async () => (await import('../../units/syntax/capability.ts')).CAPABILITIES,
    'syscall-filter': async () => [...(await import('../../units/syntax/syscall-names.ts')).syscallGroups().keys()],
    'exit-status': async () => (await import('../../units/syntax/signal.ts')).EXIT_STATUSES.map((entry) => entry[0]),
  }),
  plan: async (call, before) => {
    const [verb] = before;
    if (verb === undefined) return PLAN_VERBS;
    return Object.hasOwn(SOURCES, verb) ? SOURCES[verb]!(call, []) : all(call, []);
  },
};

/** Requests that `plan` takes (systemctl's words). */
const PLAN_VERBS = [
  'start',
  'stop',
  'restart',
  'reload',
  'try-restart',
  'reload-or-restart',
  'try-reload-or-restart',
  'isolate',
];

/** Values of options. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  type: ['service', 'socket', 'target', 'slice', 'scope', 'mount', 'automount', 'swap', 'timer', 'path', 'device'],
  state: [
    'loaded',
    'not-found',
    'bad-setting',
    'error',
    'masked',
    'active',
    'reloading',
    'inactive',
    'failed',
    'activating',
    'deactivating',
    'running',
    'exited',
    'dead',
    'listening',
  ],
  'job-mode': [
    'replace',
    'fail',
    'replace-irreversibly',
    'isolate',
    'flush',
    'ignore-dependencies',
    'ignore-requirements',
    'restart-dependencies',
    'triggering',
    'lenient',
  ],
  'kill-whom': ['main', 'control', 'all'],
  'preset-mode': ['full', 'enable-only', 'disable-only'],
  output: ['text', 'json', 'json-pretty', 'short', 'cat'],
  signal: signalNames(),
};

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

export async function run(call: Call): Promise<number> {
  const [what = '', about = '', ...rest] = call.args;
  let words: readonly string[] = [];
  if (what === 'commands') {
    words = Object.entries(call.commands)
      .filter(([, { hidden }]) => hidden !== true)
      .map(([word, { help }]) => `${word}\t${help}`);
  } else if (what === 'options')
    words = optionTable(own(call.commands, about)?.options ?? []).map(({ long, help }) => `${long}\t${help}`);
  else if (what === 'keys') words = await keys(about);
  else {
    try {
      if (what === 'words') words = (await own(SOURCES, about)?.(call, rest)) ?? [];
      else words = about === 'property' ? await properties(call, rest) : (own(VALUES, about) ?? []);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
    }
  }
  const lines = [...new Set(words)].sort();
  if (lines.length > 0) call.context.out(`${lines.join('\n')}\n`);
  return 0;
}
