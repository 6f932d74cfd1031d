/** analyze capability, exit-status and syscall-filter against systemd-analyze: the same lines, but for words that explain. */
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isSyscall, knownSyscalls } from '../../src/units/syntax/syscall-names.ts';
import { sctl } from '../unit/support/sctl.ts';
import { ask, has, makeTree } from './units-oracle.ts';

const there = has('systemd-analyze');
const plain = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !/^ *#/.test(line));

describe.skipIf(!there)('names and numbers against systemd-analyze', () => {
  test.each([
    'capability',
    'capability cap_kill 0 CAP_CHOWN',
    'capability 5',
    'capability 40 41',
    'capability foo',
    'capability chown',
    'capability 63',
    'exit-status',
    'exit-status 0 FAILURE 3',
    'exit-status 100 255',
    'exit-status 0x5 010 +5',
    'exit-status failure',
    'exit-status 256',
    'syscall-filter',
    'syscall-filter @clock @chown',
    'syscall-filter @known',
    'syscall-filter clock',
    'syscall-filter @foo',
  ])('%s', async (words) => {
    const theirs = ask('systemd-analyze', [...words.split(' '), '--no-pager']);
    const ours = await sctl().run(`analyze ${words}`);
    expect({ lines: plain(ours.out), status: ours.status }).toEqual({
      lines: plain(theirs.stdout),
      status: theirs.status,
    });
  });

  test('a filter may name the calls that systemd can resolve, and no others', () => {
    const names = knownSyscalls().filter((name) => !name.startsWith('@'));
    const text = `[Service]\nExecStart=/bin/true\n${names.map((name) => `SystemCallFilter=${name}\n`).join('')}`;
    const root = makeTree({ 'calls.service': text });
    const answer = ask('systemd-analyze', ['verify', '--man=no', '--generators=no', `${root}/calls.service`]);
    fs.rmSync(root, { recursive: true, force: true });
    const refused = new Set([...answer.stderr.matchAll(/system call, ignoring: (\S+)/g)].map((match) => match[1]));
    expect(names.filter((name) => isSyscall(name) === refused.has(name))).toEqual([]);
  });
});
