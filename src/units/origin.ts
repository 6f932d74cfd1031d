/**
 * Why an edge is there. One edge may have several reasons; they have a total order, so that which of them is told first
 * does not depend on the order in which units were loaded.
 */
import type { Edge, Origin } from './types.ts';

const rank = (origin: Origin): number => ('file' in origin ? 0 : 'link' in origin ? 1 : 2);
const text = (origin: Origin): string =>
  'file' in origin ? origin.file : 'link' in origin ? origin.link : origin.rule;

/** A total order of reasons: a written line, then a link, then a rule; then by file, line or words. */
export function compareOrigins(a: Origin, b: Origin): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  const [left, right] = [text(a), text(b)];
  if (left !== right) return left < right ? -1 : 1;
  return 'file' in a && 'file' in b ? a.line - b.line : 0;
}

/** All reasons for an edge, the best first. */
export function originsOf(edge: Edge): readonly Origin[] {
  return edge.also === undefined ? [edge.origin] : [edge.origin, ...edge.also];
}

/** The edge with further reasons, each once; the same object if there is nothing new. */
export function withOrigins(edge: Edge, more: readonly Origin[]): Edge {
  const all = [...originsOf(edge)];
  for (const origin of more) if (!all.some((known) => compareOrigins(known, origin) === 0)) all.push(origin);
  if (all.length === originsOf(edge).length) return edge;
  const [origin = edge.origin, ...also] = all.sort(compareOrigins);
  return { from: edge.from, kind: edge.kind, to: edge.to, origin, also };
}
