/**
 * What a core that has come back looks at again: levels are read, and watches set anew. All of it is idempotent; what changed
 * while core was away comes back as events.
 *
 * Two parts. What services have said is heard before the first turn ({@link hearAgain}), since it belongs before their exits. All else
 * ({@link Relisting}), control groups, PID files, listeners and watched paths, tells of the present whenever it is looked at. So it is done before the first turn
 * only for units that are on their way from one state to another: they may be waiting for just that, and for a deadline as well. For the others it is
 * done in pieces between the turns that follow, so that nobody waits for all of it. Main processes that init did not spawn are not
 * looked at: init goes on watching them without core, and keeps how they ended.
 */
import { type Host, HostError } from '../host/ports.ts';
import type { PathContext } from '../machines/path-context.ts';
import type { ActiveState } from '../machines/protocol.ts';
import { notifyAccess, type ServiceContext } from '../machines/service-context.ts';
import type { ActorHost } from '../supervisor/index.ts';
import type { Unit } from '../units/types.ts';
import { listener, notifyPath, notifySocket, unitOfName } from './names.ts';
import { isNear, type PidFiles } from './pid-files.ts';
import { pidFilePath } from './processes.ts';
import { groupOf } from './unit-effects.ts';
import { watchPaths } from './unit-paths.ts';

/** Units of one piece: half a millisecond's worth, which an event may have to wait. */
const PIECE = 16;

interface Seen {
  readonly value: unknown;
  readonly context: Partial<ServiceContext>;
}

/** What is needed to look. */
export interface RelistParts {
  readonly host: Host;
  readonly actors: Pick<ActorHost, 'readBegun' | 'addressees' | 'input'>;
  /** A unit in memory. */
  unit(name: string): Unit | undefined;
  readonly pidFiles: PidFiles;
}

interface At extends RelistParts {
  readonly name: string;
  /** Its machine has heard all there is to hear; otherwise nobody knows what it will believe. */
  readonly knows: boolean;
}

/** What costs a unit's unpacking is asked last: of most units nothing is needed but what their actors know. */
type Look = (at: At, seen: Seen) => void;

/** What fails for one unit fails for that unit, and core comes up all the same. */
function tolerant(host: Host, unit: string, look: () => void): void {
  try {
    look();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const fields = { unit, errno: error.code, about: error.about };
    host.log.log('error', fields, 'something of the unit cannot be watched any more');
  }
}

/** What was said meanwhile waits in the notify sockets that init keeps. */
export function hearAgain(host: Host, actors: Pick<ActorHost, 'readBegun'>): void {
  for (const name of [...host.hello.fds].sort()) {
    const unit = name.startsWith('notify:') ? unitOfName(name) : undefined;
    // A unit's further sockets go with its first.
    if (unit === undefined || name !== notifySocket(unit) || actors.readBegun(`unit:${unit}`) === undefined) continue;
    // What the last core had begun to end may be ended by now, and its socket with it.
    if (!host.sockets.stored(name)) continue;
    tolerant(host, unit, () => host.sockets.notify(undefined, name, notifyPath(host.facts.runDirectory, unit)));
  }
}

/** The other part, for these units. */
export class Relisting {
  readonly #parts: RelistParts;
  /** At rest, and not looked at yet. */
  readonly #names: readonly string[];
  #next = 0;

  /** Looks at the units that are under way. */
  constructor(parts: RelistParts, names: readonly string[]) {
    this.#parts = parts;
    const { actors } = parts;
    const isUnderWay = (name: string) => {
      const seen = actors.readBegun<Seen>(`unit:${name}`);
      return seen !== undefined && !AT_REST.includes(seen.context.active);
    };
    this.#names = names.filter((name) => !isUnderWay(name));
    this.#look(names.filter(isUnderWay));
  }

  /** One more piece; false: that was the last. Whatever it throws, the next one goes on behind it. */
  piece(): boolean {
    const names = this.#names.slice(this.#next, this.#next + PIECE);
    this.#next += PIECE;
    this.#look(names);
    return this.#next < this.#names.length;
  }

  #look(names: readonly string[]): void {
    const { host, actors } = this.#parts;
    const toHear = actors.addressees();
    for (const name of names) {
      const id = `unit:${name}`;
      const snapshot = actors.readBegun<Seen>(id);
      if (snapshot === undefined) continue;
      const at = { ...this.#parts, name, knows: !toHear.has(id) };
      for (const look of LOOKS) tolerant(host, name, () => look(at, snapshot));
    }
  }
}

const AT_REST: readonly unknown[] = ['active', 'inactive', 'failed'] satisfies readonly ActiveState[];

const isDown = ({ context }: Seen) => context.active === 'inactive' || context.active === 'failed';

const makeAudible: Look = ({ host, name: unit }, seen) => {
  const name = notifySocket(unit);
  if (host.sockets.stored(name)) return;
  const { settings, populated } = seen.context;
  if (settings?.NotifyAccess === undefined || isDown(seen) || populated !== true) return;
  if (notifyAccess(settings) === 'none') return;
  host.log.log('error', { unit }, 'its notify socket was lost, and is made anew');
  host.sockets.notify(undefined, name, notifyPath(host.facts.runDirectory, unit));
};

const watchGroup: Look = ({ host: { groups }, unit, name, knows }, seen) => {
  const { populated } = seen.context;
  // What a stop has left behind (KillMode=process, SendSIGKILL=no) ends later: until then the unit may not be started, or unloaded.
  if (!groups.available || (isDown(seen) && populated !== true)) return;
  const loaded = unit(name);
  if (loaded === undefined) return;
  const group = groupOf(loaded, seen);
  if (populated !== undefined) groups.watch(group, knows ? populated : undefined);
  else if (groups.read(group, 'cgroup.events') !== undefined) groups.watch(group);
};

const awaitPidFile: Look = ({ host, unit, name, pidFiles }, seen) => {
  const loaded = seen.context.awaitsPidFile === true ? unit(name) : undefined;
  if (loaded?.service === undefined) return;
  const path = pidFilePath(loaded.service.PIDFile);
  if (isNear(path)) host.files.watch(path);
  else pidFiles.look(loaded, groupOf(loaded, seen));
};

/** Listeners that are lost are opened again by the unit itself, which says so if it cannot. */
const listenAgain: Look = ({ host, actors, unit, name: socket }, { value }) => {
  const listeners = value === 'listening' || value === 'running' ? unit(socket)?.socket?.Listen : undefined;
  if (listeners === undefined) return;
  const names = [...listeners.keys()].map((index) => listener(socket, index));
  const lost = names.filter((name) => !host.sockets.stored(name));
  if (lost.length > 0) {
    host.log.log('error', { unit: socket, lost }, 'listeners were lost, and are opened again');
    actors.input({ events: [{ to: `unit:${socket}`, event: { type: 'reopen' } }] });
  }
  if (value === 'listening') for (const name of names) if (!lost.includes(name)) host.sockets.watch(name);
};

/** A watch dies with the core that has set it. What changed since is found by what the unit saw last. */
const watchPathsAgain: Look = ({ host, unit, name }, { value, context }) => {
  const { round, looking, settings } = context as unknown as Partial<PathContext>;
  if (round === undefined || (value !== 'waiting' && looking !== true)) return;
  const loaded = unit(name);
  if (loaded?.path === undefined) return;
  watchPaths(host, loaded, { context }, round, looking === true && settings?.MakeDirectory === true);
};

const LOOKS: readonly Look[] = [makeAudible, watchGroup, awaitPidFile, listenAgain, watchPathsAgain];
