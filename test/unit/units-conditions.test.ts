import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONDITIONS } from '../../src/units/directives/unit.ts';
import {
  type CheckAnswer,
  conditionChecks,
  conditionText,
  createUnitLoader,
  evaluate,
  plainPaths,
} from '../../src/units/index.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const loader = createUnitLoader({ files: memoryFiles({}), facts: testFacts, paths: plainPaths(['/u']) });
const unitWith = (...lines: readonly string[]) =>
  loader.loadText('t.target', `[Unit]\n${lines.join('\n')}\n`, '/u/t.target');
const verdict = (lines: readonly string[], answers: readonly CheckAnswer[]) =>
  evaluate(unitWith(...lines).conditions, testFacts, answers);

describe('conditions', () => {
  test.each([
    ['PathExists', 'exists'],
    ['PathExistsGlob', 'glob'],
    ['PathIsDirectory', 'directory'],
    ['PathIsSymbolicLink', 'symlink'],
    ['PathIsMountPoint', 'mountpoint'],
    ['PathIsReadWrite', 'readwrite'],
    ['PathIsEncrypted', 'encrypted'],
    ['DirectoryNotEmpty', 'directory-not-empty'],
    ['FileNotEmpty', 'file-not-empty'],
    ['FileIsExecutable', 'executable'],
  ])('%s asks for one look', (kind, check) => {
    expect(conditionChecks(unitWith(`Condition${kind}=!/a//b`), testFacts)).toEqual({
      checks: [{ kind: check, path: '/a/b' }],
    });
    expect(verdict([`Condition${kind}=/a`], [true]).result).toBe(true);
    expect(verdict([`Condition${kind}=!/a`], [true]).result).toBe(false);
    expect(verdict([`Condition${kind}=/a`], []).result).toBe(false);
  });

  test('answers are given out in the order in which they were asked for', () => {
    const lines = ['ConditionPathExists=/a', 'ConditionHost=box*', 'ConditionMemory=>1G', 'ConditionPathExists=!/b'];
    expect(conditionChecks(unitWith(...lines), testFacts).checks.map((check) => check.path)).toEqual([
      '/a',
      '/proc/meminfo',
      '/b',
    ]);
    expect(verdict(lines, [true, 'MemTotal: 4000000 kB\n', false]).result).toBe(true);
    expect(verdict(lines, [true, 'MemTotal: 4000 kB\n', false]).failed.map(conditionText)).toEqual([
      'ConditionMemory=>1G',
    ]);
  });

  test('a failed assert is told apart from a failed condition', () => {
    expect(verdict(['AssertPathExists=/a', 'ConditionPathExists=/b'], [false, true])).toMatchObject({
      result: false,
      assertResult: false,
      conditionResult: true,
    });
    expect(verdict(['AssertPathExists=/a', 'ConditionPathExists=/b'], [true, false])).toMatchObject({
      result: false,
      assertResult: true,
      conditionResult: false,
    });
  });

  test('with any answers at all the rule of triggers holds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ trigger: fc.boolean(), negate: fc.boolean(), answer: fc.boolean() }), { maxLength: 8 }),
        (list) => {
          const lines = list.map(
            ({ trigger, negate }, index) => `ConditionPathExists=${trigger ? '|' : ''}${negate ? '!' : ''}/p${index}`,
          );
          const holds = list.map(({ negate, answer }) => answer !== negate);
          const triggers = list.flatMap(({ trigger }, index) => (trigger ? [holds[index]] : []));
          const expected =
            list.every(({ trigger }, index) => trigger || holds[index]) &&
            (triggers.length === 0 || triggers.includes(true));
          return (
            verdict(
              lines,
              list.map(({ answer }) => answer),
            ).result === expected
          );
        },
      ),
    );
  });

  test('every kind is decided without a throw, whatever its argument and the answers', () => {
    const answer = fc.oneof(fc.boolean(), fc.constant(null), fc.string({ maxLength: 30 }));
    fc.assert(
      fc.property(
        fc.constantFrom(...CONDITIONS),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
        fc.array(answer, { maxLength: 20 }),
        (kind, argument, answers) => {
          const condition = {
            kind,
            assert: false,
            negate: false,
            trigger: false,
            argument,
            at: { file: '', line: 0, column: 0 },
          };
          const request = conditionChecks({ conditions: [condition] }, testFacts);
          return request.checks.length <= 20 && typeof evaluate([condition], testFacts, answers).result === 'boolean';
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('ConditionNeedsUpdate= compares the stamp with /usr, and the kernel command line has the last word', () => {
    const facts = { ...testFacts, usrModifiedMs: 2000 };
    const { conditions } = unitWith('ConditionNeedsUpdate=/etc');
    expect(evaluate(conditions, facts, [true, true, 'TIMESTAMP_NSEC=1000000000\n', false]).result).toBe(true);
    expect(evaluate(conditions, facts, [true, true, 'TIMESTAMP_NSEC=3000000000\n', false]).result).toBe(false);
    expect(evaluate(conditions, facts, [true, false, null, false]).result).toBe(true);
    expect(evaluate(conditions, facts, [false, false, null, false]).result).toBe(false);
    expect(
      evaluate(conditions, { ...facts, kernelCommandLine: 'systemd.condition-needs-update=no' }, [
        true,
        false,
        null,
        false,
      ]).result,
    ).toBe(false);
  });

  test('pressure is below its limit, or not measured', () => {
    const text = 'some avg10=50.00 avg60=1.00 avg300=0.00 total=1\nfull avg10=30.00 avg60=0.50 avg300=0.00 total=1\n';
    expect(verdict(['ConditionMemoryPressure=31%/10sec'], [text]).result).toBe(true);
    expect(verdict(['ConditionMemoryPressure=29%/10sec'], [text]).result).toBe(false);
    expect(verdict(['ConditionMemoryPressure=1%'], [text]).result).toBe(true);
    expect(verdict(['ConditionMemoryPressure=1%'], [null]).result).toBe(true);
    expect(conditionChecks(unitWith('ConditionCPUPressure=app-web.slice:10%'), testFacts).checks[0]?.path).toBe(
      '/sys/fs/cgroup/app.slice/app-web.slice/cpu.pressure',
    );
  });

  test('a firmware is asked for by its tree or its fields', () => {
    expect(verdict(['ConditionFirmware=device-tree-compatible(acme,board)'], ['other\0acme,board\0']).result).toBe(
      true,
    );
    expect(verdict(['ConditionFirmware=smbios-field(bios_version >= 1.9)'], ['1.10\n']).result).toBe(true);
    expect(verdict(['ConditionFirmware=smbios-field(board_vendor $= "AC*")'], ['ACME Inc\n']).result).toBe(true);
  });
});
