/** __complete: words for the completion scripts, one a line. Never an error: a completion that complains is worse than none. */
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { options as optionTable } from '../options.ts';
import { signalNames } from '../output/exit-words.ts';
import type { Job, Summary, UnitFile } from '../wire.ts';

type Source = (call: Call) => Promise<string[]>;

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
  async (call) => [...(await a(call)), ...(await b(call))];

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
};

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

export async function run(call: Call): Promise<number> {
  const [what = '', about = ''] = call.args;
  let words: readonly string[] = [];
  if (what === 'commands') {
    words = Object.entries(call.commands)
      .filter(([, { hidden }]) => hidden !== true)
      .map(([word, { help }]) => `${word}\t${help}`);
  } else if (what === 'options')
    words = optionTable(call.commands[about]?.options ?? []).map(({ long, help }) => `${long}\t${help}`);
  else if (what === 'values') words = VALUES[about] ?? [];
  else {
    try {
      words = (await SOURCES[about]?.(call)) ?? [];
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
    }
  }
  const lines = [...new Set(words)].sort();
  if (lines.length > 0) call.context.out(`${lines.join('\n')}\n`);
  return 0;
}
