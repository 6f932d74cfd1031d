/** Commands about unit files on a tree of their own (`--root=`), as real processes; there is no manager anywhere. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SCTL, start } from './program.ts';

const UNIT = '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sctl-root-'));
  put('usr/lib/systemd/system/a.service', UNIT);
  put('usr/lib/systemd/system/multi-user.target', '[Unit]\nDescription=m\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (path: string, text: string, mode = 0o644): string => {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text, { mode });
  return whole;
};
const OWN = 'etc/sysmaster/system';
async function sctl(
  words: readonly string[],
  { input = '', editor = '' }: { input?: string | undefined; editor?: string } = {},
) {
  const env = { SYSMASTER_SOCKET: join(root, 'no.sock'), ...(editor === '' ? {} : { SYSTEMD_EDITOR: editor }) };
  const running = start(process.execPath, [SCTL, `--root=${root}`, ...words], env, 'pipe');
  running.child.stdin?.end(input);
  return await running.ended;
}

test('a dry run shows the links that enable then makes', async () => {
  const link = `${root}/${OWN}/multi-user.target.wants/a.service → /usr/lib/systemd/system/a.service.`;
  expect(await sctl(['enable', '--dry-run', 'a.service'])).toMatchObject({
    status: 0,
    out: `Would create symlink ${link}\n`,
  });
  expect(readdirSync(root)).toEqual(['usr']);
  expect(await sctl(['enable', 'a.service'])).toEqual({ status: 0, out: '', err: `Created symlink ${link}\n` });
  expect(readlinkSync(join(root, OWN, 'multi-user.target.wants/a.service'))).toBe('/usr/lib/systemd/system/a.service');
  expect(await sctl(['is-enabled', '--full', 'a.service'])).toMatchObject({
    status: 0,
    out: `enabled\n  ${root}/${OWN}/multi-user.target.wants/a.service\n`,
  });
  expect((await sctl(['is-enabled', 'a.service', 'nope.service'])).status).toBe(1);
  // What reenable removes it makes anew, and it says both.
  const path = `${root}/${OWN}/multi-user.target.wants/a.service`;
  expect(await sctl(['reenable', '--dry-run', 'a.service'])).toMatchObject({
    status: 0,
    out: `Would remove "${path}".\nWould create symlink ${link}\n`,
  });
  expect((await sctl(['reenable', 'a.service'])).err).toBe(`Removed "${path}".\nCreated symlink ${link}\n`);
});

test('an editor changes a drop-in, and the comments of the template are left out', async () => {
  const editor = put(
    'editor',
    '#!/bin/sh\ngrep -q "^# ExecStart=/bin/true" "$1" || exit 3\nsed -i "3a [Service]\\nNice=7" "$1"\n',
    0o755,
  );
  const { status, err } = await sctl(['edit', 'a.service'], { editor });
  expect({ status, err }).toMatchObject({ status: 0, err: expect.stringContaining('Successfully installed') });
  expect(readFileSync(join(root, OWN, 'a.service.d/override.conf'), 'utf8')).toBe('[Service]\nNice=7\n');
});

test('a dry run of edit starts no editor, and says which file would be written, or why it would not', async () => {
  const path = `${root}/${OWN}/a.service.d/override.conf`;
  const dry = (input?: string) =>
    sctl(['edit', '--dry-run', ...(input === undefined ? [] : ['--stdin']), 'a.service'], { input, editor: 'false' });
  expect(await dry()).toMatchObject({ status: 0, out: `Would create ${path}.\n`, err: '' });
  expect(await dry('[Service]\nNice=7\n')).toMatchObject({ status: 0, out: `Would create ${path}.\n` });
  expect(await dry('[Service]\nExecStart=/bin/false\n')).toMatchObject({
    status: 1,
    out: `Would not write ${path}: a.service could not be loaded with it.\n`,
    err: expect.stringMatching(/override\.conf:2:1: .*Type=oneshot/),
  });
  expect(readdirSync(root)).toEqual(['usr']);
  put(`${OWN}/a.service.d/override.conf`, '[Service]\nNice=7\n');
  expect(await dry()).toMatchObject({ status: 0, out: `Would change ${path}.\n` });
  expect(await dry('[Service]\nNice=7\n')).toMatchObject({ status: 0, out: `Would leave ${path} as it is.\n` });
});

test('what an editor leaves empty, or fails at, changes nothing', async () => {
  expect(await sctl(['edit', 'a.service'], { editor: 'true' })).toMatchObject({
    status: 0,
    err: expect.stringContaining('canceled'),
  });
  expect(await sctl(['edit', 'a.service'], { editor: 'false' })).toMatchObject({ status: 1 });
  expect(readdirSync(root)).toEqual(['usr']);
});

test('a text with which the unit cannot be loaded is named and not written, but with --force', async () => {
  const words = ['edit', '--stdin', '--drop-in=10-x', 'a.service'];
  const refused = await sctl(words, { input: '[Service]\nExecStart=/bin/false\n' });
  expect(refused.status).toBe(1);
  expect(refused.err).toMatch(/10-x\.conf:2:1: .*Type=oneshot/);
  expect(readdirSync(root)).toEqual(['usr']);
  rmSync(dirname(/kept in (\S+),/.exec(refused.err)?.[1] ?? ''), { recursive: true });
  expect((await sctl([...words, '--force'], { input: '[Service]\nExecStart=/bin/false\n' })).status).toBe(0);
  expect(readdirSync(join(root, OWN, 'a.service.d'))).toEqual(['10-x.conf']);
});

test('--full edits a copy of the file, and with --force a new unit is made', async () => {
  expect((await sctl(['edit', '--full', '--stdin', '--runtime', 'a.service'], { input: UNIT })).status).toBe(0);
  expect(readFileSync(join(root, 'run/sysmaster/system/a.service'), 'utf8')).toBe(UNIT);
  expect(await sctl(['edit', '--full', '--stdin', 'b.service'], { input: UNIT })).toMatchObject({
    status: 1,
    err: expect.stringContaining('No files found for b.service'),
  });
  expect((await sctl(['edit', '--full', '--force', '--stdin', 'b.service'], { input: UNIT })).status).toBe(0);
  expect(readFileSync(join(root, OWN, 'b.service'), 'utf8')).toBe(UNIT);
});
