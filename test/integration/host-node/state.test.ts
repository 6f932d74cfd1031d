import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NodeState } from '../../../src/host/node/state.ts';
import { HostError } from '../../../src/host/ports.ts';

const BYTES = 16 * 1024;
const BOOT = '11111111-2222-3333-4444-555555555555';
/** Run in a mount namespace where the directory is a tmpfs of two pages. */
const FULL_DISK = `
  const { NodeState } = await import(process.env.STATE);
  const state = new NodeState({ directory: process.env.DIRECTORY, bootId: '1', bytes: 65536 });
  state.load();
  try { state.replace('image'); } catch (error) { console.log(error.code); }
  state.makeVoid();
`;
/** Likewise, where there is room for one image and for records behind it, and not for another one. */
const DISK_SOON_FULL = `
  const { NodeState } = await import(process.env.STATE);
  const made = [];
  const memory = { kept: () => made[0], keep: (files) => void made.push(files), moved: () => undefined };
  const state = new NodeState({ directory: process.env.DIRECTORY, bootId: '1', bytes: 65536, memory });
  state.load();
  state.replace('i'.repeat(300000));
  try { while (state.reserve()); } catch (error) { console.log(error.code); }
  console.log(/no room for the next image .ENOSPC/.test(state.trouble));
  for (let n = 0; n < 6; n += 1) state.append('r'.repeat(100000));
  console.log(made.length);
  state.replace('i'.repeat(300000));
  console.log(made.length, /keeps the checkpoint in memory/.test(state.trouble), state.load().image.length);
`;
/** Likewise, where the directory becomes read-only with a checkpoint in it. */
const READ_ONLY_DISK = `
  const { NodeState } = await import(process.env.STATE);
  const { spawnSync } = await import('node:child_process');
  const { closeSync } = await import('node:fs');
  const directory = process.env.DIRECTORY;
  const made = [];
  const memory = { kept: () => made[0], keep: (files) => void made.push(files), moved: () => undefined };
  const open = () => new NodeState({ directory, bootId: '1', bytes: 65536, memory });
  const first = open();
  first.load();
  first.replace('image');
  first.append('one');
  first.close();
  spawnSync('mount', ['-o', 'remount,ro', directory], { stdio: 'inherit' });
  const second = open();
  const { image, records, note } = second.load();
  console.log(image, records, /read-only/.test(note));
  second.append('two');
  const moved = open().load();
  console.log(moved.image, moved.records, made.length);
  second.replace('another');
  second.append('three');
  const third = open().load();
  console.log(third.image, third.records, made.length);
`;
let directory: string;
let open: NodeState[];

const state = (bootId = BOOT) => {
  const made = new NodeState({ directory, bootId, bytes: BYTES });
  open.push(made);
  return made;
};
/** As if core had died: files and lock go with the process. */
const restarted = (bootId = BOOT) => {
  for (const one of open.splice(0)) one.close();
  return state(bootId);
};
/** A disk on which so many bytes more can be written, in the directory of the test; what is elsewhere has room. */
function soonFull() {
  const disk = {
    left: Number.POSITIVE_INFINITY,
    write(fd: number, bytes: Buffer, from: number, length: number, position: number) {
      const isOnDisk = readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
      if (isOnDisk) disk.left -= length;
      if (isOnDisk && disk.left < 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      return writeSync(fd, bytes, from, length, position);
    },
  };
  return disk;
}

const codeOf = (work: () => unknown) => {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as HostError).code;
  }
};

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'host-state-')), 'state');
  open = [];
});

afterEach(() => {
  for (const one of open) one.close();
  rmSync(join(directory, '..'), { recursive: true, force: true });
});

describe('the checkpoint', () => {
  test('is nothing at first, without a complaint', () => {
    expect(state().load()).toEqual({ image: undefined, records: [], note: undefined });
  });

  test('gives the next core the image and what was appended since', () => {
    const first = state();
    first.load();
    first.replace('{"units":{}}');
    first.append('one');
    first.append('zwei ü');
    expect(first.appendedBytes).toBeGreaterThan(0);
    const next = restarted();
    expect(next.load()).toEqual({ image: '{"units":{}}', records: ['one', 'zwei ü'], note: undefined });
    expect(next.appendedBytes).toBe(first.appendedBytes);
    next.append('three');
    expect(restarted().load().records).toEqual(['one', 'zwei ü', 'three']);
  });

  test('of the newest image only is believed, however often it was replaced', () => {
    const first = state();
    first.load();
    for (let count = 0; count < 7; count += 1) {
      first.replace(`image ${count}`);
      first.append(`record ${count}`);
    }
    expect(first.appendedBytes).toBeLessThan(100);
    expect(restarted().load()).toEqual({ image: 'image 6', records: ['record 6'], note: undefined });
  });

  test('survives a death in the middle of a replacement', () => {
    const first = state();
    first.load();
    first.replace('old');
    first.append('record');
    first.replace('new');
    // The header is written last: without it the new image is not there yet.
    const current = ['a', 'b']
      .map((name) => join(directory, name))
      .find((path) => readFileSync(path).includes('new')) as string;
    const bytes = readFileSync(current);
    bytes.fill(0, 0, 64);
    for (const one of open.splice(0)) one.close();
    writeFileSync(current, bytes);
    expect(state().load()).toMatchObject({ image: 'old', records: ['record'], note: undefined });
  });

  test('with a torn last record is used up to there, and says so', () => {
    const first = state();
    first.load();
    first.replace('image');
    first.append('whole');
    first.append('torn-in-half');
    for (const one of open.splice(0)) one.close();
    const path = ['a', 'b']
      .map((name) => join(directory, name))
      .find((file) => readFileSync(file).includes('torn-in-half')) as string;
    const bytes = readFileSync(path);
    const at = bytes.indexOf('in-half');
    bytes.fill(0, at, at + 7);
    writeFileSync(path, bytes);
    const next = state();
    expect(next.load()).toMatchObject({
      image: 'image',
      records: ['whole'],
      note: expect.stringContaining('record 2 is cut off'),
    });
    next.append('after');
    expect(restarted().load()).toEqual({ image: 'image', records: ['whole', 'after'], note: undefined });
  });

  test('whose image is damaged is not replaced by an older one', () => {
    const first = state();
    first.load();
    first.replace('older image');
    first.replace('newer image');
    for (const one of open.splice(0)) one.close();
    const path = ['a', 'b']
      .map((name) => join(directory, name))
      .find((file) => readFileSync(file).includes('newer')) as string;
    const bytes = readFileSync(path);
    bytes[bytes.indexOf('newer')] = 0x58;
    writeFileSync(path, bytes);
    const next = state();
    expect(next.load()).toMatchObject({ image: undefined, note: expect.stringContaining('record 0 is cut off') });
    next.replace('fresh');
    expect(restarted().load()).toMatchObject({ image: 'fresh', note: undefined });
  });

  test('of another boot is no state, and says so', () => {
    const first = state();
    first.load();
    first.replace('image');
    const next = restarted('99999999-2222-3333-4444-555555555555');
    expect(next.load()).toMatchObject({ image: undefined, note: expect.stringContaining('another boot') });
    next.replace('of this boot');
    expect(restarted('99999999-2222-3333-4444-555555555555').load().image).toBe('of this boot');
  });

  test('that was made void is never believed again, until there is a new image', () => {
    const first = state();
    first.load();
    first.replace('older');
    first.replace('image');
    first.makeVoid();
    expect(codeOf(() => first.append('x'))).toBe('EINVAL');
    const next = restarted();
    expect(next.load()).toMatchObject({ image: undefined, records: [], note: expect.stringContaining('void') });
    next.replace('new');
    expect(restarted().load()).toMatchObject({ image: 'new', note: undefined });
  });

  test('says EFBIG when it would grow beyond the most there may be, keeps what it has, and takes a new image then', () => {
    const first = new NodeState({ directory, bootId: BOOT, bytes: BYTES, bytesMost: 8 * BYTES });
    open.push(first);
    first.load();
    first.replace('image');
    let written = 0;
    const append = () => {
      for (; written < 1000; written += 1) first.append(`${written}`.padEnd(200, '.'));
    };
    expect(codeOf(append)).toBe('EFBIG');
    expect(codeOf(() => first.append('l'.repeat(4 * BYTES)))).toBe('EFBIG');
    expect(written).toBeGreaterThan(200);
    first.append('a short one');
    const next = restarted();
    expect(next.load().records).toHaveLength(written + 1);
    next.replace('compacted');
    next.append('on');
    expect(restarted().load()).toEqual({ image: 'compacted', records: ['on'], note: undefined });
  });

  test('takes a record of any length, with room that is made for it', () => {
    const first = state();
    first.load();
    first.replace('image');
    const long = `${'ü'.repeat(70_001)}${'𝄞'.repeat(70_000)}end`;
    first.append('before');
    first.append(long);
    first.append('after');
    const appended = first.appendedBytes;
    const next = restarted();
    expect(next.load()).toEqual({ image: 'image', records: ['before', long, 'after'], note: undefined });
    expect(next.appendedBytes).toBe(appended);
  });

  test('has room for an image and for the records behind it, and gives it back when there is less of both', () => {
    const rooms = () => ['a', 'b'].map((name) => statSync(join(directory, name)).blocks * 512).sort((a, b) => a - b);
    const first = state();
    first.load();
    first.replace('i'.repeat(1_000_000));
    while (first.reserve()) {}
    const [other, current] = rooms() as [number, number];
    expect(other).toBeGreaterThan(1_000_000);
    expect(current).toBeGreaterThan(3_000_000);
    first.append('r'.repeat(2_500_000));
    expect(rooms()).toEqual([other, current]);
    first.append('r'.repeat(10_000_000));
    for (const image of ['small', 'small again']) first.replace(image);
    while (first.reserve()) {}
    expect(rooms()[1]).toBeLessThanOrEqual(2 * BYTES);
  });

  test('is written piece by piece beside what counts, also while that grows', () => {
    const first = state();
    first.load();
    first.replace('old');
    first.begin();
    for (const piece of ['the ', 'new', ' image']) {
      first.add(piece, false);
      first.append(`beside ${piece}`);
    }
    expect(restarted().load()).toMatchObject({ image: 'old', records: ['beside the ', 'beside new', 'beside  image'] });
    const second = restarted();
    second.load();
    second.begin();
    second.add('forgotten', true);
    second.begin();
    second.add('the new', false);
    second.add(' image', true);
    second.add('of two', false);
    expect(codeOf(() => second.finish())).toBe('EINVAL');
    second.begin();
    second.add('the new', false);
    second.add(' image', true);
    second.add('', true);
    second.add('of two', false);
    second.add(' pieces', true);
    second.finish();
    second.append('behind');
    expect(restarted().load()).toEqual({
      image: 'the new image',
      records: ['', 'of two pieces', 'behind'],
      note: undefined,
    });
  });

  test('that is void stays so while another image is being written', () => {
    const first = state();
    first.load();
    first.replace('image');
    first.makeVoid();
    first.begin();
    first.add('half of', false);
    expect(restarted().load()).toMatchObject({ image: undefined, note: expect.stringContaining('void') });
  });

  test('reserves the room of both files with the first image, and lets nobody else read them', () => {
    const first = state();
    first.load();
    expect(statSync(join(directory, 'a')).size).toBe(0);
    first.replace('image');
    for (const name of ['a', 'b']) {
      const found = statSync(join(directory, name));
      expect([found.size, found.mode & 0o777, found.blocks * 512 >= BYTES]).toEqual([BYTES, 0o600, true]);
    }
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test('that cannot even be opened is a note for the start and an error for each write', () => {
    writeFileSync(directory, 'a file in its place');
    const first = state();
    expect(first.load()).toMatchObject({ image: undefined, records: [], note: expect.stringContaining(directory) });
    expect(['EEXIST', 'ENOTDIR']).toContain(codeOf(() => first.replace('image')));
  });

  test.runIf(existsSync('/dev/full') && process.getuid?.() === 0)(
    'on a full disk is an ENOSPC, and can still be made void',
    () => {
      mkdirSync(directory, { recursive: true });
      expect(onDisk('8k', FULL_DISK)).toBe('ENOSPC');
    },
  );

  test.runIf(process.getuid?.() === 0)('says as soon as there is one image that there is no room for the next', () => {
    mkdirSync(directory, { recursive: true });
    expect(onDisk('1300k', DISK_SOON_FULL).split('\n')).toEqual([...['ENOSPC', 'true', '0', '1 true 300000']]);
  });

  test.runIf(process.getuid?.() === 0)('on a disk that has become read-only is read, and goes on in memory', () => {
    mkdirSync(directory, { recursive: true });
    expect(onDisk('1m', READ_ONLY_DISK).split('\n')).toEqual([
      "image [ 'one' ] true",
      "image [ 'one', 'two' ] 1",
      "another [ 'three' ] 1",
    ]);
  });

  /** What a script says, run in a mount namespace where the directory is a disk of this size. */
  const onDisk = (size: string, script: string): string => {
    const mount = `mount -t tmpfs -o size=${size} none ${directory} && exec "$0" "$@"`;
    const done = spawnSync(
      'unshare',
      ['--mount', 'sh', '-c', mount, process.execPath, '--input-type=module', '-e', script],
      {
        encoding: 'utf8',
        env: {
          ...process.env,
          STATE: join(import.meta.dirname, '../../../src/host/node/state.ts'),
          DIRECTORY: directory,
        },
      },
    );
    expect(done.stderr).toBe('');
    return done.stdout.trim();
  };

  test('that the disk has no room for is kept in memory, and found there by the next core', () => {
    const made: (readonly [number, number])[] = [];
    const why: string[] = [];
    const memory = {
      kept: () => made[0],
      keep: (files: readonly [number, number]) => void made.push(files),
      moved: (one: string) => void why.push(one),
      ...{ forget: () => undefined, returned: () => undefined },
    };
    // A directory that is none: nothing can be written, whatever the image.
    mkdirSync(join(directory, '..'), { recursive: true });
    writeFileSync(directory, '');
    const inMemory = () => new NodeState({ directory, bootId: BOOT, bytes: BYTES, memory });
    const first = inMemory();
    expect(first.load().image).toBeUndefined();
    expect(first.trouble).toBe('');
    first.replace('image');
    first.append('one');
    expect(why).toHaveLength(1);
    expect(first.trouble).toContain(directory);
    const second = inMemory();
    expect(second.load()).toEqual({ image: 'image', records: ['one'], note: undefined });
    second.append('two');
    second.replace('another');
    second.append('three');
    expect(inMemory().load()).toMatchObject({ image: 'another', records: ['three'] });
    second.makeVoid();
    expect(inMemory().load().image).toBeUndefined();
    expect(made).toHaveLength(1);
    for (const fd of made[0] ?? []) closeSync(fd);
  });

  test.runIf(process.getuid?.() === 0)("in memory, because the directory is somebody else's: each core says so", () => {
    mkdirSync(directory, { recursive: true });
    chownSync(directory, 1000, 1000);
    const made: (readonly [number, number])[] = [];
    const memory = {
      kept: () => made[0],
      keep: (files: readonly [number, number]) => void made.push(files),
      ...{ moved: () => undefined, forget: () => undefined, returned: () => undefined },
    };
    for (const image of [undefined, 'image']) {
      const core = new NodeState({ directory, bootId: BOOT, bytes: BYTES, memory });
      expect(codeOf(() => core.lock())).toBe('EPERM');
      const found = core.load();
      expect(found.image).toBe(image);
      expect(found.note).toContain(`${directory}: belongs to uid 1000, not to core`);
      core.replace('image');
      expect(core.trouble).toMatch(/belongs to uid 1000, not to core.*keeps the checkpoint in memory/);
    }
    expect(made).toHaveLength(1);
    for (const fd of made[0] ?? []) closeSync(fd);
  });

  test('goes on in memory when the disk fails in the middle of an image, and nothing is lost on the way', () => {
    const made: (readonly [number, number])[] = [];
    const memory = {
      kept: () => made[0],
      keep: (files: readonly [number, number]) => void made.push(files),
      ...{ moved: () => undefined, forget: () => undefined, returned: () => undefined },
    };
    const disk = soonFull();
    const inPlace = () => new NodeState({ directory, bootId: BOOT, bytes: BYTES, memory, write: disk.write });
    const found = () => {
      const next = new NodeState({ directory, bootId: BOOT, bytes: BYTES, readOnly: true });
      const { image, records } = next.load();
      next.close();
      return [image, ...records];
    };
    const first = inPlace();
    first.load();
    first.replace('image');
    first.append('one');
    first.append('two');
    disk.left = 100_000;
    first.begin();
    expect(codeOf(() => first.add('i'.repeat(300_000), true))).toBe('ENOSPC');
    expect(codeOf(() => first.finish())).toBe('EINVAL');
    expect(found()).toEqual(['image', 'one', 'two']);
    expect(made).toHaveLength(0);
    disk.left = 1_000;
    first.begin();
    first.add('i'.repeat(300_000), true);
    expect(made).toHaveLength(0);
    first.append('three');
    expect(found()).toEqual(['image', 'one', 'two', 'three']);
    first.finish();
    first.append('four');
    expect(made).toHaveLength(1);
    const second = inPlace();
    expect(second.load()).toMatchObject({ image: 'i'.repeat(300_000), records: ['four'] });
    first.close();
    for (const fd of made[0] ?? []) closeSync(fd);
  });

  test('goes to memory as it is, with the record in whose middle the disk fails, and stays where it was if it cannot', () => {
    const made: (readonly [number, number])[] = [];
    let refuses = true;
    const memory = {
      kept: () => made[0],
      keep(files: readonly [number, number]) {
        if (refuses) throw new HostError('EAGAIN', 'the link');
        made.push(files);
      },
      ...{ moved: () => undefined, forget: () => undefined, returned: () => undefined },
    };
    const disk = soonFull();
    const inPlace = () => new NodeState({ directory, bootId: BOOT, bytes: BYTES, memory, write: disk.write });
    const image = 'i'.repeat(2_500_000);
    const long = 'l'.repeat(300_000);
    const first = inPlace();
    first.load();
    first.replace(image);
    first.append('one');
    first.begin();
    first.add('half of', false);
    disk.left = 100_000;
    expect(codeOf(() => first.append(long))).toBe('EAGAIN');
    disk.left = 100;
    first.append('two');
    refuses = false;
    disk.left = 100_000;
    first.append(long);
    expect(made).toHaveLength(1);
    first.append('three');
    expect(codeOf(() => first.finish())).toBe('EINVAL');
    const { image: found, records, note } = inPlace().load();
    expect([found === image, records.map((one) => one.length), note]).toEqual([true, [3, 3, 300_000, 5], undefined]);
    first.replace('another');
    first.append('four');
    expect(inPlace().load()).toMatchObject({ image: 'another', records: ['four'] });
    expect(made).toHaveLength(1);
    first.close();
    for (const fd of made[0] ?? []) closeSync(fd);
  });

  test('in memory is back on the disk once that can be written to, wherever core dies on the way', () => {
    /** As a fresh process would have them: descriptors of its own of the same files. */
    let kept: readonly [number, number] | undefined;
    const told: string[] = [];
    const memory = {
      kept: () => kept,
      keep(files: readonly [number, number]) {
        kept = files;
      },
      moved: () => void told.push('moved'),
      forget: () => void told.push('forget'),
      returned: (notes: readonly string[]) => void told.push(`returned ${notes.length}`),
    };
    const disk = soonFull();
    const inPlace = () => new NodeState({ directory, bootId: BOOT, bytes: BYTES, memory, write: disk.write });
    const now = (next: NodeState) => {
      const { image, records } = next.load();
      return [image, ...records];
    };
    const first = inPlace();
    first.load();
    first.replace('image');
    expect([first.displaced, first.returns()]).toEqual([false, false]);
    disk.left = 10;
    first.append('one');
    expect([first.displaced, told]).toEqual([true, ['moved']]);
    first.append('two');
    // Full still, and then only until an image is to be written.
    disk.left = 0;
    expect(first.returns()).toBe(false);
    expect(first.trouble).toContain('ENOSPC');
    disk.left = 1000;
    expect(first.returns()).toBe(true);
    first.begin();
    expect(codeOf(() => first.add('i'.repeat(100_000), true))).toBe('ENOSPC');
    first.append('three');
    first.replace('again');
    first.append('four');
    expect([first.displaced, now(inPlace())]).toEqual([true, ['again', 'four']]);
    // At last. Until it is whole what is in memory counts, with all that is appended.
    disk.left = Number.POSITIVE_INFINITY;
    expect(first.returns()).toBe(true);
    first.begin();
    first.add('at home', true);
    first.append('five');
    first.add('five', true);
    expect(now(inPlace())).toEqual(['again', 'four', 'five']);
    first.finish();
    expect([first.displaced, first.trouble, told]).toEqual([false, '', ['moved', 'forget', 'returned 0']]);
    first.append('six');
    first.close();
    // Init may not have heard that it may drop the files in memory.
    const second = inPlace();
    expect(now(second)).toEqual(['at home', 'five', 'six']);
    expect([second.displaced, told.at(-1)]).toEqual([false, 'forget']);
    second.close();
    for (const fd of kept ?? []) closeSync(fd);
  });

  test('that cannot be moved to memory either fails as the disk did, and can be tried again', () => {
    const refuse = () => {
      throw new HostError('EAGAIN', 'the link');
    };
    writeFileSync(directory, '');
    const first = new NodeState({
      directory,
      bootId: BOOT,
      bytes: BYTES,
      memory: { kept: () => undefined, keep: refuse, moved: refuse, forget: refuse, returned: refuse },
    });
    first.load();
    expect(codeOf(() => first.replace('image'))).toBe('EAGAIN');
    expect(first.trouble).toBe('');
    rmSync(directory);
    first.replace('image');
    first.close();
    expect(state().load().image).toBe('image');
  });

  test('is refused to a second core started by hand, in words that say what to do', () => {
    state().load();
    const second = state();
    expect(codeOf(() => second.load())).toBe('EAGAIN');
    expect(() => second.load()).toThrow(/another core has it/);
  });

  test('that is something else entirely is left to be replaced, and said', () => {
    const first = state();
    first.load();
    for (const one of open.splice(0)) one.close();
    for (const name of ['a', 'b']) writeFileSync(join(directory, name), 'x'.repeat(BYTES));
    const next = state();
    expect(next.load()).toMatchObject({ image: undefined, note: expect.stringContaining('not a checkpoint') });
    next.replace('image');
    expect(restarted().load().image).toBe('image');
  });

  /** Files with an image and a record in them, as the last core left them. */
  const left = () => {
    const first = state();
    first.load();
    first.replace('older');
    first.replace('image');
    first.append('record');
    for (const one of open.splice(0)) one.close();
    return ['a', 'b'].map((name) => join(directory, name)) as [string, string];
  };
  const secret = () => {
    const path = join(directory, '../secret');
    writeFileSync(path, 'precious', { mode: 0o640 });
    return path;
  };
  /** A new core can write, and the one after it finds that and nothing to say. */
  const writable = (next: NodeState) => {
    next.replace('fresh');
    next.append('after');
    expect(restarted().load()).toEqual({ image: 'fresh', records: ['after'], note: undefined });
  };

  test.each<[string, (path: string, victim: string) => void, RegExp]>([
    [
      'a symbolic link',
      (path, victim) => symlinkSync(victim, path),
      /a symbolic link, which is not followed; not believed, but removed/,
    ],
    [
      'a dangling link',
      (path, victim) => symlinkSync(`${victim}-not-there`, path),
      /not followed; not believed, but removed/,
    ],
    [
      'a second name of another file',
      (path, victim) => linkSync(victim, path),
      /it has 2 names; not believed, but removed/,
    ],
    ['a pipe', (path) => void spawnSync('mkfifo', [path]), /not a plain file; not believed, but removed/],
    ['a socket', (path) => void createSocketFile(path), /a socket or a device; not believed, but removed/],
  ])('whose place is taken by %s is neither followed nor fatal, and is told', (_what, plant, note) => {
    const paths = left();
    const victim = secret();
    for (const path of paths) {
      rmSync(path);
      plant(path, victim);
    }
    const next = state();
    const loaded = next.load();
    expect(loaded).toMatchObject({ image: undefined, records: [] });
    for (const path of paths) expect(loaded.note).toContain(path);
    expect(loaded.note).toMatch(note);
    writable(next);
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(statSync(victim).mode & 0o777).toBe(0o640);
    expect(existsSync(`${victim}-not-there`)).toBe(false);
  });

  test('whose place is taken by a directory cannot be written, and is told', () => {
    const [path] = left();
    rmSync(path);
    mkdirSync(join(path, 'deep'), { recursive: true });
    const next = state();
    expect(next.load()).toMatchObject({ image: undefined, note: expect.stringContaining(path) });
    expect(codeOf(() => next.replace('image'))).toMatch(/EISDIR|EPERM/);
  });

  test('that others may write to is not believed, and is made anew', () => {
    const paths = left();
    for (const path of paths) chmodSync(path, 0o666);
    const next = state();
    expect(next.load()).toMatchObject({
      image: undefined,
      note: expect.stringMatching(/others may write to it \(0666\); not believed/),
    });
    writable(next);
  });

  test.runIf(process.getuid?.() === 0)('that belongs to somebody else is not believed, and is made anew', () => {
    for (const path of left()) chownSync(path, 1234, 1234);
    const next = state();
    expect(next.load()).toMatchObject({ image: undefined, note: expect.stringContaining('belongs to uid 1234') });
    writable(next);
    expect(statSync(join(directory, 'a')).uid).toBe(0);
  });

  test('with permissions that are only too wide to read is used, set right, and told', () => {
    for (const path of left()) chmodSync(path, 0o644);
    chmodSync(directory, 0o777);
    const next = state();
    const { image, records, note } = next.load();
    expect([image, records]).toEqual(['image', ['record']]);
    expect(note).toMatch(/state: its permissions were 0777; now 0700/);
    expect(note).toMatch(/a: its permissions were 0644; now 0600/);
    expect([directory, join(directory, 'a')].map((path) => statSync(path).mode & 0o7777)).toEqual([0o700, 0o600]);
  });

  test('in a directory that is a symbolic link is not looked for', () => {
    left();
    renameSync(directory, `${directory}-elsewhere`);
    symlinkSync(`${directory}-elsewhere`, directory);
    const next = state();
    expect(next.load()).toMatchObject({
      image: undefined,
      note: expect.stringContaining('a symbolic link is not followed'),
    });
    expect(codeOf(() => next.replace('image'))).toMatch(/ELOOP|ENOTDIR/);
  });

  test.runIf(process.getuid?.() === 0)('in a directory of somebody else is not looked for', () => {
    left();
    chownSync(directory, 1234, 1234);
    const next = state();
    expect(next.load()).toMatchObject({ image: undefined, note: expect.stringContaining('belongs to uid 1234') });
    expect(codeOf(() => next.replace('image'))).toBe('EPERM');
  });

  /** Change the newest of the two files. */
  const newest = (paths: readonly string[], change: (path: string, bytes: Buffer) => void) => {
    const path = paths.find((one) => readFileSync(one).includes('image')) as string;
    change(path, readFileSync(path));
  };

  test.each<[string, (path: string, bytes: Buffer) => void, RegExp]>([
    ['of a form of the future', (path, bytes) => writeFileSync(path, future(bytes)), /format 9, this is format 1/],
    ['full of garbage', (path, bytes) => writeFileSync(path, bytes.fill(0x5a)), /not a checkpoint/],
    ['with a damaged header', (path, bytes) => writeFileSync(path, flipped(bytes, 20)), /its header is damaged/],
    ['cut to nothing', (path) => truncateSync(path), /it has lost what it held/],
    ['removed', (path) => rmSync(path), /it has lost what it held/],
  ])('whose newest file is %s is not replaced by the older one', (_what, change, note) => {
    newest(left(), change);
    const next = state();
    const loaded = next.load();
    expect(loaded).toMatchObject({ image: undefined, records: [] });
    expect(loaded.note).toMatch(note);
    expect(loaded.note).toContain('the other file may be older');
    writable(next);
  });

  test('of ten gigabytes, made sparse, is neither read to its end nor fatal, and is told', () => {
    const paths = left();
    for (const path of paths) truncateSync(path, 10 * 1024 ** 3);
    const next = state();
    expect(next.load()).toMatchObject({ image: undefined, note: expect.stringMatching(/of 10737418240 bytes/) });
    writable(next);
    expect(statSync(paths[0]).size).toBe(BYTES);
  });

  test('in a file that was made longer is read as far as it goes', () => {
    for (const path of left()) truncateSync(path, 900 * 1024 ** 2);
    const next = state();
    expect(next.load()).toEqual({ image: 'image', records: ['record'], note: undefined });
  });

  /** What there was, or the beginning of it with a word on the rest, and never anything else. */
  const expectTrue = ({ image, records, note }: ReturnType<NodeState['load']>) => {
    if (image === undefined) expect([records, typeof note]).toEqual([[], 'string']);
    else if (records.length === 1) expect([image, records]).toEqual(['image', ['record']]);
    else expect([image, records, typeof note]).toEqual(['image', [], 'string']);
  };
  /** Try one change of the newest file after the other, each from what was left. */
  const tried = (changes: number, change: (bytes: Buffer, at: number) => Buffer) => {
    const paths = left();
    const whole = new Map(paths.map((path) => [path, readFileSync(path)] as const));
    const path = paths.find((one) => whole.get(one)?.includes('image')) as string;
    let spoilt = 0;
    for (let at = 0; at < changes; at += 1) {
      writeFileSync(path, change(Buffer.from(whole.get(path) as Buffer), at));
      const next = state();
      const loaded = next.load();
      expectTrue(loaded);
      if (loaded.note !== undefined) spoilt += 1;
      for (const one of open.splice(0)) one.close();
    }
    return spoilt;
  };
  /** Header, image and record, in bytes. */
  const WRITTEN = 64 + 12 + 5 + 12 + 6;

  test('cut off at any byte is used as far as it is whole, or told', () => {
    // Only the end mark may be missing without a loss: and that is told too.
    expect(tried(WRITTEN + 12, (bytes, at) => bytes.subarray(0, at))).toBe(WRITTEN + 12);
  });

  test('with any one bit turned is used as far as it is whole, or told', () => {
    const turned = (bytes: Buffer, at: number) => {
      bytes.writeUInt8((bytes[at >> 3] as number) ^ (1 << (at & 7)), at >> 3);
      return bytes;
    };
    expect(tried(8 * WRITTEN, turned)).toBe(8 * WRITTEN);
  });

  test.each(Array.from({ length: 20 }, (_, at) => at))('of noise is told and replaced (seed %i)', (seed) => {
    const paths = left();
    let noise = seed + 1;
    const random = () => {
      noise = (Math.imul(noise, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return noise / 0x8000_0000;
    };
    for (const path of paths) {
      const bytes = readFileSync(path);
      for (let at = 0; at < 40; at += 1) bytes[Math.floor(random() * 200)] = Math.floor(random() * 256);
      writeFileSync(path, bytes.subarray(0, Math.floor(random() * bytes.length)));
    }
    const next = state();
    expect(next.load()).toMatchObject({ image: undefined, note: expect.stringMatching(/state\/[ab]/) });
    writable(next);
  });
});

/** The same file as a later version might write it. */
function future(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(9, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] as number) ^ 0xff;
  return bytes;
}

/** A socket in the file system, of a process that has ended. */
function createSocketFile(path: string): void {
  const script = 'use IO::Socket::UNIX; IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die $!';
  const done = spawnSync('perl', ['-e', script, path], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
}
