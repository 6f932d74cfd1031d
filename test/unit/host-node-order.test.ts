import { expect, test } from 'vitest';
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

test('what an heir said before the end of the one who has left it comes with what that one said, and what it said later after all', () => {
  const OFFSET_MS = 5_000;
  const atMs = (event: HostEvent, ms: number): HostEvent =>
    event.type === 'datagram'
      ? { ...event, datagram: { ...event.datagram, atNs: `${(OFFSET_MS + ms) * 1e6}` } }
      : event.type === 'record'
        ? { ...event, record: { ...event.record, atUs: ms * 1e3 } }
        : event;
  const heirs = [{ pid: 8, startTime: 1, ended: null }];
  const left = record(1, { left: { tag: 'a', pid: 7, line: true, heirs } });
  const died = atMs(exited(2, 7), 20);
  const [named, ready, late] = [atMs(says(8, 'MAINPID=8'), 10), says(7, 'READY=1'), atMs(says(8, 'STATUS=late'), 30)];
  const other = exited(3, 9);
  expect(inOrder([named, late, ready, left, died, other], () => OFFSET_MS)).toEqual([
    left,
    named,
    ready,
    died,
    other,
    late,
  ]);
});
