import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addon } from '../../../src/host/node/addon.ts';
import type { HostError } from '../../../src/host/ports.ts';
import { Rig, until } from './rig.ts';

let rig: Rig;
const at = (name: string) => join(rig.directory, name);
const told = (path: string) => rig.events.filter((event) => event.type === 'path' && event.path === path).length;
const codeOf = (work: () => unknown) => {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as HostError).code;
  }
};

beforeEach(() => {
  rig = new Rig().start();
});

afterEach(() => rig.end());

describe('files', () => {
  test('that are missing are undefined, and other trouble is an errno', () => {
    const { files } = rig.host;
    writeFileSync(at('file'), 'text');
    expect([
      files.readText(at('no')),
      files.readBytes(at('no'), 1),
      files.list(at('no')),
      files.lstat(at('no')),
      files.readlink(at('no')),
    ]).toEqual(Array(5).fill(undefined));
    expect(files.readText(at('file/below'))).toBeUndefined();
    expect(codeOf(() => files.readText(rig.directory))).toBe('EISDIR');
    expect(codeOf(() => files.symlink('x', at('file')))).toBe('EEXIST');
    files.remove(at('no'));
    files.removeTree(at('no'));
  });

  test('are read, listed and described', () => {
    const { files } = rig.host;
    mkdirSync(at('d'));
    for (const name of ['b', 'a', 'c']) writeFileSync(at(`d/${name}`), `text of ${name}`);
    symlinkSync('b', at('d/link'));
    expect(files.list(at('d'))).toEqual(['a', 'b', 'c', 'link']);
    expect(files.readText(at('d/a'))).toBe('text of a');
    expect(Buffer.from(files.readBytes(at('d/a'), 4) as Uint8Array).toString()).toBe('text');
    expect(files.lstat(at('d/link'))?.kind).toBe('symlink');
    expect(files.stat(at('d/link'))).toMatchObject({ kind: 'file', size: 9 });
    expect(files.readlink(at('d/link'))).toBe('b');
    expect(files.stat('/dev/null')).toMatchObject({ kind: 'char' });
    expect([files.access('/bin/sh', 'x'), files.access('/etc/passwd', 'x')]).toEqual([true, false]);
  });

  test.skipIf(availableParallelism() === 1)('that are read ahead are as they were then, until it is over', async () => {
    const { files } = rig.host;
    let written = 0;
    const write = () => {
      written += 1;
      writeFileSync(at('file'), `${written}`);
      return `${written}`;
    };
    write();
    files.readAhead?.([at('file')]);
    await until('it was read ahead', () => write() !== files.readText(at('file')));
    files.readAhead?.([]);
    expect(files.readText(at('file'))).toBe(`${written}`);
  });

  test('that are no small plain files of UTF-8 are left to whoever wants them', async () => {
    const contents: Record<string, string | Buffer> = {
      plain: 'text',
      odd: '\ufefföü\0\r\n',
      empty: '',
      large: 'x'.repeat(64 * 1024 + 1),
      bytes: Buffer.from([0x66, 0xff, 0x6f]),
      last: 'the last one',
    };
    for (const [name, content] of Object.entries(contents)) writeFileSync(at(name), content);
    execFileSync('mkfifo', [at('pipe')]);
    const paths = ['pipe', 'no', ...Object.keys(contents)].map(at);
    const ahead = new addon.ReadAhead(paths);
    await until('all are read', () => ahead.text(paths.length - 1) !== null);
    expect(paths.map((_, place) => ahead.text(place))).toEqual([
      ...[null, null, 'text', '\ufefföü\0\r\n', '', null, null, 'the last one'],
    ]);
    expect(ahead.text(paths.length)).toBeNull();
    ahead.end();
  });

  test('are written whole with their mode, leaving no temporary file, not even on failure', () => {
    const before = process.umask(0o077);
    rig.host.files.writeText(at('file'), 'one', 0o644);
    rig.host.files.writeText(at('file'), 'two', 0o640);
    process.umask(before);
    expect(rig.host.files.readText(at('file'))).toBe('two');
    expect(statSync(at('file')).mode & 0o777).toBe(0o640);
    mkdirSync(at('full/x'), { recursive: true });
    expect(codeOf(() => rig.host.files.writeText(at('full'), 'x', 0o644))).toBe('EISDIR');
    expect(readdirSync(rig.directory).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('a watched path', () => {
  test('that is there is told at once, and when it changes', async () => {
    writeFileSync(at('pid'), '1');
    rig.host.files.watch(at('pid'));
    await until('the first event', () => told(at('pid')) > 0);
    const before = told(at('pid'));
    writeFileSync(at('pid'), '2');
    await until('a change', () => told(at('pid')) > before);
  });

  test('that is missing is told when it comes, through directories that come one after the other', async () => {
    rig.host.files.watch(at('a/b/c/pid'));
    await rig.round();
    expect(told(at('a/b/c/pid'))).toBe(0);
    mkdirSync(at('a'));
    await rig.round();
    mkdirSync(at('a/b/c'), { recursive: true });
    await rig.round();
    writeFileSync(at('a/b/c/pid'), '1');
    await until('the file', () => told(at('a/b/c/pid')) > 0);
  });

  test('that comes with all its directories in one go is told', async () => {
    rig.host.files.watch(at('x/y/z/pid'));
    mkdirSync(at('x/y/z'), { recursive: true });
    writeFileSync(at('x/y/z/pid'), '1');
    await until('the file', () => told(at('x/y/z/pid')) > 0);
  });

  test('is told when another file is renamed over it, and watched on', async () => {
    writeFileSync(at('pid'), '1');
    rig.host.files.watch(at('pid'));
    await until('the first event', () => told(at('pid')) > 0);
    for (let turn = 0; turn < 3; turn += 1) {
      await rig.round();
      const before = told(at('pid'));
      writeFileSync(at('new'), `${turn}`);
      renameSync(at('new'), at('pid'));
      await until('the rename', () => told(at('pid')) > before);
    }
  });

  test('is told when it goes with its directory, and when it comes back', async () => {
    mkdirSync(at('d'));
    writeFileSync(at('d/pid'), '1');
    rig.host.files.watch(at('d/pid'));
    await until('the first event', () => told(at('d/pid')) > 0);
    let before = told(at('d/pid'));
    rmSync(at('d'), { recursive: true });
    await until('its end', () => told(at('d/pid')) > before);
    await rig.round();
    before = told(at('d/pid'));
    mkdirSync(at('d'));
    writeFileSync(at('d/pid'), '2');
    await until('its return', () => told(at('d/pid')) > before);
  });

  test('is silent about its neighbours, and after unwatch about itself', async () => {
    rig.host.files.watch(at('pid'));
    writeFileSync(at('other'), 'x');
    unlinkSync(at('other'));
    await rig.round();
    expect(told(at('pid'))).toBe(0);
    rig.host.files.unwatch(at('pid'));
    writeFileSync(at('pid'), '1');
    await rig.round();
    expect(told(at('pid'))).toBe(0);
  });
});
