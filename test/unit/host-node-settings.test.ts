import { expect, test } from 'vitest';
import { parseSettings } from '../../src/host/node/settings.ts';

const read = (text: string) => parseSettings(text, '/etc/sysmaster/system.conf', '/run/x');

test('levels, targets and environment are taken', () => {
  expect(read('[Manager]\nLogLevel=debug\nLogTarget=file\nDefaultEnvironment=A=1 "B=x" C="two words"\n')).toMatchObject(
    {
      logLevel: 'debug',
      logTarget: { file: '/run/x/core.log' },
      defaultEnvironment: ['A=1', 'B=x', 'C=two words'],
      findings: [],
    },
  );
});

test('an empty file sets nothing', () => {
  const chaos = { enabled: false, maxUnits: 10, maxMs: 600_000, protect: [], path: '/etc/sysmaster/system.conf' };
  const recorder = { records: 2048, bytes: 4 << 20, ageMs: 600_000 };
  const unset = { logLevel: undefined, logTarget: undefined, defaultEnvironment: [] };
  expect(read('')).toEqual({ ...unset, recorder, chaos, findings: [] });
});

test('what is not understood is named with its line', () => {
  const { findings } = read('[Manager]\nLogLevel=loud\nCrashShell=yes\n[Other]\nx=1\n');
  expect(findings).toHaveLength(3);
  expect(findings[0]).toMatch(/^\/etc\/sysmaster\/system\.conf:2: LogLevel=loud: not a level; use one of debug/);
  expect(findings[1]).toMatch(/:3: CrashShell=(yes|true): not honoured/);
  expect(findings[2]).toMatch(/:4: Other: not known here/);
});

test('chaos is enabled and bounded in a section of its own', () => {
  const text = '[X-Chaos]\nEnabled=yes\nMaxUnits=3\nMaxSec=2min\nProtect=sshd.service db-*\n[Manager]\nLogLevel=info\n';
  expect(read(text)).toMatchObject({
    logLevel: 'info',
    chaos: { enabled: true, maxUnits: 3, maxMs: 120_000, protect: ['sshd.service', 'db-*'] },
    findings: [],
  });
});

test('what is wrong about chaos leaves it as it was, which is off, and is named', () => {
  const { chaos, findings } = read('[X-Chaos]\nEnabled=perhaps\nMaxUnits=0\nMaxSec=infinity\nLogLevel=info\n');
  expect(chaos).toMatchObject({ enabled: false, maxUnits: 10, maxMs: 600_000 });
  expect(findings.map((line) => line.replace(/^.*conf:/, ''))).toEqual([
    expect.stringMatching(/^2: Enabled=perhaps: not a boolean/),
    expect.stringMatching(/^3: MaxUnits=0: not a number from 1 to 1000/),
    expect.stringMatching(/^4: MaxSec=infinity: not a time span/),
    expect.stringMatching(/^5: LogLevel=info: not honoured; use Enabled=/),
  ]);
});

test.each([
  [
    'FlightRecorderSec=1h\nFlightRecorderSteps=100\nFlightRecorderSize=1M',
    { ageMs: 3_600_000, records: 100, bytes: 1 << 20 },
  ],
  ['FlightRecorderSec=infinity', { ageMs: 'infinity', records: 2048, bytes: 4 << 20 }],
  ['FlightRecorderSteps=0', { ageMs: 600_000, records: 0, bytes: 4 << 20 }],
  ['FlightRecorderSize=0', { ageMs: 600_000, records: 2048, bytes: 0 }],
  ['FlightRecorderSec=', { ageMs: 600_000, records: 2048, bytes: 4 << 20 }],
  ['FlightRecorderSize=1M\nFlightRecorderSize=', { ageMs: 600_000, records: 2048, bytes: 4 << 20 }],
])('the flight recorder is bounded by %j', (text, recorder) => {
  expect(read(`[Manager]\n${text}\n`)).toMatchObject({ recorder, findings: [] });
});

test.each([
  ['FlightRecorderSec=soon', 'not a time span; 0 keeps nothing'],
  ['FlightRecorderSteps=65537', 'not a number from 0 to 65536'],
  ['FlightRecorderSteps=-1', 'not a number from 0 to 65536'],
  ['FlightRecorderSteps=many', 'not a number from 0 to 65536'],
  ['FlightRecorderSize=1T', 'not a number of bytes up to 256M'],
  ['FlightRecorderSize=infinity', 'not a number of bytes up to 256M'],
  ['FlightRecorderColour=red', 'not honoured; use FlightRecorderSec='],
])('%s is named, and the default counts', (line, why) => {
  const { recorder, findings } = read(`[Manager]\n${line}\n`);
  expect(recorder).toEqual({ records: 2048, bytes: 4 << 20, ageMs: 600_000 });
  expect(findings).toEqual([expect.stringContaining(`system.conf:2: ${line}: ${why}`)]);
});
