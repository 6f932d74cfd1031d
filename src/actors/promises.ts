/**
 * What waits to be confirmed, kept in a file of its own in the run-time directory: it is promised to be undone, also by a core that
 * comes up without the state of the one before it. Of this boot only, since its times are.
 */
import { type Host, HostError } from '../host/ports.ts';
import type { Confirmation } from '../jobs/apply.ts';

const pathOf = ({ facts }: Pick<Host, 'facts'>): string => `${facts.runDirectory}/promises.json`;

interface Kept {
  readonly boot: string;
  readonly confirmations: readonly Confirmation[];
}

/** Write them, or remove the file where nothing is promised. What cannot be written is said: then it holds as long as core's state. */
export function keepPromises(
  host: Pick<Host, 'facts' | 'files' | 'log'>,
  confirmations: readonly Confirmation[],
): void {
  const kept: Kept = { boot: host.facts.bootId, confirmations };
  try {
    if (confirmations.length === 0) host.files.remove(pathOf(host));
    else host.files.writeText(pathOf(host), JSON.stringify(kept), 0o600);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    host.log.log('warning', { errno: error.code, about: error.about }, 'what waits to be confirmed cannot be kept');
  }
}

/** What the cores before this one have promised; a file that cannot be read is said, and left alone. */
export function promises(host: Pick<Host, 'facts' | 'files' | 'log' | 'hello'>): readonly Confirmation[] {
  if (host.hello.cores === 0) return []; // an earlier init's
  try {
    const text = host.files.readOwn(pathOf(host));
    if (text === undefined) return [];
    const { boot, confirmations } = (JSON.parse(text) ?? {}) as Partial<Kept>;
    if (boot === host.facts.bootId && Array.isArray(confirmations)) return confirmations.filter(isWhole);
    // What another boot has promised is over.
    if (typeof boot !== 'string') tell(host, 'it is none of ours');
  } catch (error) {
    if (!(error instanceof HostError || error instanceof SyntaxError)) throw error;
    tell(host, error.message);
  }
  return [];
}

const tell = (host: Pick<Host, 'facts' | 'log'>, why: string): void =>
  host.log.log('error', { file: pathOf(host) }, `what waits to be confirmed cannot be read: ${why}`);

const isWhole = (one: unknown): one is Confirmation => {
  const { id, what, untilMs } = (one ?? {}) as Partial<Confirmation>;
  return typeof id === 'string' && typeof what === 'string' && typeof untilMs === 'number';
};
