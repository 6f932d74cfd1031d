/** sctl convert: what it writes, what it says, and that what it wrote needs no converting. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { sctl } from './support/sctl.ts';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sysmaster-convert-'));
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

function file(name: string, ...lines: readonly string[]): string {
  const whole = path.join(directory, name);
  fs.writeFileSync(whole, `${lines.join('\n')}\n`);
  return whole;
}

const OLD = [
  '# kept',
  '[Unit]',
  'RequiresOverridable=a.service',
  '',
  '[Service]',
  'ExecStart=/bin/true \\',
  '  # inside',
  '  foo',
  'StartLimitInterval=5',
  'CPUShares=512',
  'SELinuxContext=x',
  'PrivateTmp=perhaps',
  'ExecStrat=/bin/foo',
  'X-Foo=1',
  '[Foo]',
  'Bar=1',
];

const NEW = [
  '# kept',
  '[Unit]',
  'Requires=a.service',
  'StartLimitIntervalSec=5',
  '',
  '[Service]',
  'ExecStart=/bin/true \\',
  '  # inside',
  '  foo',
  'CPUWeight=50',
  '# Not honoured, the unit runs without it:',
  'SELinuxContext=x',
  '# not a boolean; use yes or no:',
  '#PrivateTmp=perhaps',
  '# Not a setting of [Service]; did you mean ExecStart=?:',
  '#ExecStrat=/bin/foo',
  'X-Foo=1',
  '[X-Foo]',
  'Bar=1',
  '',
].join('\n');

describe('convert', () => {
  test('writes a unit with the names of today, and comments where something does not count', async () => {
    const answer = await sctl().run(['convert', file('old.service', ...OLD)]);
    expect(answer.out).toBe(NEW);
    expect(answer.status).toBe(0);
    for (const line of [3, 9, 10, 11, 12, 13, 15]) expect(answer.err).toContain(`old.service:${line}: `);
  });

  test('changes nothing in what it has written', async () => {
    const again = await sctl().run(['-q', 'convert', file('new.service', NEW.trimEnd())]);
    expect(again.out).toBe(NEW);
  });

  test('reports on a directory, in text and as data', async () => {
    const place = path.join(directory, 'units');
    fs.mkdirSync(place);
    fs.writeFileSync(path.join(place, 'good.service'), '[Service]\nExecStart=/bin/true\n');
    fs.writeFileSync(path.join(place, 'part.service'), '[Service]\nExecStart=/bin/true\nSELinuxContext=x\n');
    fs.writeFileSync(path.join(place, 'bad.service'), '[Service]\nExecStart=relative/path\n');
    fs.writeFileSync(path.join(place, 'notes.txt'), 'not a unit\n');
    const text = await sctl().run(['convert', '--report', place]);
    expect(text.status).toBe(1);
    expect(text.out).toContain('part.service:3: SELinuxContext=: known but not honoured yet');
    expect(text.out).toContain('3 units: 1 run as they are, 1 run without some settings, 1 cannot be loaded.');
    const data = JSON.parse((await sctl().run(['convert', '--report', '--output=json', place])).out);
    expect(data.units.map(({ unit, verdict }: { unit: string; verdict: string }) => [unit, verdict])).toEqual([
      ['bad.service', 'refused'],
      ['good.service', 'ready'],
      ['part.service', 'partly'],
    ]);
    expect(data.keys).toContainEqual({ section: 'Service', key: 'SELinuxContext', kind: 'not-honoured', units: 1 });
  });

  test('writes files into a directory where one is named', async () => {
    const place = path.join(directory, 'out');
    await sctl().run(['convert', '-q', '-d', place, file('old.service', ...OLD)]);
    expect(fs.readFileSync(path.join(place, 'old.service'), 'utf8')).toBe(NEW);
  });

  test.each([
    [['convert'], 'Name units, files or, with --report, directories.'],
    [['convert', '/nowhere/foo.service'], '/nowhere/foo.service: no such file'],
    [['convert', './foo.txt'], './foo.txt: not the name of a unit; use a name such as foo.service'],
  ])('%j fails', async (words, message) => {
    const answer = await sctl().run(words);
    expect([answer.err.trim(), answer.status]).toEqual([message, 1]);
  });
});
