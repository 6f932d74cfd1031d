/** is-active, is-failed, is-enabled and is-system-running: one word a unit, and an exit status for scripts. */
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { exits } from '../exit.ts';
import { expand } from '../names.ts';
import type { Event, ManagerState, Step, UnitFile } from '../wire.ts';

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
  const names = await expand(call, call.args);
  const { units } = await call.client.call<{ units: State[] }>('io.sysmaster.Units.States', { names });
  call.print(units, () => (call.quiet ? [] : units.map(({ active }) => active)));
  return units.some(({ active }) => wanted.has(active)) ? exits.ok : otherwise;
}

/** The links by which units are enabled (--full): those that disable would remove. */
async function linksOf(call: Call, files: readonly UnitFile[]): Promise<Map<string, readonly string[]>> {
  const links = new Map<string, readonly string[]>();
  for (const { name, state } of files) {
    if (!/^(enabled|linked)/.test(state)) continue;
    const { steps } = await call.client.change<{ steps: Step[] }>('io.sysmaster.Units.ChangeFiles', {
      verb: 'disable',
      names: [name],
      runtime: state.endsWith('-runtime'),
      dryRun: true,
    });
    links.set(
      name,
      steps.filter(({ kind }) => kind === 'unlink').map(({ path }) => path),
    );
  }
  return links;
}

async function isEnabled(call: Call): Promise<number> {
  const names = await expand(call, call.args);
  const { files } = await call.client.call<{ files: UnitFile[] }>('io.sysmaster.Units.FileStates', { names });
  const links = call.options.full === true ? await linksOf(call, files) : new Map<string, readonly string[]>();
  const shown = files.map((file) => (links.has(file.name) ? { ...file, links: links.get(file.name) } : file));
  call.print(shown, () =>
    call.quiet
      ? []
      : files.flatMap(({ name, state }) =>
          state === '' ? [] : [state, ...(links.get(name) ?? []).map((path) => `  ${path}`)],
        ),
  );
  for (const { name, state } of files)
    if (state === '') call.warn(`Failed to get unit file state for ${name}: No such file or directory`);
  // One that is not there spoils the answer, as for systemctl, which stops at it.
  if (files.some(({ state }) => state === '')) return exits.failure;
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
