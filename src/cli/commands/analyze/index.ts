/** `sctl analyze WORD`: systemd-analyze(1)'s words, and ours. The files behind them are read when they are called. */
import type { CommandSpec } from '../../command.ts';

/** systemd-analyze(1): without a word it tells the time. */
export const standard = 'time';

export const commands: Readonly<Record<string, CommandSpec>> = {
  calendar: {
    args: '[events...]',
    help: 'calendar events in their normal form, and when they come next; - for one a line',
    group: '',
    own: true,
    load: () => import('./calendar.ts'),
  },
  timespan: {
    args: '[spans...]',
    help: 'time spans in their normal form; - for one a line',
    group: '',
    own: true,
    load: () => import('./timespan.ts'),
  },
  timestamp: {
    args: '[timestamps...]',
    help: 'moments in their normal form; - for one a line',
    group: '',
    own: true,
    load: () => import('./timestamp.ts'),
  },
  capability: {
    args: '[capabilities...]',
    help: 'capabilities by name and number; - for one a line',
    group: '',
    own: true,
    load: () => import('./capability.ts'),
  },
  'exit-status': {
    args: '[statuses...]',
    help: 'exit statuses by name, number and class; - for one a line',
    group: '',
    own: true,
    load: () => import('./exit-status.ts'),
  },
  'syscall-filter': {
    args: '[groups...]',
    help: 'groups of system calls and what is in them; - for one a line',
    group: '',
    own: true,
    load: () => import('./syscall-filter.ts'),
  },
  verify: {
    args: '[units...]',
    help: 'all that is wrong with units or unit files; without arguments with all of them',
    group: '',
    own: true,
    load: () => import('./verify.ts'),
  },
  condition: {
    args: '[conditions...]',
    help: 'whether conditions and assertions hold here, written out or those of a unit',
    group: '',
    own: true,
    load: () => import('./condition.ts'),
  },
  dot: {
    args: '[patterns...]',
    help: 'the graph of units for dot(1)',
    group: '',
    own: true,
    load: () => import('./dot.ts'),
  },
  'unit-files': {
    args: '[patterns...]',
    help: 'every name of the unit path, the file it leads to, and its aliases',
    group: '',
    own: true,
    load: () => import('./unit-files.ts'),
  },
  'cat-config': {
    args: '<names...>',
    help: 'a configuration file with its drop-ins',
    group: '',
    own: true,
    load: () => import('./cat-config.ts'),
  },
  security: {
    args: '[units...]',
    help: 'how exposed services are, of the manager or of files',
    group: '',
    own: true,
    load: () => import('./security.ts'),
  },
  time: { args: '', help: 'how long the boot took', group: '', load: () => import('./time.ts') },
  blame: { args: '', help: 'units by the time they took to come up', group: '', load: () => import('./blame.ts') },
  'critical-chain': {
    args: '[units...]',
    help: 'the units that made a unit wait longest',
    group: '',
    own: true,
    load: () => import('./critical-chain.ts'),
  },
  plot: { args: '', help: 'the boot as a picture (SVG)', group: '', load: () => import('./plot.ts') },
  cycles: {
    args: '[patterns...]',
    help: 'units in memory that wait for each other, and where that is cut',
    group: '',
    load: () => import('./cycles.ts'),
  },
  stall: { args: '', help: 'jobs that nothing can move', group: '', load: () => import('./stall.ts') },
  'unit-paths': {
    args: '',
    help: 'directories of unit files, the strongest first',
    group: '',
    own: true,
    load: () => import('./unit-paths.ts'),
  },
};
