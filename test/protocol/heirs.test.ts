/** Whom a process leaves behind: told right before its end, and how they end is kept while nobody listens. */
import { expect } from 'vitest';
import { type Ended, LEAVES, type Left } from '../../src/host/ports.ts';
import { suite } from './suite.ts';
import { ackAll, newId, recordsOf, report, reportsOf, settled, specOf, type World, wordsOf } from './world.ts';

const SIGKILL = 9;
const SIGUSR1 = 10;
const SIGUSR2 = 12;

let groups = 0;

/** Start a program that leaves others behind in a group of its own, and wait for its end. */
async function ended(world: World, name: 'parent' | 'parents' | 'grandparent', tag = `${name}${LEAVES}`) {
  groups += 1;
  await world.core.process.spawn(newId(), tag, specOf(world, name, { group: `leaving${groups}.group` }), []);
  await report(world, tag, 'exited');
  return tag;
}

const pidIn = async (world: World, file: string) =>
  Number(await world.until(`a pid in ${file}`, () => world.core.files.readText(`${world.directory}/${file}`)));

const startOf = async (world: World, pid: number) =>
  (await world.until(`process ${pid}`, () => world.core.process.inspect(pid))).startTime;

/** Signal a process that init did not spawn, and wait until it is gone. */
async function end(world: World, pid: number, startTime: number, signal = SIGKILL): Promise<void> {
  await world.core.process.kill(newId(), { process: { watched: [pid, startTime] } }, signal);
  await world.until(`the end of ${pid}`, async () => (await world.core.process.inspect(pid)) === undefined);
}

/** How a process has ended, as init says it to who asks now. */
async function endOf(world: World, pid: number, startTime: number): Promise<Ended | null> {
  const id = newId();
  await world.core.process.watch(id, 'asked', pid, startTime);
  return (await report(world, id, 'watched-exited')).ended;
}

const hasGroups = (world: World) => world.core.hello.cgroupRoot !== '';

/** The last word about whom a process has left; undefined: none. */
const leftOf = (world: World, tag: string): Left | undefined =>
  reportsOf(world.core, tag)
    .flatMap((what) => ('left' in what ? [what.left] : []))
    .at(-1);

suite('an heir', [
  [
    'is told right before the end of the one who has left it, where there are control groups',
    async (world) => {
      const tag = await ended(world, 'parent');
      const { pid: parent } = await report(world, tag, 'exited');
      const pid = await pidIn(world, 'parent.pid');
      const startTime = await startOf(world, pid);
      const last = recordsOf(world.core)
        .map(({ what }) => what)
        .slice(-2);
      const left = { tag, pid: parent, line: true, heirs: [{ pid, startTime, ended: null }] };
      if (hasGroups(world)) expect(last[0]).toEqual({ left });
      else expect(leftOf(world, tag)).toBeUndefined();
      expect(last[1]).toHaveProperty('exited');
      await end(world, pid, startTime);
    },
  ],
  [
    'is not told of whom nobody has asked about',
    async (world) => {
      const tag = await ended(world, 'parent', 'parent');
      expect(wordsOf(reportsOf(world.core, tag))).toEqual(['forked', 'execed', 'exited']);
      const pid = await pidIn(world, 'parent.pid');
      await end(world, pid, await startOf(world, pid));
    },
  ],
  [
    'that is one of several is told with the others, none of whom stands for all',
    async (world) => {
      const tag = await ended(world, 'parents');
      const left = leftOf(world, tag);
      expect(left?.line).toBe(hasGroups(world) ? false : undefined);
      expect(left?.heirs.length).toBe(hasGroups(world) ? 2 : undefined);
      for (const { pid, startTime } of left?.heirs ?? []) await end(world, pid, startTime);
    },
  ],
  [
    'whose end no core has heard of is told to the next one with it, under the same number, and to who asks, also later',
    async (world) => {
      const tag = await ended(world, 'parent');
      const pid = await pidIn(world, 'parent.pid');
      const startTime = await startOf(world, pid);
      const number = () => recordsOf(world.core).find(({ what }) => 'left' in what && what.left.tag === tag)?.number;
      const before = number();
      await end(world, pid, startTime);
      expect(leftOf(world, tag)?.heirs[0]?.ended).toBe(hasGroups(world) ? null : undefined);
      await world.kill();
      await report(world, tag, 'exited');
      expect(leftOf(world, tag)?.heirs).toEqual(
        hasGroups(world) ? [{ pid, startTime, ended: { killed: SIGKILL } }] : undefined,
      );
      expect(number()).toBe(before);
      expect(await endOf(world, pid, startTime)).toEqual({ killed: SIGKILL });
      await ackAll(world);
      expect(await endOf(world, pid, startTime)).toEqual({ killed: SIGKILL });
    },
  ],
]);

/** A line of two: the middle one has ended as the signal says, and has left a sleeper. */
async function line(world: World, signal: number) {
  const tag = await ended(world, 'grandparent');
  const middle = await pidIn(world, 'grandparent.pid');
  const middleStart = await startOf(world, middle);
  await end(world, middle, middleStart, signal);
  const last = await pidIn(world, 'middle.pid');
  return { tag, middle, middleStart, last, lastStart: await startOf(world, last) };
}

suite('the heir of an heir', [
  [
    'continues the line of one that has ended with status 0, whose end is then that of the last one',
    async (world) => {
      const { tag, middle, middleStart, last, lastStart } = await line(world, SIGUSR1);
      await end(world, last, lastStart);
      expect(await endOf(world, middle, middleStart)).toEqual(hasGroups(world) ? { killed: SIGKILL } : { exited: 0 });
      await world.kill();
      await report(world, tag, 'exited');
      const heirs = [
        { pid: middle, startTime: middleStart, ended: { exited: 0 } },
        { pid: last, startTime: lastStart, ended: { killed: SIGKILL } },
      ];
      const left = leftOf(world, tag);
      expect([left?.line, left?.heirs]).toEqual(hasGroups(world) ? [true, heirs] : [undefined, undefined]);
      await ackAll(world);
      expect(await endOf(world, middle, middleStart)).toEqual(hasGroups(world) ? { killed: SIGKILL } : { exited: 0 });
    },
    'alone',
  ],
  [
    'is none where the one before it has failed',
    async (world) => {
      const { tag, middle, middleStart, last, lastStart } = await line(world, SIGUSR2);
      await world.kill();
      await report(world, tag, 'exited');
      expect(leftOf(world, tag)?.heirs).toEqual(
        hasGroups(world) ? [{ pid: middle, startTime: middleStart, ended: { exited: 4 } }] : undefined,
      );
      expect(await endOf(world, middle, middleStart)).toEqual({ exited: 4 });
      await end(world, last, lastStart);
    },
    'alone',
  ],
]);

/** What is kept of heirs outlives init's own program. */
const keptOver = (happens: (world: World) => Promise<void>) => async (world: World) => {
  const tag = await ended(world, 'grandparent');
  const middle = await pidIn(world, 'grandparent.pid');
  const middleStart = await startOf(world, middle);
  await happens(world);
  await end(world, middle, middleStart, SIGUSR1);
  const last = await pidIn(world, 'middle.pid');
  const lastStart = await startOf(world, last);
  await happens(world);
  await settled(world);
  await end(world, last, lastStart);
  await happens(world);
  await world.kill();
  await report(world, tag, 'exited');
  expect(leftOf(world, tag)?.heirs.map((heir) => heir.ended)).toEqual(
    hasGroups(world) ? [{ exited: 0 }, { killed: SIGKILL }] : undefined,
  );
};

suite('what is known of heirs', [
  ['goes on over faults of init', keptOver((world) => world.fault()), 'alone'],
  [
    'goes on in another init',
    keptOver(async (world) => {
      const done = () =>
        world.core.events.filter((event) => event.type === 'record' && 'done' in event.record.what).length;
      const before = done();
      await world.core.init.reexecInit('');
      await world.until('another init', () => done() > before);
    }),
    'alone',
  ],
]);
