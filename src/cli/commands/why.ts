/** why and why-not: the chain of reasons behind the state of a unit or a job, and what would happen next. */
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { exits } from '../exit.ts';
import { expand } from '../names.ts';
import { explanationLines, userName } from '../output/cause.ts';
import type { Explanation, Unit } from '../wire.ts';
import { lastLogLines } from './status.ts';

/** The log says what core cannot know: of what a process died. */
async function logOf(call: Call, { unit, active, result }: Explanation): Promise<readonly string[]> {
  if (call.json || (active !== 'failed' && result === 'success')) return [];
  const { unit: view } = await call.client.call<{ unit: Unit }>('io.sysmaster.Units.Get', { name: unit });
  return await lastLogLines(call, [view]).then(([lines = []]) => lines);
}

export async function run(call: Call): Promise<number> {
  const { client, args, word, style, context } = call;
  const not = word === 'why-not';
  const names: string[] = [];
  for (const arg of args) names.push(...(/^\d+$/.test(arg) ? [arg] : await expand(call, [arg])));
  if (names.length === 0) throw new CliError(`No units in memory match ${args.join(' ')}.`);
  const shown: { readonly explanation: Explanation; readonly log: readonly string[] }[] = [];
  for (const name of names) {
    const { explanation } = await client.call<{ explanation: Explanation }>('io.sysmaster.Insight.Why', { name, not });
    shown.push({ explanation, log: await logOf(call, explanation) });
  }
  const options = { style, nowUs: context.nowUs(), names: userName };
  call.print(
    shown.map(({ explanation }) => explanation),
    () =>
      shown.flatMap(({ explanation, log }, index) => [
        ...(index > 0 ? [''] : []),
        ...explanationLines(explanation, options),
        ...log.map((line) => `${style.grey(' log:')} ${line}`),
      ]),
  );
  // For scripts: 0 if the unit is as the question supposes.
  if (!not) return exits.ok;
  return shown.some(({ explanation }) => ['active', 'reloading'].includes(explanation.active))
    ? exits.failure
    : exits.ok;
}
