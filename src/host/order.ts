/**
 * The order in which the events of one round are handed over.
 *
 * Readiness says nothing about what happened first. Two orders matter: init says `forked` before the child can say anything, and a
 * service says READY=1 before it ends. So init's records come first, in their order, and right before an `exited` what its process has
 * sent; and what others of the unit had sent by then, since one of them may have said MAINPID=. What is left comes after all records.
 */
import type { HostEvent, Report } from './ports.ts';

/** A tag begins with the name of its unit, and so ends the name of its notify socket (src/actors/names.ts). */
const socketOf = (tag: string): string => `notify:${tag.slice(0, tag.indexOf('|'))}`;

const endIn = (what: Report): { readonly pid: number; readonly tag: string } | undefined =>
  'exited' in what ? what.exited : 'watched-exited' in what ? what['watched-exited'] : undefined;

/**
 * Stable; everything that is neither a record nor a datagram stays behind both, `wake` last as it came.
 *
 * @param realOffsetMs CLOCK_REALTIME less CLOCK_MONOTONIC, now: datagrams have stamps of the one clock, records of the other
 */
export function inOrder(batch: readonly HostEvent[], realOffsetMs: () => number): readonly HostEvent[] {
  const records = batch.filter((event) => event.type === 'record');
  const datagrams = batch.filter((event) => event.type === 'datagram');
  if (records.length === 0 || datagrams.length === 0) return batch;
  const waiting = new Set(datagrams);
  const offsetMs = realOffsetMs();
  /** Whoever is born in this round cannot have spoken before an end that comes first, whatever the clocks say. */
  const unborn = new Set(records.flatMap(({ record: { what } }) => ('forked' in what ? [what.forked.pid] : [])));
  const ordered: HostEvent[] = [];
  for (const event of records) {
    const { what, atUs } = event.record;
    if ('forked' in what) unborn.delete(what.forked.pid);
    const ended = endIn(what);
    for (const said of ended === undefined ? [] : waiting) {
      const { pid, socket, atNs } = said.datagram;
      const isOthers = () =>
        socket === socketOf(ended?.tag ?? '') && !unborn.has(pid) && Number(atNs) / 1e6 - offsetMs <= atUs / 1e3;
      if (pid !== ended?.pid && !isOthers()) continue;
      ordered.push(said);
      waiting.delete(said);
    }
    ordered.push(event);
  }
  ordered.push(...waiting);
  return [...ordered, ...batch.filter((event) => event.type !== 'record' && event.type !== 'datagram')];
}
