/** The simulated machine: virtual time goes on only while a case waits. */
import type { Host, HostEvent } from '../../src/host/ports.ts';
import { createSim, SIGNAL } from '../../src/host/sim/index.ts';
import { type Backend, type Core, coreOf, PROGRAMS, takeOver, type World } from './world.ts';

const DIRECTORY = '/tmp/protocol';
const LIMIT_MS = 20_000;
/** A parent that is not init. */
const SOMEBODY = 2;

async function openWorld(groups: boolean): Promise<World> {
  const programs = Object.fromEntries(
    Object.entries(PROGRAMS).map(([name, { sim }]) => [`${DIRECTORY}/${name}`, sim(DIRECTORY)]),
  );
  const sim = createSim({ programs, groups, hello: { role: 'subreaper' } });
  const lives: Core[] = [];
  const begin = (host: Host) => {
    const events: HostEvent[] = [];
    takeOver(host);
    host.start(
      (event) => events.push(event),
      () => host.init.beat(),
    );
    host.init.ready();
    lives.push(
      coreOf(host.hello, events, async (port, method, args) => {
        const target = host[port] as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
        return target[method]?.(...args);
      }),
    );
  };
  sim.boot(begin);
  const world: World = {
    directory: DIRECTORY,
    get core() {
      return lives.at(-1) as Core;
    },
    async kill() {
      const before = lives.length;
      sim.killCore();
      await world.until('the next core', () => lives.length > before);
      return world.core;
    },
    async fault() {
      // All of it is in init's notes by the time that anybody could see it, and goes on from there.
    },
    async until(what, look) {
      for (let ms = 0; ms < LIMIT_MS; ms += 1) {
        const found = await look();
        if (found !== undefined && found !== false) return found;
        sim.run(1);
      }
      throw new Error(`it did not come: ${what}; core has heard ${JSON.stringify(world.core.events)}`);
    },
    say(path, text, fds = 0) {
      const name = sim.sockets.find(path);
      if (name === undefined) throw new Error(`nobody listens at ${path}`);
      sim.notify(name, text, { pid: process.pid, fds });
    },
    connect: (path) => sim.connect(path, { pid: process.pid, uid: process.getuid?.() ?? 0 }),
    stranger() {
      const path = `${DIRECTORY}/sleeper`;
      const made = sim.processes.fork({
        path,
        argv: [path],
        environment: {},
        unit: '',
        group: '',
        ppid: SOMEBODY,
        tag: undefined,
      });
      sim.processes.exec(made);
      return { pid: made.pid, end: () => void sim.signal(made.pid, SIGNAL.KILL) };
    },
    async client() {
      const client = sim.client({ pid: process.pid, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
      return client;
    },
    rest: undefined,
    async end() {
      // Nothing outside this process is left of it.
    },
  };
  return world;
}

export const simulated: Backend = {
  name: 'the simulated machine',
  missing: undefined,
  open: () => openWorld(true),
};

export const simulatedWithoutGroups: Backend = {
  name: 'the simulated machine without control groups',
  missing: undefined,
  open: () => openWorld(false),
};
