/** Notes in a memory file: whole at every instant, whoever writes them. */
import { closeSync, readSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addon } from '../../../src/host/node/addon.ts';
import { NodeNotes } from '../../../src/host/node/notes.ts';

const BYTES = 4 * 1024 * 1024;
let fd: number;
beforeEach(() => {
  fd = addon.memoryFile('notes');
});
afterEach(() => closeSync(fd));

test('are empty at first', () => expect(new NodeNotes(fd, BYTES).load()).toBe(''));

test('are found by the next core as they were written, and gone on with', () => {
  const first = new NodeNotes(fd, BYTES);
  first.append('one\n');
  first.append('zwei ü\n');
  const second = new NodeNotes(fd, BYTES);
  second.append('three\n');
  expect(new NodeNotes(fd, BYTES).load()).toBe('one\nzwei ü\nthree\n');
});

test('that are replaced by shorter ones show nothing of what was there', () => {
  const notes = new NodeNotes(fd, BYTES);
  notes.append('x'.repeat(200_000));
  expect(notes.load()).toHaveLength(200_000);
  notes.replace('short\n');
  notes.replace('shorter\n');
  notes.append('more\n');
  expect(new NodeNotes(fd, BYTES).load()).toBe('shorter\nmore\n');
});

test('that are being replaced are the old ones until the last byte is written', () => {
  const notes = new NodeNotes(fd, BYTES);
  notes.append('old\n');
  const mark = Buffer.alloc(1);
  readSync(fd, mark, 0, 1, 0);
  notes.replace('new\n');
  writeSync(fd, mark, 0, 1, 0); // as if core had died before that byte
  expect(new NodeNotes(fd, BYTES).load()).toBe('old\n');
});

test('have a bound', () => {
  const notes = new NodeNotes(fd, BYTES);
  expect(() => notes.replace('x'.repeat(5_000_000))).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
  notes.append('x'.repeat(4_000_000));
  expect(() => notes.append('x'.repeat(1_000_000))).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
  expect(new NodeNotes(fd, BYTES).load()).toHaveLength(4_000_000);
});
