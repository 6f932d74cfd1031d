/** get-default and set-default: the target that is booted. */
import type { Call } from '../command.ts';
import { unitName } from '../names.ts';
import type { ManagerState } from '../wire.ts';
import { changeFiles } from './unit-files.ts';

export async function run(call: Call): Promise<number> {
  if (call.word === 'set-default')
    return await changeFiles(call, 'set-default', [unitName(call.args[0] ?? '', 'target')]);
  const { manager } = await call.client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get');
  call.print({ default: manager.defaultTarget }, () => [manager.defaultTarget]);
  return 0;
}
