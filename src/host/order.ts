/**
 * The order in which the events of one round are handed over.
 *
 * Readiness says nothing about what happened first. Two orders matter: init says `forked` before the child can say anything, and a
 * service says READY=1 before it ends. So init's records come first, in their order, and what a process has sent comes right
 * before its `exited`, or after all records if it is alive. With it comes what those whom it has left behind had sent before it ended: one of
 * them may have said MAINPID=.
 */
import type { HostEvent } from './ports.ts';

/**
 * Stable; everything that is neither a record nor a datagram stays behind both, `wake` last as it came.
 *
 * @param realOffsetMs CLOCK_REALTIME less CLOCK_MONOTONIC, now: datagrams and records have stamps of different clocks
 */
export function inOrder(batch: readonly HostEvent[], realOffsetMs: () => number): readonly HostEvent[] {
  const records = batch.filter((event) => event.type === 'record');
  const datagrams = batch.filter((event) => event.type === 'datagram');
  if (records.length === 0 || datagrams.length === 0) return batch;
  const waiting = new Set(datagrams);
  const ordered: HostEvent[] = [];
  let heirs: readonly number[] = [];
  for (const event of records) {
    const { what, atUs } = event.record;
    const pid = 'exited' in what ? what.exited.pid : 'watched-exited' in what ? what['watched-exited'].pid : undefined;
    for (const said of pid === undefined ? [] : waiting) {
      const { datagram } = said;
      const isBefore = () => Number(datagram.atNs) / 1e6 - realOffsetMs() <= atUs / 1e3;
      if (datagram.pid !== pid && !(heirs.includes(datagram.pid) && isBefore())) continue;
      ordered.push(said);
      waiting.delete(said);
    }
    heirs = 'left' in what ? what.left.heirs.map((heir) => heir.pid) : [];
    ordered.push(event);
  }
  ordered.push(...waiting);
  return [...ordered, ...batch.filter((event) => event.type !== 'record' && event.type !== 'datagram')];
}
