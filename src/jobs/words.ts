/** The few sentences about edges and jobs that several files say. */
import type { Edge, Origin } from '../units/types.ts';
import type { Cut, InstalledJob, JobRequest } from './types.ts';

/** Where an edge comes from, for people. */
export function originWords(origin: Origin): string {
  if ('file' in origin) return `${origin.file}:${origin.line}`;
  return 'link' in origin ? origin.link : `rule: ${origin.rule}`;
}

/** `a.service Wants b.service, from /etc/…:12`. */
export function edgeWords(edge: Edge): string {
  return `${edge.from} ${edge.kind} ${edge.to}, from ${originWords(edge.origin)}`;
}

/** `a → b → c → a`; `a → b → … 7 more … → a`. */
export function ringWords({ ring, more = 0 }: Pick<Cut, 'ring' | 'more'>): string {
  const left = more === 0 ? [] : [`… ${more} more …`];
  return [...ring, ...left, ...ring.slice(0, 1)].join(' → ');
}

/** `job 41 (start web.service)`. */
export function jobWords(job: Pick<InstalledJob, 'id' | 'type' | 'unit'>): string {
  return `job ${job.id} (${job.type} ${job.unit})`;
}

/** Units of a request that are named one by one. */
const NAMED_UNITS = 3;

/** What a request is called: its title, or `start web.service`, `stop a.service, b.service, c.service and 4 more`. */
export function requestWords(request: JobRequest): string {
  return request.title ?? askedWords(request);
}

/** The same, whatever its title. */
export function askedWords(request: JobRequest): string {
  const words = (verb: string, units: readonly string[]) => {
    const more = units.length > NAMED_UNITS ? ` and ${units.length - NAMED_UNITS} more` : '';
    return `${verb} ${units.slice(0, NAMED_UNITS).join(', ')}${more}`;
  };
  return [request, ...(request.also ?? [])].map(({ verb, units }) => words(verb, units)).join('; ');
}
