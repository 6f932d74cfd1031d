/**
 * The order in which the events of one round are handed over.
 *
 * Readiness says nothing about what happened first. Two orders matter: init says `forked` before the child can say anything, and a
 * service says READY=1 before it ends. So init's records come first, in their order, and what a process has sent comes right
 * before its `exited`, or after all records if it is alive.
 */
import type { HostEvent } from './ports.ts';

/** Stable; everything that is neither a record nor a datagram stays behind both, `wake` last as it came. */
export function inOrder(batch: readonly HostEvent[]): readonly HostEvent[] {
  const records = batch.filter((event) => event.type === 'record');
  const datagrams = batch.filter((event) => event.type === 'datagram');
  if (records.length === 0 || datagrams.length === 0) return batch;
  const waiting = new Set(datagrams);
  const ordered: HostEvent[] = [];
  for (const event of records) {
    const { what } = event.record;
    const pid = 'exited' in what ? what.exited.pid : 'watched-exited' in what ? what['watched-exited'].pid : undefined;
    for (const said of waiting) {
      if (said.datagram.pid !== pid) continue;
      ordered.push(said);
      waiting.delete(said);
    }
    ordered.push(event);
  }
  ordered.push(...waiting);
  return [...ordered, ...batch.filter((event) => event.type !== 'record' && event.type !== 'datagram')];
}
