/** daemon-reload, daemon-reexec, init-reexec and reset-failed. */
import { resolve } from 'node:path';
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { expand } from '../names.ts';
import type { Summary } from '../wire.ts';

async function resetFailed(call: Call): Promise<number> {
  const { client, args, context } = call;
  const change = async (names: readonly string[] | undefined): Promise<string[]> => {
    const { units } = await client.change<{ units: string[] }>('io.sysmaster.Units.ResetFailed', { names });
    return units;
  };
  if (call.options.dryRun === true) {
    const { units } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List', { states: ['failed'] });
    const named = new Set(args.length === 0 ? units.map(({ name }) => name) : await expand(client, args));
    const failed = units.map(({ name }) => name).filter((name) => named.has(name));
    call.print({ units: [...named], failed, dryRun: true }, () => [
      ...failed.map((name) => `Would forget the failure of ${name}.`),
      ...[...named]
        .filter((name) => !failed.includes(name))
        .map((name) => `Would forget the start counts of ${name}; it has not failed.`),
      ...(named.size === 0 ? ['No unit has failed.'] : []),
    ]);
    return 0;
  }
  const done: string[] = [];
  let status = 0;
  if (args.length === 0) done.push(...(await change(undefined)));
  for (const unit of args.length === 0 ? [] : await expand(client, args)) {
    try {
      done.push(...(await change([unit])));
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      context.err(`Failed to reset failed state of unit ${unit}: ${error.why}\n`);
      status = 1;
    }
  }
  call.print({ units: done }, () => []);
  return status;
}

export async function run(call: Call): Promise<number> {
  const { word, client, args } = call;
  switch (word) {
    case 'reset-failed':
      return await resetFailed(call);
    case 'daemon-reload': {
      const { findings } = await client.change<{ findings: number }>('io.sysmaster.Manager.Reload', {});
      call.print({ findings }, () => []);
      if (findings > 0 && !call.json)
        call.warn(`${findings} ${findings === 1 ? 'thing' : 'things'} to know about unit files; see: sctl findings`);
      return 0;
    }
    case 'daemon-reexec':
      await client.change('io.sysmaster.Manager.ReexecCore', {});
      break;
    default:
      await client.change('io.sysmaster.Manager.ReexecInit', {
        path: args[0] === undefined ? undefined : resolve(args[0]),
      });
  }
  call.print({}, () => []);
  return 0;
}
