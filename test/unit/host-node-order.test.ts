import { describe, expect, test } from 'vitest';
import { inOrder } from '../../src/host/order.ts';
import type { HostEvent, Report } from '../../src/host/ports.ts';

const id = { epoch: 1, seq: 1, index: 0 };
const record = (number: number, what: Report): HostEvent => ({ type: 'record', record: { number, atUs: 0, what } });
const forked = (number: number, pid: number) =>
  record(number, { forked: { id, tag: 'a', serial: pid, pid, startTime: 1 } });
const exited = (number: number, pid: number) =>
  record(number, { exited: { tag: 'a', serial: pid, pid, ended: { exited: 0 } } });
const says = (pid: number, text: string): HostEvent => ({
  type: 'datagram',
  datagram: { socket: 'notify:a', text, pid, uid: 0, atNs: '1', hash: text, fds: 0 },
});
const mounts: HostEvent = { type: 'mounts' };

test('what a live process says comes after the record that names it', () => {
  const [ready, born] = [says(7, 'READY=1'), forked(1, 7)];
  expect(inOrder([ready, born], () => 0)).toEqual([born, ready]);
});

test('what a process said comes before its end, and after its beginning', () => {
  const [ready, born, died, other] = [says(7, 'READY=1'), forked(1, 7), exited(2, 7), forked(3, 8)];
  expect(inOrder([mounts, born, died, other, ready], () => 0)).toEqual([born, ready, died, other, mounts]);
});

test('the successor of a process that ended is not taken for it', () => {
  const [died, born, ready] = [exited(1, 7), forked(2, 8), says(8, 'READY=1')];
  expect(inOrder([ready, died, born], () => 0)).toEqual([died, born, ready]);
});

describe('what others of the unit said', () => {
  const OFFSET_MS = 5_000;
  /** The same on the clocks of their stamps. */
  const at = (ms: number, event: HostEvent): HostEvent =>
    event.type === 'datagram'
      ? { ...event, datagram: { ...event.datagram, atNs: `${(OFFSET_MS + ms) * 1e6}` } }
      : event.type === 'record'
        ? { ...event, record: { ...event.record, atUs: ms * 1e3 } }
        : event;
  const sorted = (...batch: readonly HostEvent[]) => inOrder(batch, () => OFFSET_MS);
  const ended = (number: number, pid: number) =>
    record(number, { exited: { tag: 'a|main|1', serial: pid, pid, ended: { exited: 0 } } });

  test('before one of its processes ended comes before that end, and what they said later after all records', () => {
    const [named, late] = [at(10, says(8, 'MAINPID=8')), at(30, says(8, 'STATUS=late'))];
    const [died, other] = [at(20, ended(1, 7)), exited(2, 9)];
    expect(sorted(named, late, died, other)).toEqual([named, died, other, late]);
  });

  test('stays in its order with what the process itself said, however the clocks stand', () => {
    const [first, own] = [at(10, says(8, 'MAINPID=8')), at(25, says(7, 'READY=1'))];
    const died = at(20, ended(1, 7));
    expect(sorted(died, first, own)).toEqual([first, own, died]);
  });

  test('comes after their beginning', () => {
    const [died, born, ready] = [at(20, ended(1, 7)), forked(2, 8), at(10, says(8, 'READY=1'))];
    expect(sorted(ready, died, born)).toEqual([died, born, ready]);
  });

  test('of another unit waits', () => {
    const died = at(20, record(1, { exited: { tag: 'b|main|1', serial: 7, pid: 7, ended: { exited: 0 } } }));
    const other = at(10, says(8, 'READY=1'));
    expect(sorted(other, died)).toEqual([died, other]);
  });
});
