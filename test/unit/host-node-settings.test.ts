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
  expect(read('')).toEqual({ logLevel: undefined, logTarget: undefined, defaultEnvironment: [], findings: [] });
});

test('what is not understood is named with its line', () => {
  const { findings } = read('[Manager]\nLogLevel=loud\nCrashShell=yes\n[Other]\nx=1\n');
  expect(findings).toHaveLength(3);
  expect(findings[0]).toMatch(/^\/etc\/sysmaster\/system\.conf:2: LogLevel=loud: not a level; use one of debug/);
  expect(findings[1]).toMatch(/:3: CrashShell=(yes|true): not honoured/);
  expect(findings[2]).toMatch(/:4: Other: not known here/);
});
