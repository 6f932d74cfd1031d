/** Files that are none: never waited for, never followed, never read without end; and of core's own, none that may be another's work. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PlainFiles } from '../../../src/host/node/plain-files.ts';

const files = new PlainFiles();
let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bad-files-'));
  path = join(directory, 'file');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const precious = () => {
  const other = join(directory, 'precious');
  writeFileSync(other, 'precious', { mode: 0o600 });
  return other;
};
const sparse = () => {
  writeFileSync(path, '', { mode: 0o600 });
  truncateSync(path, 10 * 1024 ** 3);
};

describe('a text', () => {
  test('that is a pipe nobody writes to is empty at once', () => {
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    expect(files.readText(path)).toBe('');
  });

  test.each<[string, string, () => void]>([
    ['a directory', 'EISDIR', () => mkdirSync(path)],
    ['of ten gigabytes', 'EFBIG', sparse],
  ])('that is %s is an error: %s', (_what, code, make) => {
    make();
    expect(() => files.readText(path)).toThrow(expect.objectContaining({ code }));
  });

  test('that has no end is read to a bound', () => {
    expect(files.readText('/dev/zero')?.length).toBeGreaterThan(0);
  });
});

describe("a file of core's own", () => {
  test('is read, and one that is not there is an answer', () => {
    expect(files.readOwn(path)).toBeUndefined();
    files.writeText(path, 'mine', 0o600);
    expect(files.readOwn(path)).toBe('mine');
  });

  test.each<[string, string, () => void]>([
    ['a symbolic link', 'ELOOP', () => symlinkSync(precious(), path)],
    ['another name of some file', 'EPERM', () => linkSync(precious(), path)],
    ['a directory', 'EPERM', () => mkdirSync(path)],
    ['a pipe', 'EPERM', () => void spawnSync('mkfifo', ['-m', '600', path])],
    ['of ten gigabytes', 'EFBIG', sparse],
    [
      'writable to others',
      'EPERM',
      () => {
        writeFileSync(path, 'x');
        chmodSync(path, 0o666);
      },
    ],
  ])('that is %s is not believed: %s', (_what, code, make) => {
    make();
    expect(() => files.readOwn(path)).toThrow(expect.objectContaining({ code }));
  });

  test.skipIf(!isRoot)('that belongs to somebody else is not believed', () => {
    writeFileSync(path, 'x', { mode: 0o600 });
    chownSync(path, 65_534, 65_534);
    expect(() => files.readOwn(path)).toThrow(/EPERM on .*it belongs to uid 65534, not to core; it is not believed/);
  });
});
