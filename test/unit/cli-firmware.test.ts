/** What came before the kernel, as the boot loader left it; times as systemd-analyze(1) adds them up. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { summary } from '../../src/cli/commands/analyze/boot-times.ts';
import { beforeKernel } from '../../src/cli/commands/analyze/firmware.ts';
import type { Times } from '../../src/cli/wire.ts';

const directory = mkdtempSync(join(tmpdir(), 'efivars.'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const VENDOR = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
function leave(name: string, text: string): void {
  const value = Buffer.from(`${text}\0`, 'utf16le');
  writeFileSync(join(directory, `${name}-${VENDOR}`), Buffer.concat([Buffer.from([6, 0, 0, 0]), value]));
}

beforeEach(() => {
  leave('LoaderTimeInitUSec', '3100000');
  leave('LoaderTimeExecUSec', '4300000');
});

test('the loader begins where the firmware ends, and ends where the kernel begins', () => {
  expect(beforeKernel(directory)).toEqual({ firmwareUs: 3_100_000, loaderUs: 1_200_000 });
});

test('a machine without these variables has nothing to tell', () => {
  expect(beforeKernel(join(directory, 'none'))).toBeUndefined();
});

test.each([
  ['4300001', '4300000', 'it left before it began'],
  ['1', '0', 'it never left'],
  ['1', '3600000002', 'it took more than an hour'],
  ['soon', '4300000', 'it is no number'],
])('%s and %s are not believed: %s', (began, left) => {
  leave('LoaderTimeInitUSec', began);
  leave('LoaderTimeExecUSec', left);
  expect(beforeKernel(directory)).toBeUndefined();
});

const times = (role: string): Times => ({
  userspaceUs: 2_500_000,
  unitsLoadedUs: 2_600_000,
  finishedUs: 22_000_000,
  nowUs: 30_000_000,
  role,
  target: 'multi-user.target',
  units: [
    { name: 'multi-user.target', activatingUs: 21_500_000, activatedUs: 21_500_000, after: [] },
  ] as unknown as Times['units'],
});

test('time adds firmware, loader, kernel and userspace up', () => {
  expect(summary(times('machine'), beforeKernel(directory))).toEqual([
    'Startup finished in 3.100s (firmware) + 1.200s (loader) + 2.500s (kernel) + 19.500s (userspace) = 26.300s ',
    'multi-user.target reached after 19s in userspace.',
  ]);
  expect(summary(times('machine'), undefined)[0]).toBe(
    'Startup finished in 2.500s (kernel) + 19.500s (userspace) = 22s ',
  );
});

test('a container knows of userspace only', () => {
  expect(summary(times('container'))[0]).toBe('Startup finished in 19.500s (userspace) ');
});
