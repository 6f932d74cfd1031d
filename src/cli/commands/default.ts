/** get-default and set-default: the target that is booted. */
import type { Call } from '../command.ts';
import { unitName } from '../names.ts';
import type { ManagerState, UnitFile } from '../wire.ts';
import { changeFiles } from './unit-files.ts';

/** What the default would be, if there is such a target. */
async function wouldSet({ client, context, print }: Call, unit: string): Promise<number> {
  const { files } = await client.call<{ files: UnitFile[] }>('io.sysmaster.Units.FileStates', { names: [unit] });
  if (!files.some(({ path }) => path !== '')) {
    context.err(`Would fail to set default target: Unit file ${unit} does not exist.\n`);
    return 1;
  }
  const { manager } = await client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get');
  print({ default: unit, before: manager.defaultTarget, dryRun: true }, () => [
    manager.defaultTarget === unit
      ? `${unit} is the default target already.`
      : `Would boot ${unit} instead of ${manager.defaultTarget}.`,
  ]);
  return 0;
}

export async function run(call: Call): Promise<number> {
  if (call.word === 'set-default') {
    const unit = unitName(call.args[0] ?? '', 'target');
    if (call.options.dryRun === true) return await wouldSet(call, unit);
    return await changeFiles(call, 'set-default', [unit]);
  }
  const { manager } = await call.client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get');
  call.print({ default: manager.defaultTarget }, () => [manager.defaultTarget]);
  return 0;
}
