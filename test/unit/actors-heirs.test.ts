import { describe, expect, test } from 'vitest';
import { guessHeir, Heirs } from '../../src/actors/heirs.ts';
import { type Ended, type Heir, type Host, LEAVES, type Left } from '../../src/host/ports.ts';

const INIT = 1;
const tag = `a.service|control|1|ExecStart|0${LEAVES}`;
const heir = (pid: number, ended: Ended | null = null): Heir => ({ pid, startTime: pid, ended });
const left = (heirs: readonly Heir[], line = true): Left => ({ tag, pid: 7, line, heirs });

/** The main process that is guessed, by its pid, while these children of init live. */
function guessed(alive: readonly number[], told: Left | undefined): number | undefined {
  const inspect = (pid: number) => (alive.includes(pid) ? { startTime: pid, ppid: INIT, group: '' } : undefined);
  const host = { hello: { pid: INIT }, process: { inspect } } as unknown as Host;
  const found = guessHeir(host, alive, told);
  if (found !== undefined) expect(found.startTime).toBe(found.pid);
  return found?.pid;
}

describe('the main process that is guessed', () => {
  test('is the only process there is, where init tells nothing', () => {
    expect(guessed([20], undefined)).toBe(20);
    expect(guessed([20, 21], undefined)).toBeUndefined();
    expect(guessed([], undefined)).toBeUndefined();
  });

  test('is the one that was left behind, whoever has come to it since', () => {
    expect(guessed([20], left([heir(20)]))).toBe(20);
    expect(guessed([20, 21], left([heir(20)]))).toBe(20);
  });

  test('is the one that was left behind, if it has ended and nobody is there', () => {
    expect(guessed([], left([heir(20)]))).toBe(20);
    expect(guessed([], left([heir(20, { exited: 0 })]))).toBe(20);
    expect(guessed([], left([heir(20, { exited: 0 }), heir(21, { exited: 3 })]))).toBe(21);
  });

  test('is the one that has failed, whoever it has left behind', () => {
    expect(guessed([21], left([heir(20, { exited: 3 })]))).toBe(20);
    expect(guessed([21], left([heir(20, { killed: 15 })]))).toBe(20);
  });

  test('is the heir of one that was only on the way to becoming a daemon', () => {
    expect(guessed([21], left([heir(20, { exited: 0 }), heir(21)]))).toBe(21);
    expect(guessed([21], left([heir(20)]))).toBe(21);
    expect(guessed([21], left([heir(20, { exited: 0 })]))).toBe(21);
  });

  test('is none of several that were left at once, but for one that is left of them', () => {
    expect(guessed([], left([heir(20), heir(21)], false))).toBeUndefined();
    expect(guessed([21], left([heir(20), heir(21)], false))).toBe(21);
  });

  test('is nobody who has the pid of an heir that is gone', () => {
    expect(guessed([20], left([{ ...heir(20), startTime: 3 }]))).toBe(20);
  });
});

test('an heir is known by its pid until the end of the one who has left it is told, and to its own unit only', () => {
  const heirs = new Heirs();
  const told = left([heir(20), heir(21)], false);
  heirs.told(told);
  expect(heirs.named('a.service', 21)).toEqual({ pid: 21, startTime: 21 });
  expect(heirs.named('a.service', 22)).toBeUndefined();
  expect(heirs.named('b.service', 21)).toBeUndefined();
  expect(heirs.taken(tag)).toEqual(told);
  expect(heirs.taken(tag)).toBeUndefined();
  expect(heirs.named('a.service', 21)).toBeUndefined();
});
