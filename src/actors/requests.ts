/** Who asks, and for what, in words: for the log, the history and everyone who wants to know why. */
import type { Caller, Change } from '../api/manager.ts';
import { type Host, HostError } from '../host/ports.ts';
import { requestWords } from '../jobs/words.ts';
import { signalName } from '../units/syntax/signal.ts';
import { faultWords } from './chaos-rules.ts';

/** Characters of a command line that are kept. */
const COMMAND_MAX = 160;
/** What the kernel says where nobody logged in (proc_pid_loginuid(5)). */
const NO_LOGIN = '4294967295';

/**
 * `uid 0, pid 41 (sctl start web.service)`; where somebody else logged in and became that user: `uid 0 (login uid 1000), pid …`.
 * Only those who may change something get here, so their command line is read without fear of their tricks.
 */
export function callerWords(host: Host, { uid, pid }: Caller): string {
  const read = (name: string): string => {
    try {
      return host.files.readText(`/proc/${pid}/${name}`) ?? '';
    } catch (error) {
      // It is gone already, or not ours to look at: then it is known by its numbers alone.
      if (error instanceof HostError) return '';
      throw error;
    }
  };
  const words = read('cmdline').replace(/\0+$/, '').split('\0');
  const program = (words[0] ?? '').replace(/^.*\//, '');
  // A script is better known by its own name than by that of its interpreter.
  const script = /^(node|python[\d.]*|perl|sh|bash)$/.test(program)
    ? words.findIndex((word, at) => at > 0 && word.includes('/'))
    : -1;
  const shown =
    script > 0
      ? [(words[script] as string).replace(/^.*\//, '').replace(/\.m?js$/, ''), ...words.slice(script + 1)]
      : [program, ...words.slice(1)];
  const line = shown
    .join(' ')
    .replace(/[^\x20-\x7e]/g, '?')
    .trim();
  const login = read('loginuid').trim();
  const user =
    login === '' || login === NO_LOGIN || login === String(uid) ? `uid ${uid}` : `uid ${uid} (login uid ${login})`;
  const command = line.length > COMMAND_MAX ? `${line.slice(0, COMMAND_MAX)}…` : line;
  return `${user}, pid ${pid}${command === '' ? '' : ` (${command})`}`;
}

/** A change as the history has it. */
export function requestTold(change: Change, by: string): { unit: string; what: string; by: string } {
  const told = (what: string, unit = '') => ({ unit, what, by });
  switch (change.what) {
    case 'request': {
      const [first] = change.requests;
      const words = change.requests.slice(0, 3).map((one) => requestWords(one));
      const more = change.requests.length > 3 ? ` and ${change.requests.length - 3} more` : '';
      return told(`${words.join('; ')}${more}`, change.requests.length === 1 ? (first?.units[0] ?? '') : '');
    }
    case 'cancel':
      return told(
        change.jobs === 'all' ? 'cancel all jobs' : `cancel ${change.jobs.map((job) => `job ${job}`).join(', ')}`,
      );
    case 'kill':
      return told(
        `${signalName(change.signal)}${change.dryRun ? ' (dry run)' : ''} to ${change.whom === 'all' ? 'all processes' : `the ${change.whom} process`}`,
        change.unit,
      );
    case 'reset-failed':
      return told(`reset-failed ${change.units === 'all' ? '' : change.units.slice(0, 3).join(' ')}`.trim());
    case 'unit-files':
      return told(`${change.verb}${change.dryRun ? ' (dry run)' : ''} ${change.names.slice(0, 3).join(' ')}`.trim());
    case 'daemon-reload':
      return told(`daemon-reload${change.dryRun ? ' (dry run)' : ''}`);
    case 'shutdown':
      return told(change.verb);
    case 'chaos': {
      const { fault, units, core } = change.wish;
      return told(
        `chaos${change.wish.dryRun ? ' (dry run)' : ''}: ${faultWords(fault)}, ${core ? 'core' : units.slice(0, 3).join(' ')}`,
      );
    }
    case 'chaos-stop':
      return told(`stop ${change.runs === 'all' ? 'all chaos' : `chaos ${change.runs.join(', ')}`}`);
    case 'keep-plan':
      return told(`keep plan ${change.id} of ${requestWords(change.request)}`);
    case 'apply':
      return told(`apply plan ${change.wish.id}`);
    case 'confirm':
      return told(`confirm plan ${change.id}`);
    case 'snapshot':
      return told(`snapshot ${change.verb}${change.dryRun ? ' (dry run)' : ''} ${change.name}`);
    case 'environment':
      return told('change the environment of services');
    default:
      return told(change.what);
  }
}
