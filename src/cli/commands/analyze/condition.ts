/** analyze condition: conditions and assertions, written out or those of a unit, and whether they hold here (systemd-analyze(1)). */
import { basename, dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { conditionChecks, conditionText, evaluate } from '../../../units/conditions.ts';
import { sentence } from '../../../units/finding.ts';
import type { Unit } from '../../../units/types.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { unitName } from '../../names.ts';
import { lookAt } from './looks.ts';
import { answer, defineCommon, offline, wordsOf } from './offline.ts';

export function define(command: Command): void {
  defineCommon(command).option('-u, --unit <unit>', 'those of this unit or unit file');
}

/** What is told of for conditions that are in no file. */
const ANONYMOUS = 'test.service';

/** The unit whose conditions are asked for, or one made of the words. */
async function subject(call: Call): Promise<Unit> {
  const asked = call.options['unit'] as string | undefined;
  const words = await wordsOf(call);
  if (asked !== undefined) {
    if (words.length > 0) throw new CliError('No conditions can be passed if --unit= is used.');
    const { loader } = asked.includes('/') ? offline(call, [dirname(resolve(asked))]) : offline(call);
    const unit = loader.load(asked.includes('/') ? basename(asked) : unitName(asked));
    if (unit.loadState !== 'loaded') throw new CliError(`${unit.name}: ${unit.loadState}`);
    return unit;
  }
  if (words.length === 0) throw new CliError('Too few arguments.');
  for (const word of words)
    if (!/^\s*(Condition|Assert)[A-Za-z]+\s*=/.test(word)) throw new CliError(`Cannot parse "${word}".`);
  const { loader } = offline(call);
  const unit = loader.loadText(ANONYMOUS, `[Unit]\n${words.join('\n')}\n`, '(cmdline)');
  const unknown = unit.findings.find(({ why }) => why.startsWith('not a setting'));
  if (unknown !== undefined) throw new CliError(`Cannot parse "${words[(unknown.at?.line ?? 2) - 2]}".`);
  for (const finding of unit.findings)
    if (finding.severity !== 'note' && finding.at?.file === '(cmdline)' && finding.at.line > 1)
      call.warn(sentence({ ...finding, at: { ...finding.at, line: 0 } })); // one line, and the person knows which
  return unit;
}

export async function run(call: Call): Promise<number> {
  const { facts } = offline(call);
  const unit = await subject(call);
  const { checks } = conditionChecks(unit, facts);
  const verdict = evaluate(unit.conditions, facts, checks.map(lookAt));
  const { style } = call;
  const lines = (assert: boolean): string[] => {
    const group = verdict.each.filter(({ condition }) => condition.assert === assert);
    if (group.length === 0) return [];
    const whole = assert ? verdict.assertResult : verdict.conditionResult;
    return [
      ...group.map(({ condition, holds }) => `${unit.name}: ${conditionText(condition)} ${word(holds)}.`),
      `${assert ? 'Asserts' : 'Conditions'} ${word(whole)}.`,
    ];
  };
  const word = (holds: boolean) => (holds ? 'succeeded' : style.yellow('failed'));
  answer(
    call,
    {
      unit: unit.name,
      result: verdict.result,
      conditions: verdict.conditionResult,
      asserts: verdict.assertResult,
      each: verdict.each.map(({ condition, holds }) => ({
        condition: conditionText(condition),
        holds,
        trigger: condition.trigger,
        negate: condition.negate,
        file: condition.at.file,
        line: condition.at.line,
      })),
    },
    () => [...lines(true), ...lines(false)],
  );
  return verdict.result ? 0 : 1;
}
