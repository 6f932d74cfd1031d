/** Every word of sctl. The files behind them are read when they are called. */
import type { CommandSpec } from '../command.ts';

const jobs = () => import('./jobs.ts');
const unitFiles = () => import('./unit-files.ts');
const manager = () => import('./manager.ts');
const shutdown = () => import('./shutdown.ts');
const isolate = () => import('./isolate.ts');
const environment = () => import('./environment.ts');

const UNITS = 'Units';
const FILES = 'Unit files';
const JOBS = 'Jobs';
const MANAGER = 'Manager';
const SYSTEM = 'System';
const INSIGHT = 'Insight';

const job = (help: string, more: CommandSpec['options'] = []): CommandSpec => ({
  args: '<units...>',
  help,
  group: UNITS,
  options: ['jobMode', 'block', 'showTransaction', 'dryRun', ...more!],
  load: jobs,
});
const file = (help: string, more: CommandSpec['options'] = [], args = '<units...>'): CommandSpec => ({
  args,
  help,
  group: FILES,
  options: ['runtime', 'reload', 'root', 'dryRun', ...more!],
  load: unitFiles,
});
const end = (help: string, args = ''): CommandSpec => ({
  args,
  help,
  group: SYSTEM,
  options: ['force', 'block', 'dryRun'],
  load: shutdown,
});

export const commands: Readonly<Record<string, CommandSpec>> = {
  'list-units': {
    args: '[patterns...]',
    help: 'units in memory',
    group: UNITS,
    options: ['type', 'state', 'failed', 'all', 'full', 'plain', 'legend', 'withDependencies'],
    load: () => import('./list-units.ts'),
  },
  'list-sockets': {
    args: '[patterns...]',
    help: 'sockets and what they start',
    group: UNITS,
    options: ['all', 'legend'],
    load: () => import('./list-sockets.ts'),
  },
  'list-paths': {
    args: '[patterns...]',
    help: 'paths that are watched and what they start',
    group: UNITS,
    options: ['all', 'legend'],
    load: () => import('./list-paths.ts'),
  },
  start: job('start units', ['wait']),
  stop: job('stop units'),
  restart: job('stop units and start them; start those that are stopped', ['wait']),
  'try-restart': job('restart units that run'),
  reload: job('let units load their configuration anew'),
  'reload-or-restart': job('reload units that can, restart the others'),
  'try-reload-or-restart': job('the same, for units that run'),
  condrestart: { ...job('try-restart'), hidden: true },
  'force-reload': { ...job('reload-or-restart'), hidden: true },
  isolate: {
    args: '<unit>',
    help: 'start one unit and stop all that it does not need',
    group: UNITS,
    options: ['block', 'showTransaction', 'dryRun'],
    load: isolate,
  },
  kill: {
    args: '<units...>',
    help: 'send a signal to the processes of units',
    group: UNITS,
    options: ['signal', 'killWhom', 'dryRun'],
    load: () => import('./kill.ts'),
  },
  'is-active': {
    args: '<units...>',
    help: 'do they run? 0: at least one does',
    group: UNITS,
    quick: true,
    load: () => import('./is.ts'),
  },
  'is-failed': {
    args: '<units...>',
    help: 'have they failed? 0: at least one has',
    group: UNITS,
    quick: true,
    load: () => import('./is.ts'),
  },
  status: {
    args: '[units...]',
    help: 'state, processes, use of resources and last log lines',
    group: UNITS,
    options: ['lines', 'full', 'all', 'type', 'state', 'failed', 'withDependencies'],
    load: () => import('./status.ts'),
  },
  show: {
    args: '[units...]',
    help: 'properties, for scripts',
    group: UNITS,
    options: ['property', 'valueOf', 'value', 'all'],
    load: () => import('./show.ts'),
  },
  cat: { args: '<units...>', help: 'unit files and drop-ins', group: UNITS, load: () => import('./cat.ts') },
  'list-dependencies': {
    args: '[units...]',
    help: 'what units need, as trees',
    group: UNITS,
    options: ['reverse', 'before', 'after', 'all', 'plain'],
    load: () => import('./list-dependencies.ts'),
  },
  'reset-failed': {
    args: '[units...]',
    help: 'forget failures and start counts',
    group: UNITS,
    options: ['dryRun'],
    load: manager,
  },

  'list-unit-files': {
    args: '[patterns...]',
    help: 'unit files on the unit path',
    group: FILES,
    options: ['type', 'state', 'legend'],
    load: () => import('./list-unit-files.ts'),
  },
  'is-enabled': {
    args: '<units...>',
    help: 'are they enabled? 0: at least one is',
    group: FILES,
    quick: true,
    options: ['root', 'full'],
    load: () => import('./is.ts'),
  },
  enable: file('let units start with the system, as their [Install] says', ['now', 'force']),
  disable: file('undo enable', ['now']),
  reenable: file('disable and enable', ['now', 'force']),
  mask: file('make it impossible to start units', ['now']),
  unmask: file('undo mask'),
  preset: file('enable or disable as the presets say', ['now', 'presetMode', 'force']),
  'preset-all': file('the same for all unit files', ['presetMode'], ''),
  link: file('add unit files from elsewhere to the unit path', ['force'], '<paths...>'),
  revert: file('remove what was changed locally'),
  'add-wants': file('let a target want units', ['force'], '<target> <units...>'),
  'add-requires': file('let a target require units', ['force'], '<target> <units...>'),
  edit: {
    args: '<units...>',
    help: 'edit a drop-in of units, or their files with --full; what is faulty is shown before it takes effect',
    group: FILES,
    options: ['full', 'force', 'runtime', 'dropIn', 'stdin', 'reload', 'root', 'dryRun'],
    load: () => import('./edit.ts'),
  },
  'get-default': {
    args: '',
    help: 'the target that is booted',
    group: FILES,
    options: ['root'],
    load: () => import('./default.ts'),
  },
  'set-default': {
    args: '<target>',
    help: 'boot another target',
    group: FILES,
    options: ['dryRun'],
    load: () => import('./default.ts'),
  },

  'list-jobs': {
    args: '[patterns...]',
    help: 'jobs, and what they wait for',
    group: JOBS,
    options: ['after', 'before', 'legend'],
    load: () => import('./list-jobs.ts'),
  },
  plan: {
    args: '<verb> <units...>',
    help: 'what a request would do, and why; nothing is done',
    group: JOBS,
    options: ['jobMode', 'save'],
    load: () => import('./plan.ts'),
  },
  apply: {
    args: '<plan>',
    help: 'do what a plan says, or tell what has moved since; a file or an id',
    group: JOBS,
    options: ['confirmWithin', 'block', 'showTransaction', 'dryRun'],
    load: () => import('./apply.ts'),
  },
  confirm: {
    args: '[id]',
    help: 'keep what was applied with --confirm-within',
    group: JOBS,
    options: ['list', 'dryRun'],
    load: () => import('./confirm.ts'),
  },
  snapshot: {
    args: '<word>',
    help: 'save, list, show, diff, delete, restore: snapshot --help says more',
    group: JOBS,
    load: () => import('./snapshot/index.ts'),
  },
  cancel: {
    args: '[jobs...]',
    help: 'cancel jobs; all of them without a number',
    group: JOBS,
    options: ['dryRun'],
    load: () => import('./list-jobs.ts'),
  },

  why: {
    args: '<units...>',
    help: 'why units or jobs are as they are: causes, waits, what comes next',
    group: INSIGHT,
    load: () => import('./why.ts'),
  },
  'why-not': {
    args: '<units...>',
    help: 'why units do not run, and what would let them',
    group: INSIGHT,
    load: () => import('./why.ts'),
  },
  history: {
    args: '[patterns...]',
    help: 'what happened to units, jobs and core, each with its cause',
    group: INSIGHT,
    options: ['lines', 'all', 'reverse'],
    load: () => import('./history.ts'),
  },
  logs: { args: '[units...]', help: 'log lines', group: INSIGHT, own: true, load: () => import('./logs.ts') },
  machine: {
    args: '<unit>',
    help: 'the live statechart of a unit',
    group: INSIGHT,
    own: true,
    load: () => import('./machine.ts'),
  },
  report: {
    args: '<unit>',
    help: 'all about a unit in one file for a maintainer, without secrets',
    group: INSIGHT,
    own: true,
    load: () => import('./report.ts'),
  },
  replay: {
    args: '<file> [units...]',
    help: 'run what core recorded again, step by step, and tell what differs',
    group: INSIGHT,
    own: true,
    load: () => import('./replay.ts'),
  },
  tree: {
    args: '[actor]',
    help: 'the supervision tree of core, or the part below an actor',
    group: INSIGHT,
    options: ['follow'],
    load: () => import('./tree.ts'),
  },
  findings: {
    args: '[unit]',
    help: 'what is wrong or not honoured in unit files',
    group: INSIGHT,
    load: () => import('./findings.ts'),
  },
  events: {
    args: '[patterns...]',
    help: 'what happens, as it happens',
    group: INSIGHT,
    load: () => import('./events.ts'),
  },
  analyze: {
    args: '<word>',
    help: 'time, faults of unit files, cycles, values: analyze --help names the words',
    group: INSIGHT,
    load: () => import('./analyze/index.ts'),
  },
  convert: {
    args: '[units...]',
    help: 'unit files of systemd in our form, and what of them is not honoured',
    group: INSIGHT,
    own: true,
    load: () => import('./convert.ts'),
  },
  escape: {
    args: '[strings...]',
    help: 'make unit names of strings and paths',
    group: INSIGHT,
    own: true,
    load: () => import('./escape.ts'),
  },

  'daemon-reload': {
    args: '',
    help: 'load all unit files anew, and tell what has changed',
    group: MANAGER,
    options: ['dryRun'],
    load: manager,
  },
  'daemon-reexec': {
    args: '',
    help: 'start core anew; nothing else notices',
    group: MANAGER,
    options: ['dryRun'],
    load: manager,
  },
  'init-reexec': {
    args: '[path]',
    help: 'replace init by a new binary; nothing else notices',
    group: MANAGER,
    options: ['dryRun'],
    load: manager,
  },
  chaos: {
    args: '[word] [ids...]',
    help: 'faults on purpose, with a radius and an end; list and stop',
    group: MANAGER,
    own: true,
    load: () => import('./chaos.ts'),
  },
  'show-environment': { args: '', help: 'what services find in their environment', group: MANAGER, load: environment },
  'set-environment': {
    args: '<assignments...>',
    help: 'add to it',
    group: MANAGER,
    options: ['dryRun'],
    load: environment,
  },
  'unset-environment': {
    args: '<names...>',
    help: 'take from it',
    group: MANAGER,
    options: ['dryRun'],
    load: environment,
  },
  'import-environment': {
    args: '<names...>',
    help: 'add from the environment of this command',
    group: MANAGER,
    options: ['dryRun'],
    load: environment,
  },
  'is-system-running': {
    args: '',
    help: 'running, degraded, starting …; 0: running',
    group: MANAGER,
    options: ['wait'],
    load: () => import('./is.ts'),
  },
  version: { args: '', help: 'of sctl and of the manager', group: MANAGER, load: () => import('./version.ts') },
  completion: {
    args: '<shell>',
    help: 'completion script for bash, zsh or fish',
    group: MANAGER,
    load: () => import('./completion.ts'),
  },

  default: { args: '', help: 'isolate the default target', group: SYSTEM, options: ['block', 'dryRun'], load: isolate },
  rescue: { args: '', help: 'isolate rescue.target', group: SYSTEM, options: ['block', 'dryRun'], load: isolate },
  emergency: { args: '', help: 'isolate emergency.target', group: SYSTEM, options: ['block', 'dryRun'], load: isolate },
  poweroff: end('stop everything and switch off'),
  reboot: end('stop everything and start again', '[argument]'),
  halt: end('stop everything and stay there'),
  kexec: end('stop everything and start the loaded kernel'),
  'soft-reboot': end('stop everything and start userspace again'),
  exit: end('end the manager, with an exit status', '[status]'),

  __complete: {
    args: '<what> [rest...]',
    help: 'words for the completion scripts',
    group: '',
    hidden: true,
    load: () => import('./complete.ts'),
  },
};
