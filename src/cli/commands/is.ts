/** is-active, is-failed, is-enabled and is-system-running: one word a unit, and an exit status for scripts. */
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { exits } from '../exit.ts';
import { expand } from '../names.ts';
import type { Event, ManagerState, UnitFile } from '../wire.ts';

/** systemctl(1), is-enabled: these count as enabled. */
const ENABLED: ReadonlySet<string> = new Set([
  'enabled',
  'enabled-runtime',
  'static',
  'alias',
  'indirect',
  'generated',
]);

type State = { readonly name: string; readonly load: string; readonly active: string; readonly sub: string };

async function isState(call: Call, wanted: ReadonlySet<string>, otherwise: number): Promise<number> {
  const names = await expand(call.client, call.args);
  const { units } = await call.client.call<{ units: State[] }>('io.sysmaster.Units.States', { names });
  call.print(units, () => (call.quiet ? [] : units.map(({ active }) => active)));
  return units.some(({ active }) => wanted.has(active)) ? exits.ok : otherwise;
}

async function isEnabled(call: Call): Promise<number> {
  const names = await expand(call.client, call.args);
  const { files } = await call.client.call<{ files: UnitFile[] }>('io.sysmaster.Units.FileStates', { names });
  call.print(files, () => (call.quiet ? [] : files.flatMap(({ state }) => (state === '' ? [] : [state]))));
  for (const { name, state } of files)
    if (state === '') call.warn(`Failed to get unit file state for ${name}: No such file or directory`);
  return files.some(({ state }) => ENABLED.has(state)) ? exits.ok : exits.failure;
}

/** States in which the boot is not over. */
const EARLY: ReadonlySet<string> = new Set(['initializing', 'starting']);

async function isSystemRunning(call: Call): Promise<number> {
  const now = async (): Promise<string> => {
    const { manager } = await call.client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get');
    return manager.state;
  };
  let state: string;
  if (call.options.wait === true) {
    const stream = call.client.stream<{ event: Event }>('io.sysmaster.Events.Subscribe', { kinds: ['system'] });
    await stream.next();
    state = await now();
    while (EARLY.has(state)) {
      const { value, done } = await stream.next();
      if (done === true) break;
      state = value.event.event === 'ready' ? await now() : (value.event.system ?? state);
    }
    await stream.return(undefined);
  } else {
    try {
      state = await now();
    } catch (error) {
      if (error instanceof CallError || !(error instanceof Error)) throw error;
      // No manager: systemctl's word for it, beside the reason.
      call.warn(error.message);
      state = 'offline';
    }
  }
  call.print({ state }, () => (call.quiet ? [] : [state]));
  return state === 'running' ? exits.ok : exits.failure;
}

export async function run(call: Call): Promise<number> {
  switch (call.word) {
    case 'is-active':
      return await isState(call, new Set(['active', 'reloading']), exits.notRunning);
    case 'is-failed':
      return await isState(call, new Set(['failed']), exits.failure);
    case 'is-enabled':
      return await isEnabled(call);
    default:
      return await isSystemRunning(call);
  }
}
