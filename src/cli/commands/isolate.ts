/** isolate, and default, rescue and emergency, which isolate their targets. */
import type { Call } from '../command.ts';
import { unitName } from '../names.ts';
import type { ManagerState } from '../wire.ts';
import { request } from './jobs.ts';
import { showPlan } from './plan.ts';

async function target({ word, args, client }: Call): Promise<string> {
  if (word === 'isolate') return unitName(args[0] ?? '', 'target');
  if (word !== 'default') return `${word}.target`;
  const { manager } = await client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get');
  return manager.defaultTarget;
}

export async function run(call: Call): Promise<number> {
  const unit = await target(call);
  if (call.options.dryRun === true) return await showPlan(call, 'start', [unit], 'isolate');
  return await request(call, {
    verb: 'start',
    units: [unit],
    mode: 'isolate',
    noBlock: call.options.block === false,
  });
}
