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
  expect(inOrder([ready, born])).toEqual([born, ready]);
});

test('what a process said comes before its end, and after its beginning', () => {
  const [ready, born, died, other] = [says(7, 'READY=1'), forked(1, 7), exited(2, 7), forked(3, 8)];
  expect(inOrder([mounts, born, died, other, ready])).toEqual([born, ready, died, other, mounts]);
});

test('the successor of a process that ended is not taken for it', () => {
  const [died, born, ready] = [exited(1, 7), forked(2, 8), says(8, 'READY=1')];
  expect(inOrder([ready, died, born])).toEqual([died, born, ready]);
});
