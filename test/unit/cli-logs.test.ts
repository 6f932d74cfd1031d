/** Log files: reading, merging, following, and the moments people name. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseEntry, priorityTest } from '../../src/cli/logs/entry.ts';
import { findFiles, readLogs } from '../../src/cli/logs/files.ts';
import { follow } from '../../src/cli/logs/follow.ts';
import { parseTimestamp } from '../../src/cli/logs/timestamp.ts';
import { localZones } from '../../src/cli/output/time.ts';
import { NOON } from './support/fake-units.ts';
import { sctl } from './support/sctl.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sctl-logs-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const line = (unit: string, seconds: number, msg: string, more: object = {}): string =>
  `${JSON.stringify({ t: NOON.realUs + seconds * 1e6, m: NOON.monotonicUs + seconds * 1e6, p: 6, u: unit, i: unit.split('.')[0], inv: '', pid: 42, msg, ...more })}\n`;
const write = (name: string, ...lines: string[]): void => writeFileSync(join(directory, name), lines.join(''));
const logs = async (words: string | string[]) =>
  await sctl().run(typeof words === 'string' ? `logs ${words}` : ['logs', ...words], {
    env: { SYSMASTER_LOGS: directory },
  });
const messages = async (words: string | string[]): Promise<string[]> => {
  const { out } = await logs(typeof words === 'string' ? `${words} -o cat` : [...words, '-o', 'cat']);
  return out === '' ? [] : out.trimEnd().split('\n');
};

describe('reading', () => {
  beforeEach(() => {
    write('web.service.log.1', line('web.service', 0, 'first'), line('web.service', 10, 'second'));
    write(
      'web.service.log',
      line('web.service', 20, 'third', { p: 3 }),
      line('web.service', 40, 'fifth', { i: 'nginx' }),
    );
    write('db.service.log', line('db.service', 30, 'fourth'));
    write('notes.txt', 'not a log\n');
  });

  test('lines of all units come by time, rotated files included', async () => {
    expect(await messages('')).toEqual(['first', 'second', 'third', 'fourth', 'fifth']);
  });

  test('lines look like those of journalctl', async () => {
    const { out } = await logs('-u db --no-hostname');
    expect(out).toBe('Nov 22 03:00:30 db[42]: fourth\n');
    expect((await logs('-u db --no-hostname -o short-precise')).out).toBe('Nov 22 03:00:30.000000 db[42]: fourth\n');
    expect((await logs('-u db --no-hostname -o short-iso')).out).toBe('2026-11-22T03:00:30+0000 db[42]: fourth\n');
    expect((await logs('-u db --no-hostname -o short-monotonic')).out).toBe('[ 3630.000000] db[42]: fourth\n');
    expect(JSON.parse((await logs('-u db --output=json')).out)).toMatchObject({
      u: 'db.service',
      p: 6,
      pid: 42,
      msg: 'fourth',
    });
  });

  test.each([
    ['-u web', ['first', 'second', 'third', 'fifth']],
    ['web.service', ['first', 'second', 'third', 'fifth']],
    ['-u d* -u web -n 2', ['fourth', 'fifth']],
    ['-n 3', ['third', 'fourth', 'fifth']],
    ['-n 3 -u web', ['second', 'third', 'fifth']],
    ['-n 0', []],
    ['-n 2 -r', ['fifth', 'fourth']],
    ['-p err', ['third']],
    ['-t nginx', ['fifth']],
    ['-g F.*TH', []],
    ['-g f.*th', ['fourth', 'fifth']],
    ['-u nowhere', []],
  ])('%s', async (words, expected) => {
    expect(await messages(words)).toEqual(expected);
  });

  test('--since and --until bound the time', async () => {
    expect(await messages(['--since', '2026-11-22 03:00:20', '--until', '@1795316430'])).toEqual(['third', 'fourth']);
    expect(await messages(['-S', '-2m30s'])).toEqual(['fifth']);
    expect((await logs(['--since', 'whenever'])).err).toContain('Failed to parse timestamp: whenever');
    expect((await logs(['--since', 'now', '--until', 'yesterday'])).status).toBe(1);
  });

  test('nothing to show is said, and is no failure', async () => {
    expect(await logs('-u nowhere')).toEqual({
      out: '',
      err: `-- No entries: no log file for nowhere.service in ${directory} --\n`,
      status: 0,
    });
    expect((await logs('-u nowhere -q')).err).toBe('');
  });

  test('a line that is being written is passed over, one that is torn within is counted', async () => {
    appendFileSync(join(directory, 'web.service.log'), '{"t":1,"ms');
    expect((await logs('-u web')).err).toBe('');
    appendFileSync(join(directory, 'web.service.log'), `\n${line('web.service', 50, 'sixth')}`);
    const { out, err } = await logs('-u web -o cat');
    expect(out.endsWith('fifth\nsixth\n')).toBe(true);
    expect(err).toBe('-- 1 line could not be read and was left out --\n');
  });

  test('a long file is read from its end, over block borders', async () => {
    const many = Array.from({ length: 5000 }, (_, index) =>
      line('big.service', index, `line ${index} ${'x'.repeat(index % 200)}`),
    );
    write('big.service.log', ...many);
    const files = await findFiles([directory], (unit) => unit === 'big.service');
    const some = await readLogs(files, 1234, Number.NEGATIVE_INFINITY, () => true);
    expect(some.entries.map(({ msg }) => msg.split(' ')[1])).toEqual(
      Array.from({ length: 1234 }, (_, index) => String(3766 + index)),
    );
    const all = await readLogs(files, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, () => true);
    expect(all.entries).toHaveLength(5000);
    expect(all.torn).toBe(0);
  });

  test('a unit whose name is too long for a file is found by its entries', async () => {
    const name = `${'long-'.repeat(48)}x.service`;
    write(`${name.slice(0, 200)}~0123456789abcdef.log`, line(name, 60, 'here'));
    expect(await messages(`-u ${name}`)).toEqual(['here']);
    expect(await messages('-u web -n 1')).toEqual(['fifth']);
  });

  test('status ends with the last lines of the unit', async () => {
    const { out } = await sctl().run('status web -n 2', { env: { SYSMASTER_LOGS: directory } });
    expect(out).toMatch(/\n\nNov 22 03:00:20 \S+ web\[42\]: third\nNov 22 03:00:40 \S+ nginx\[42\]: fifth\n$/);
    expect((await sctl().run('status web -n 0', { env: { SYSMASTER_LOGS: directory } })).out).not.toContain('fifth');
  });
});

describe('entries', () => {
  test('bytes that are no text are shown as they are numbered, and cannot steer a terminal', async () => {
    write(
      'raw.service.log',
      line('raw.service', 1, '', {
        msg: undefined,
        b64: Buffer.from([0x1b, 0x5b, 0x32, 0x4a, 0xff]).toString('base64'),
      }),
    );
    expect((await logs('-u raw --no-hostname')).out).toBe('Nov 22 03:00:01 raw[42]: \\x1b[2Jÿ\n');
  });

  test.each(['', '7', 'null', '[]', '{"t":"x","msg":""}', '{"t":1}', '{"t":1,"msg":'])('%s is no entry', (text) => {
    expect(parseEntry(text)).toBeUndefined();
  });

  test.each<[string, number[]]>([
    ['err', [0, 1, 2, 3]],
    ['3', [0, 1, 2, 3]],
    ['warning..err', [3, 4]],
    ['4..4', [4]],
    ['debug', [0, 1, 2, 3, 4, 5, 6, 7]],
  ])('priority %s', (text, wanted) => {
    expect([0, 1, 2, 3, 4, 5, 6, 7].filter(priorityTest(text)!)).toEqual(wanted);
  });

  test.each(['loud', '8', '1..', '..'])('priority %s is refused', (text) => {
    expect(priorityTest(text)).toBeUndefined();
  });
});

describe('following', () => {
  const gather = async (follower: Awaited<ReturnType<typeof follow>>, count: number): Promise<string[]> => {
    const got: string[] = [];
    while (got.length < count) got.push(...((await follower.next()) ?? []).map(({ msg }) => msg));
    return got;
  };

  test('only what is new is told, through rotation, truncation and new files', async () => {
    write('web.service.log', line('web.service', 0, 'old'));
    const follower = await follow([directory], () => true);
    try {
      const path = join(directory, 'web.service.log');
      appendFileSync(path, line('web.service', 1, 'a'));
      expect(await gather(follower, 1)).toEqual(['a']);
      appendFileSync(path, line('web.service', 2, 'b'));
      renameSync(path, `${path}.1`);
      write('web.service.log', line('web.service', 3, 'c, longer than e'));
      expect(await gather(follower, 2)).toEqual(['b', 'c, longer than e']);
      write('new.service.log', line('new.service', 4, 'd'));
      expect(await gather(follower, 1)).toEqual(['d']);
      truncateSync(path);
      appendFileSync(path, line('web.service', 5, 'e'));
      expect(await gather(follower, 1)).toEqual(['e']);
    } finally {
      await follower.stop();
    }
    expect(await follower.next()).toBeUndefined();
  });

  test('a line is told when it is whole', async () => {
    write('web.service.log');
    const follower = await follow([directory], () => true);
    try {
      const whole = line('web.service', 1, 'in two parts');
      appendFileSync(join(directory, 'web.service.log'), whole.slice(0, 20));
      const next = follower.next();
      appendFileSync(join(directory, 'web.service.log'), whole.slice(20));
      expect((await next)?.map(({ msg }) => msg)).toEqual(['in two parts']);
    } finally {
      await follower.stop();
    }
  });
});

describe('moments', () => {
  // systemd-analyze timestamp, TZ=UTC, at 2026-11-22 03:00.
  const at = (text: string): string | undefined => {
    const us = parseTimestamp(text, NOON.realUs, localZones('UTC'));
    return us === undefined ? undefined : new Date(us / 1000).toISOString();
  };
  test.each([
    ['now', '2026-11-22T03:00:00.000Z'],
    ['today', '2026-11-22T00:00:00.000Z'],
    ['yesterday', '2026-11-21T00:00:00.000Z'],
    ['tomorrow', '2026-11-23T00:00:00.000Z'],
    ['2026-11-22 10:00', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22', '2026-11-22T00:00:00.000Z'],
    ['26-11-22', '2026-11-22T00:00:00.000Z'],
    ['10:00', '2026-11-22T10:00:00.000Z'],
    ['10:00:07.5', '2026-11-22T10:00:07.500Z'],
    ['Fri 2012-11-23 11:12:13', '2012-11-23T11:12:13.000Z'],
    ['2012-11-23 11:12:13 UTC', '2012-11-23T11:12:13.000Z'],
    ['2012-11-23T11:12:13Z', '2012-11-23T11:12:13.000Z'],
    ['2012-11-23T11:12:13+02:00', '2012-11-23T09:12:13.000Z'],
    ['@1395716396', '2014-03-25T02:59:56.000Z'],
    ['-1h', '2026-11-22T02:00:00.000Z'],
    ['+3h30min', '2026-11-22T06:30:00.000Z'],
    ['10 min ago', '2026-11-22T02:50:00.000Z'],
    ['2 days 3h ago', '2026-11-20T00:00:00.000Z'],
    ['1h left', '2026-11-22T04:00:00.000Z'],
    ['', undefined],
    ['soon', undefined],
    ['25:00', undefined],
    ['2026-02-31', '2026-03-03T00:00:00.000Z'],
    ['2026-13-01', undefined],
    ['-soon', undefined],
  ])('%s is %s', (text, expected) => {
    expect(at(text)).toBe(expected);
  });
});
