/**
 * The host of a dry run: the checkpoint of the core that is in charge is read, and nothing at all is changed.
 *
 * `core.cjs --check-checkpoint DIRECTORY ACTOR…` is what the present core has init start before it leaves for another version:
 * the new one loads the state beside it. `fds` for the directory: the checkpoint is in descriptors 3 and 4. The actors are those that
 * the present core cannot load either.
 */
import type { Host } from '../ports.ts';
import { NodeClock } from './clock.ts';
import { machineFacts } from './facts.ts';
import { NodeFiles } from './files.ts';
import { Inotify } from './inotify.ts';
import { Loop } from './loop.ts';
import { NodeState } from './state.ts';

/** What to look at; undefined: these arguments ask for no dry run. */
export function checkAsked(argv: readonly string[]) {
  const at = argv.indexOf('--check-checkpoint');
  const directory = argv[at + 1];
  return at < 0 || directory === undefined ? undefined : { directory, known: argv.slice(at + 2) };
}

/** Answers every call with nothing. */
const mute = <Port extends object>(): Port => new Proxy({}, { get: () => () => undefined }) as Port;

const NO_NOTES: Host['notes'] = { load: () => '', append: () => undefined, replace: () => undefined };

/** @param say what core would write to its log */
export function createCheckHost(directory: string, runDirectory: string, say: Host['log']['log']): Host {
  const loop = new Loop();
  const hello: Host['hello'] = {
    ...{ role: 'container', pid: 1, epoch: 0, cgroupRoot: '', cores: 0, safeMode: false, stopping: null },
    ...{ deaths: [], canSetUid: false, children: [], fds: [], records: 0 },
  };
  const facts = machineFacts(hello, runDirectory);
  const { bootId } = facts;
  const nothing = () => undefined;
  const memory = { kept: () => [3, 4] as const, keep: nothing, moved: nothing, forget: nothing, returned: nothing };
  const inMemory = directory === 'fds' ? { memory } : {};
  return {
    ...{ process: mute(), init: mute(), sockets: mute(), groups: mute(), helper: mute(), paths: mute(), api: mute() },
    notes: NO_NOTES,
    loaded: NO_NOTES,
    files: new NodeFiles(loop, new Inotify(loop)),
    clock: new NodeClock(loop),
    state: new NodeState({ directory, bootId, bytes: 0, readOnly: true, ...inMemory }),
    log: { ...mute<Host['log']>(), log: say },
    facts,
    hello,
    execSteps: {},
    start: () => undefined,
    schedule: () => undefined,
    exit: (status) => process.exit(status),
  };
}
