import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NodeLog } from '../../../src/host/node/log.ts';

let directory: string;
const file = () => join(directory, 'core.log');
const lines = (path = file()) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'host-log-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('the log', () => {
  test('has level, time, fields and message a line, early lines with their own time', async () => {
    const log = new NodeLog({ file: file(), maxBytes: 1 << 20 });
    const before = Date.now();
    log.log('notice', { unit: 'a.service' }, 'early');
    await log.open();
    log.log('warning', { n: 1 }, 'late');
    log.log('debug', {}, 'below the level');
    expect(lines()).toEqual([
      { level: 'notice', time: expect.any(String), unit: 'a.service', msg: 'early' },
      { level: 'warning', time: expect.any(String), n: 1, msg: 'late' },
    ]);
    expect(Date.parse(lines()[0]?.['time'] as string)).toBeGreaterThanOrEqual(before - 1);
    expect(statSync(file()).mode & 0o777).toBe(0o640);
  });

  test('is written at once from a moment on, before pino is there and after', async () => {
    const log = new NodeLog({ file: file(), maxBytes: 1 << 20 });
    log.log('info', { n: 1 }, 'it waits');
    log.begin();
    log.log('info', { n: 2 }, 'it is written');
    expect(lines().map(({ n }) => n)).toEqual([1, 2]);
    await log.open();
    log.log('info', { n: 3 }, 'by pino');
    expect(lines().map(({ n, level }) => [n, level])).toEqual([
      [1, 'info'],
      [2, 'info'],
      [3, 'info'],
    ]);
  });

  test('is written on leaving even if it was never opened', () => {
    const log = new NodeLog({ file: file(), maxBytes: 1 << 20 });
    log.log('error', { why: 'x' }, 'last words');
    log.flush();
    expect(lines()).toEqual([{ level: 'error', time: expect.any(String), why: 'x', msg: 'last words' }]);
  });

  test('takes at most twice its bound, and loses no line at the turn', async () => {
    const log = new NodeLog({ file: file(), maxBytes: 4096 });
    await log.open();
    for (let n = 0; n < 60; n += 1) log.log('info', { n, filler: 'x'.repeat(60) }, 'line');
    expect(statSync(file()).size).toBeLessThanOrEqual(4096 + 200);
    const numbers = [...lines(`${file()}.1`), ...lines()].map((line) => line['n'] as number);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, at) => at + 60 - numbers.length));
    expect(log.dropped).toBe(0);
  });

  test('counts what it cannot write, and says so when it can again', async () => {
    const missing = join(directory, 'later/core.log');
    const log = new NodeLog({ file: missing, maxBytes: 1 << 20 });
    await log.open();
    log.log('info', {}, 'lost 1');
    log.log('info', {}, 'lost 2');
    expect(log.dropped).toBe(2);
    const { mkdirSync } = await import('node:fs');
    mkdirSync(join(directory, 'later'));
    log.log('info', {}, 'through');
    expect(lines(missing)).toEqual([
      { level: 'warning', time: expect.any(String), count: 2, msg: 'log lines were lost' },
      { level: 'info', time: expect.any(String), msg: 'through' },
    ]);
  });

  test('keeps a bounded number of early lines', async () => {
    const log = new NodeLog({ file: file(), maxBytes: 1 << 20 });
    for (let n = 0; n < 1100; n += 1) log.log('info', { n }, 'early');
    expect(log.dropped).toBe(76);
    await log.open();
    expect(lines()).toHaveLength(1024);
  });
});
