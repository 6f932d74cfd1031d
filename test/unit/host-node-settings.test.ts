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
  expect(read('')).toEqual({ logLevel: undefined, logTarget: undefined, defaultEnvironment: [], chaos, findings: [] });
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
