/** The few sentences about edges and jobs that several files say. */
import type { Edge, Origin } from '../units/types.ts';
import type { InstalledJob } from './types.ts';

/** Where an edge comes from, for people. */
export function originWords(origin: Origin): string {
  if ('file' in origin) return `${origin.file}:${origin.line}`;
  return 'link' in origin ? origin.link : `rule: ${origin.rule}`;
}

/** `a.service Wants b.service, from /etc/…:12`. */
export function edgeWords(edge: Edge): string {
  return `${edge.from} ${edge.kind} ${edge.to}, from ${originWords(edge.origin)}`;
}

/** `job 41 (start web.service)`. */
export function jobWords(job: Pick<InstalledJob, 'id' | 'type' | 'unit'>): string {
  return `job ${job.id} (${job.type} ${job.unit})`;
}
