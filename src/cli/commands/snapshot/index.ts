/** `sctl snapshot WORD`. The files behind the words are read when they are called. */
import type { CommandSpec } from '../../command.ts';

const files = () => import('./files.ts');

export const commands: Readonly<Record<string, CommandSpec>> = {
  save: {
    args: '<name>',
    help: 'note which units are active, enabled and masked, and with which settings',
    group: '',
    options: ['dryRun'],
    load: files,
  },
  list: { args: '', help: 'the snapshots there are', group: '', options: ['legend'], load: files },
  show: {
    args: '<name>',
    help: 'what a snapshot holds; now is the present',
    group: '',
    options: ['all', 'legend'],
    load: files,
  },
  diff: {
    args: '<a> [b]',
    help: 'what is different between two snapshots, or between one and now',
    group: '',
    load: () => import('./diff.ts'),
  },
  delete: { args: '<names...>', help: 'forget snapshots', group: '', options: ['dryRun'], load: files },
  restore: {
    args: '<name>',
    help: 'bring units and unit files back to a snapshot',
    group: '',
    options: ['confirmWithin', 'plan', 'dryRun', 'save', 'block', 'showTransaction'],
    load: () => import('./restore.ts'),
  },
};

/** Without a word, the snapshots are listed. */
export const standard = 'list';
