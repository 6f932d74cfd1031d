import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  test('says ENOSPC when its room is used up, keeps what it has, and takes a new image then', () => {
    const first = state();
    first.load();
    first.replace('image');
    let written = 0;
    const code = codeOf(() => {
      for (; written < 1000; written += 1) first.append(`${written}`.padEnd(200, '.'));
    });
    expect(code).toBe('ENOSPC');
    expect(written).toBeGreaterThan(50);
    first.replace('compacted');
    first.append('on');
    expect(restarted().load()).toEqual({ image: 'compacted', records: ['on'], note: undefined });
  });

  test('grows by doubling for an image that needs it, with as much room for records', () => {
    const first = state();
    first.load();
    first.replace('i'.repeat(40_000));
    first.append('r'.repeat(30_000));
    expect(['a', 'b'].map((name) => statSync(join(directory, name)).size).sort((one, other) => one - other)).toEqual([
      8 * BYTES,
      8 * BYTES,
    ]);
    expect(restarted().load()).toMatchObject({ image: 'i'.repeat(40_000), records: ['r'.repeat(30_000)] });
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
      const done = spawnSync(
        'unshare',
        [
          '--mount',
          'sh',
          '-c',
          `mount -t tmpfs -o size=8k none ${directory} && exec "$0" "$@"`,
          process.execPath,
          '--input-type=module',
          '-e',
          FULL_DISK,
        ],
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
      expect(done.stdout.trim()).toBe('ENOSPC');
    },
  );

  test('that the disk has no room for is kept in memory, and found there by the next core', () => {
    const made: (readonly [number, number])[] = [];
    const why: string[] = [];
    const memory = {
      kept: () => made[0],
      keep: (files: readonly [number, number]) => void made.push(files),
      moved: (one: string) => void why.push(one),
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

  test('that cannot be moved to memory either fails as the disk did, and can be tried again', () => {
    const refuse = () => {
      throw new HostError('EAGAIN', 'the link');
    };
    writeFileSync(directory, '');
    const first = new NodeState({
      directory,
      bootId: BOOT,
      bytes: BYTES,
      memory: { kept: () => undefined, keep: refuse, moved: () => undefined },
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
});
