import { chmodSync, closeSync, constants, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addon } from '../../../src/host/node/addon.ts';
import type { Answer } from '../../../src/host/ports.ts';
import { Rig, until } from './rig.ts';

let rig: Rig;
const at = (name: string) => join(rig.directory, name);

const ask = (key: string, checks: readonly { kind: string; path: string; negate?: boolean }[], deadlineMs = 10_000) =>
  rig.host.helper.checkPaths(key, JSON.stringify({ checks }), deadlineMs);
const answer = async (key: string): Promise<Answer> => (await rig.event('answer', (event) => event.key === key)).result;
const results = async (key: string): Promise<unknown> => {
  const result = await answer(key);
  if (!('ok' in result)) throw new Error(result.error.why);
  return JSON.parse(result.ok);
};
/** Opening a FIFO for reading hangs until there is a writer: as a dead mount does. */
const hang = (name: string) => {
  addon.makeFifo(at(name), 0o600);
  return { kind: 'read-text', path: at(name) };
};
/** Lets go of who hangs: a deadline that passed says nothing about the reader being there yet, so it is waited for. */
const release = async (name: string, text: string) => {
  let fd = -1;
  await until(`a reader of ${name}`, () => {
    try {
      fd = openSync(at(name), constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    return fd !== -1;
  });
  writeSync(fd, text);
  closeSync(fd);
};

beforeEach(() => {
  rig = new Rig().start();
});

afterEach(() => rig.end());

describe('path checks', () => {
  test('are answered in order, negated where asked', async () => {
    mkdirSync(at('empty'));
    mkdirSync(at('full'));
    writeFileSync(at('full/file'), 'text');
    writeFileSync(at('full/none'), '');
    writeFileSync(at('run'), '#!');
    chmodSync(at('run'), 0o755);
    symlinkSync('nowhere', at('dangling'));
    const table: [kind: string, path: string, holds: unknown][] = [
      ['exists', 'full', true],
      ['exists', 'dangling', false],
      ['glob', 'full/f*', true],
      ['glob', 'full/x*', false],
      ['directory', 'full', true],
      ['directory', 'full/file', false],
      ['symlink', 'dangling', true],
      ['symlink', 'full', false],
      ['mountpoint', 'full', false],
      ['readwrite', 'full', true],
      ['readwrite', 'gone', false],
      ['directory-not-empty', 'full', true],
      ['directory-not-empty', 'empty', false],
      ['directory-not-empty', 'gone', false],
      ['file-not-empty', 'full/file', true],
      ['file-not-empty', 'full/none', false],
      ['executable', 'run', true],
      ['executable', 'full/file', false],
      ['executable', 'full', false],
      ['encrypted', 'gone', false],
      ['read-text', 'full/file', 'text'],
      ['read-text', 'gone', null],
    ];
    ask(
      'all',
      table.map(([kind, path]) => ({ kind, path: at(path) })),
    );
    expect(await results('all')).toEqual(table.map(([, , holds]) => holds));
    ask('not', [
      { kind: 'exists', path: at('gone'), negate: true },
      { kind: 'exists', path: at('full'), negate: true },
    ]);
    expect(await results('not')).toEqual([true, false]);
  });

  test("below the system's own directories are answered without a thread", async () => {
    ask('safe', [
      { kind: 'mountpoint', path: '/proc' },
      { kind: 'exists', path: '/etc/passwd' },
      { kind: 'glob', path: '/usr/b?n' },
    ]);
    expect(await results('safe')).toEqual([true, true, true]);
  });

  test('that hang are answered at their deadline, and those behind them all the same', async () => {
    ask('hanging', [hang('fifo')], 30);
    ask('behind', [{ kind: 'exists', path: rig.directory }]);
    expect(await answer('hanging')).toMatchObject({
      error: { errno: 'ETIMEDOUT', why: expect.stringContaining(at('fifo')) },
    });
    expect(await results('behind')).toEqual([true]);
    await release('fifo', 'too late');
    ask('after', [{ kind: 'exists', path: rig.directory }]);
    expect(await results('after')).toEqual([true]);
    expect(rig.events.filter((event) => event.type === 'answer' && event.key === 'hanging')).toHaveLength(1);
  });

  test('that hang in numbers are refused at once, until one comes back', async () => {
    const fifos = ['f1', 'f2', 'f3', 'f4'];
    for (const name of fifos) ask(name, [hang(name)], 10);
    for (const name of fifos) expect(await answer(name)).toMatchObject({ error: { errno: 'ETIMEDOUT' } });
    ask('refused', [{ kind: 'exists', path: rig.directory }]);
    expect(await answer('refused')).toMatchObject({
      error: { errno: 'EBUSY', why: expect.stringContaining('4 earlier checks') },
    });
    for (const name of fifos) await release(name, 'x');
    let tries = 0;
    await until(
      'a thread to come back',
      async_(async () => {
        tries += 1;
        ask(`again ${tries}`, [{ kind: 'exists', path: rig.directory }]);
        return 'ok' in (await answer(`again ${tries}`));
      }),
    );
  });

  test('that are none are refused to the caller', async () => {
    expect(() => rig.host.helper.checkPaths('k', '{}', 10)).toThrow(/EINVAL/);
    ask('unknown', [{ kind: 'smells', path: '/home' }]);
    expect(await answer('unknown')).toMatchObject({ error: { errno: 'EINVAL' } });
  });
});

/** For `until`: start the question anew whenever the last one was answered with no. */
function async_(question: () => Promise<boolean>): () => boolean {
  let state: 'idle' | 'asking' | 'yes' = 'idle';
  return () => {
    if (state === 'idle') {
      state = 'asking';
      void question().then((yes) => (state = yes ? 'yes' : 'idle'));
    }
    return state === 'yes';
  };
}
