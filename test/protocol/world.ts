/**
 * What a case of the protocol suite may do: have a core that carries out what it is told, and move the world around it.
 *
 * A case is written once and run on each {@link Backend}: the simulated machine, and the real host on the real init. Calls
 * of ports go to the present core; what it hears is in its `events`, in order. No core here acknowledges, peeks or goes
 * on by itself: whatever happens was asked for by the case, or is a promise of the protocol.
 */
import type { EffectId, ExecSpec, Hello, Host, HostEvent, InitRecord, Report } from '../../src/host/ports.ts';
import type { Program } from '../../src/host/sim/programs.ts';

type Remote<Port> = {
  readonly [Key in keyof Port]: Port[Key] extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Promise<Answer>
    : never;
};

const PORTS = [
  'process',
  'init',
  'sockets',
  'groups',
  'files',
  'clock',
  'state',
  'notes',
  'loaded',
  'paths',
  'api',
] as const;
type PortName = (typeof PORTS)[number];

/** One life of core. Calls of its ports reject with what the port throws: an error with `code`. */
export type Core = { readonly [Name in PortName]: Remote<Host[Name]> } & {
  readonly hello: Hello;
  readonly events: readonly HostEvent[];
};

/** How a back end carries a call to its core. */
export type Carry = (port: PortName, method: string, args: readonly unknown[]) => Promise<unknown>;

/** The handle of a core for the cases. */
export function coreOf(hello: Hello, events: readonly HostEvent[], carry: Carry): Core {
  const remote = (port: PortName) =>
    new Proxy(
      {},
      {
        get:
          (_, method) =>
          (...args: unknown[]) =>
            carry(port, String(method), args),
      },
    );
  const ports = Object.fromEntries(PORTS.map((port) => [port, remote(port)]));
  return { ...ports, hello, events } as unknown as Core;
}

/** A process that init has nothing to do with. */
export interface Stranger {
  readonly pid: number;
  end(): void;
}

export interface Client {
  readonly received: readonly string[];
  readonly closed: boolean;
  send(message: string): void;
  leave(): void;
}

export interface World {
  /** Absolute path of a directory for this case alone. */
  readonly directory: string;
  /** The present one. */
  readonly core: Core;
  /** Core is killed; resolves with the next one. */
  kill(): Promise<Core>;
  /** Init faults in the midst of whatever it does (SIGSEGV), and goes on from its notes: nobody is told, and nobody notices. */
  fault(): Promise<void>;
  /** Wait for a condition: bounded. */
  until<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T>;
  /** Somebody sends a datagram to a unix socket, with this many descriptors. */
  say(path: string, text: string, fds?: number): void;
  /** Somebody connects to a unix socket, and keeps the connection. */
  connect(path: string): void;
  stranger(): Stranger;
  /** A client of the API socket. */
  client(): Promise<Client>;
  /** The next case begins with nobody running, nothing kept and nothing heard. Undefined: it needs a world of its own. */
  readonly rest: (() => Promise<void>) | undefined;
  end(): Promise<void>;
}

export interface Backend {
  readonly name: string;
  /** Why it cannot be had here; undefined: it can. */
  readonly missing: string | undefined;
  open(): Promise<World>;
}

/** Epoch of what a host stores for itself, which is no case's business. */
const OWN_EPOCH = 0;

/** What every new core does before it starts: it peeks at the notify sockets that were kept, named `notify:…`, as the real one does. */
export function takeOver(host: Host): void {
  for (const name of host.hello.fds.filter((one) => one.startsWith('notify:'))) {
    host.sockets.notify({ epoch: OWN_EPOCH, seq: 0, index: 0 }, name, '');
  }
}

/** What a program of the suite does: once for the simulated machine, once as a script. */
interface Twin {
  readonly sim: (directory: string) => Program;
  readonly script: string;
}

const sh = (text: string) => `#!/bin/sh\n${text}\n`;
const perl = (text: string) =>
  `#!/usr/bin/perl\nuse strict;\nuse IO::Socket::UNIX;\nsub say_to_manager {\n  my $to = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET}) or die $!;\n  $to->send($_[0]) or die $!;\n}\n${text}\n`;

export const PROGRAMS = {
  /** Exits with 7 at once. */
  seven: { sim: () => ({ run: [{ exit: 7 }] }), script: sh('exit 7') },
  /** Runs until it is killed. */
  sleeper: { sim: () => ({}), script: sh('exec sleep 1000') },
  /** Says that it is there by the file `polite.up`, and exits with 3 on SIGTERM. */
  polite: {
    sim: (directory) => ({
      run: [{ write: { path: `${directory}/polite.up`, text: '1\n' } }],
      on: { 15: [{ exit: 3 }] },
    }),
    script: sh('trap "exit 3" TERM\necho 1 > "$(dirname "$0")/polite.up"\nwhile :; do sleep 0.02; done'),
  },
  /** Exits with 7 as soon as something is at `enough.sock`; on the simulated host it is never executed. */
  doubter: { sim: () => ({}), script: sh(`until [ -e "$(dirname "$0")/enough.sock" ]; do sleep 0.02; done\nexit 7`) },
  /** Leaves a sleeper behind, whose pid is in `parent.pid`, and exits. */
  parent: {
    sim: (directory) => ({ run: [{ fork: `${directory}/sleeper`, pidFile: `${directory}/parent.pid` }, { exit: 0 }] }),
    script: sh('here=$(dirname "$0")\n"$here/sleeper" & echo $! > "$here/parent.pid"\nexit 0'),
  },
  /** Leaves two sleepers behind, and exits. */
  parents: {
    sim: (directory) => ({
      run: [{ fork: `${directory}/sleeper` }, { fork: `${directory}/sleeper` }, { exit: 0 }],
    }),
    script: sh('here=$(dirname "$0")\n"$here/sleeper" & "$here/sleeper" &\nexit 0'),
  },
  /** Leaves a `middle` behind, whose pid is in `grandparent.pid`, and exits once that is ready. */
  grandparent: {
    sim: (directory) => ({
      run: [{ fork: `${directory}/middle`, pidFile: `${directory}/grandparent.pid` }, { exit: 0 }],
    }),
    script: sh(
      'here=$(dirname "$0")\n"$here/middle" & echo $! > "$here/grandparent.pid"\nuntil [ -e "$here/middle.up" ]; do sleep 0.02; done\nexit 0',
    ),
  },
  /** On SIGUSR1 it leaves a sleeper behind, whose pid is in `middle.pid`, and exits with 0; on SIGUSR2 the same, with 4. */
  middle: {
    sim: (directory) => {
      const leave = { fork: `${directory}/sleeper`, pidFile: `${directory}/middle.pid` };
      return { on: { 10: [leave, { exit: 0 }], 12: [leave, { exit: 4 }] } };
    },
    script: sh(
      'here=$(dirname "$0")\nleave() { "$here/sleeper" & echo $! > "$here/middle.pid"; exit $1; }\ntrap "leave 0" USR1\ntrap "leave 4" USR2\necho 1 > "$here/middle.up"\nwhile :; do sleep 0.02; done',
    ),
  },
  /** Says READY=1 and exits. */
  speaker: {
    sim: () => ({ run: [{ notify: 'READY=1' }, { exit: 0 }] }),
    script: perl("say_to_manager('READY=1');"),
  },
} satisfies Readonly<Record<string, Twin>>;

export type ProgramName = keyof typeof PROGRAMS;

/** The spec that starts one of {@link PROGRAMS}. `group`: its control group, where there are any. */
export function specOf(
  world: World,
  name: ProgramName | 'missing',
  more: { group?: string; notify?: string } = {},
): ExecSpec {
  const path = `${world.directory}/${name}`;
  const { cgroupRoot } = world.core.hello;
  return {
    version: 1,
    unit: name,
    path,
    argv: [path],
    environment: ['PATH=/usr/bin:/bin', ...(more.notify === undefined ? [] : [`NOTIFY_SOCKET=${more.notify}`])],
    ...(more.group === undefined || cgroupRoot === '' ? {} : { cgroups: [`${cgroupRoot}/${more.group}`] }),
  };
}

let effects = 0;

/** An id that was not used before. */
export function newId(): EffectId {
  effects += 1;
  return { epoch: 1, seq: effects, index: 0 };
}

const bodyOf = (what: Report) => Object.values(what)[0] as { id?: EffectId; tag?: string };

/** Init's records so far, without those of the host itself. */
export const recordsOf = (core: Core): readonly InitRecord[] =>
  core.events
    .flatMap((event) => (event.type === 'record' ? [event.record] : []))
    .filter(({ what }) => bodyOf(what).id?.epoch !== OWN_EPOCH);

const same = (a: EffectId | undefined, b: EffectId) =>
  a !== undefined && a.epoch === b.epoch && a.seq === b.seq && a.index === b.index;

/** What was reported about an effect, or about what has this tag. */
export const reportsOf = (core: Core, about: EffectId | string): readonly Report[] =>
  recordsOf(core)
    .map(({ what }) => what)
    .filter((what) => (typeof about === 'string' ? bodyOf(what).tag === about : same(bodyOf(what).id, about)));

/** Their names, in order. */
export const wordsOf = (reports: readonly Report[]): readonly string[] =>
  reports.map((what) => Object.keys(what)[0] as string);

/** Wait for the n-th report of this name about an effect or a tag. */
export async function report<Name extends string>(world: World, about: EffectId | string, name: Name, nth = 1) {
  type Body = Extract<Report, Record<Name, unknown>>[Name & keyof Extract<Report, Record<Name, unknown>>];
  const found = await world.until(
    `report ${nth} ${name} about ${JSON.stringify(about)}`,
    () => reportsOf(world.core, about).filter((what) => name in what)[nth - 1],
  );
  return (found as unknown as Record<string, Body>)[name] as Body;
}

/** Everything asked for so far has been answered: init takes frames in order, and this is one more, with an answer. */
export async function settled(world: World): Promise<void> {
  const id = newId();
  await world.core.process.kill(id, { process: { child: 1_000_000_000 } }, 15);
  await report(world, id, 'gone');
}

/** All records so far are committed. */
export async function ackAll(world: World): Promise<void> {
  await world.core.process.ack(
    Math.max(...world.core.events.flatMap((event) => (event.type === 'record' ? [event.record.number] : []))),
  );
  await settled(world);
}
