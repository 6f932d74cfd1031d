/** The version before, kept aside while another is on trial: what is kept, who runs which, and what is never run. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addon } from '../../../src/host/node/addon.ts';
import { inCharge, isKeptAside, keepAside } from '../../../src/host/node/aside.ts';
import { lib } from '../support/system.ts';

const says = (what: string) => `process.stdout.write('${what}')`;
const start = join(lib, 'core.cjs');
const isRoot = process.getuid?.() === 0;

let directory: string;
let run: string;
const previous = (name = '') => join(run, 'previous', name);

beforeEach(() => {
  directory = mkdtempSync('/var/tmp/aside-');
  run = join(directory, 'run');
  mkdirSync(run, { mode: 0o755 });
  mkdirSync(join(directory, 'lib'));
  expect(addon.clockMs('monotonic')).toBeGreaterThan(0); // it is loaded, and so can be kept
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('what is kept', () => {
  test('is the bundle, and the addon as it is loaded', () => {
    keepAside(run, says('old'));
    expect(readFileSync(previous('core-bundle.cjs'), 'latin1')).toBe(says('old'));
    const kept = readFileSync(previous('addon.node'));
    expect(kept.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
    expect(readFileSync(previous('trial'), 'latin1')).toBe('new');
  });

  test('takes the place of what was kept before, and of a trial that was tried', () => {
    keepAside(run, says('older'));
    writeFileSync(previous('trial'), 'tried');
    keepAside(run, says('old'));
    expect(readFileSync(previous('core-bundle.cjs'), 'latin1')).toBe(says('old'));
    expect(readFileSync(previous('trial'), 'latin1')).toBe('new');
  });

  test('goes once another version is in charge, and stays while it is itself in charge', () => {
    keepAside(run, says('old'));
    expect(isKeptAside(run, join(run, 'previous'))).toBe(true);
    inCharge(run, join(run, 'previous'));
    expect(existsSync(previous('core-bundle.cjs'))).toBe(true);
    inCharge(run, join(directory, 'lib'));
    expect(existsSync(previous())).toBe(false);
  });

  test("is never written to where a link leads, nor into somebody else's directory", () => {
    mkdirSync(join(directory, 'victim'));
    symlinkSync(join(directory, 'victim'), join(run, 'previous'));
    keepAside(run, says('old'));
    expect(existsSync(join(directory, 'victim/core-bundle.cjs'))).toBe(false);
    expect(readFileSync(previous('core-bundle.cjs'), 'latin1')).toBe(says('old'));
    rmSync(previous(), { recursive: true });
    mkdirSync(previous());
    chmodSync(previous(), 0o777);
    symlinkSync(join(directory, 'victim/file'), previous('trial'));
    keepAside(run, says('old'));
    expect(existsSync(join(directory, 'victim/file'))).toBe(false);
    expect(readFileSync(previous('trial'), 'latin1')).toBe('new');
  });
});

describe.skipIf(!existsSync(start))('who is started', () => {
  beforeEach(() => {
    copyFileSync(start, join(directory, 'lib/core.cjs'));
    writeFileSync(join(directory, 'lib/core-bundle.cjs'), says('new'));
  });

  /** As init starts core: what it says, and what it says why. */
  const begin = (...words: string[]) => {
    const env = { PATH: process.env['PATH'], SYSMASTER_RUN_DIR: run };
    const done = spawnSync(process.execPath, [join(directory, 'lib/core.cjs'), ...words], { encoding: 'utf8', env });
    return [done.stdout, done.stderr];
  };

  test('is the version that is installed, where none is kept aside', () => {
    expect(begin()).toEqual(['new', '']);
  });

  test('is the new one at first, the one kept aside if that has ended before it was in charge, and so on', () => {
    keepAside(run, says('old'));
    expect(begin('--check-checkpoint')).toEqual(['new', '']);
    expect(readFileSync(previous('trial'), 'latin1')).toBe('new');
    expect(begin()).toEqual(['new', '']);
    for (let time = 0; time < 2; time += 1) {
      const [who, why] = begin();
      expect(who).toBe('old');
      expect(why).toContain(`back to the one before, in ${join(run, 'previous')}`);
    }
    // A look at the checkpoint is the new one's.
    expect(begin('--check-checkpoint')).toEqual(['new', '']);
    inCharge(run, join(directory, 'lib'));
    expect(begin()).toEqual(['new', '']);
  });

  const places: readonly [string, boolean, () => void, RegExp][] = [
    ['in a directory that others may write to', true, () => chmodSync(previous(), 0o777), /others may write to it/],
    ['in a directory of another user', isRoot, () => chownSync(previous(), 1000, 1000), /belongs to uid 1000/],
    ['without its addon', true, () => rmSync(previous('addon.node')), /addon\.node: not core's own/],
    [
      'with a link in its place',
      true,
      () => {
        renameSync(previous('core-bundle.cjs'), join(directory, 'elsewhere'));
        symlinkSync(join(directory, 'elsewhere'), previous('core-bundle.cjs'));
      },
      /core-bundle\.cjs: not core's own/,
    ],
    [
      'with another name elsewhere',
      true,
      () => linkSync(previous('core-bundle.cjs'), join(directory, 'elsewhere')),
      /core-bundle\.cjs: not core's own/,
    ],
    [
      'that another user may have put there',
      isRoot,
      () => chownSync(previous('trial'), 1000, 1000),
      /it is not believed/,
    ],
  ];
  for (const [where, can, spoil, why] of places) {
    test.runIf(can)(`is not the one kept aside, if that lies ${where}`, () => {
      keepAside(run, says('old'));
      begin();
      spoil();
      const [who, said] = begin();
      expect(who).toBe('new');
      expect(said).toMatch(why);
    });
  }
});
