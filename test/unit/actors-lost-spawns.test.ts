import { describe, expect, test } from 'vitest';
import { notSpawned } from '../../src/actors/inputs.ts';
import { LostSpawns } from '../../src/actors/lost-spawns.ts';
import { Spawns } from '../../src/actors/spawns.ts';
import type { Report } from '../../src/host/ports.ts';
import type { ActorEvent, Post } from '../../src/supervisor/index.ts';

const id = { epoch: 1, seq: 9, index: 0 };
const asked = { run: 3, serial: null, pid: null };
const child = { id, tag: 'a.service|main|3', serial: 5, pid: 77, startTime: 1, execed: false };
const forked: Report = { forked: { id, tag: 'a.service|main|3', serial: 5, pid: 77, startTime: 1 } };
const other: Report = { exited: { tag: 'b.service|main|1', serial: 4, pid: 70, ended: { exited: 0 } } };

interface Found {
  readonly context?: unknown;
  readonly children?: readonly unknown[];
  readonly queued?: readonly ActorEvent[];
  readonly again?: boolean;
  readonly records?: readonly Report[];
}

/** What the unit is told, after which of the records; `never`: nothing. */
function told({ context = { main: asked }, children = [], queued = [], again, records = [] }: Found) {
  const inputs: (readonly Post[])[] = [];
  const actors = {
    read: () => ({ context }),
    onTheirWay: () => queued,
    input: ({ events }: { events: readonly Post[] }) => void inputs.push(events),
  };
  const hello = { children, records: records.length };
  const failed = (what: Parameters<typeof notSpawned>[0]) => notSpawned(what, 0, 'lost');
  const lost = new LostSpawns({ hello } as never, actors as never, [{ name: 'a.service' }], failed);
  const spawns = new Spawns();
  if (again === true) spawns.asked(id, { unit: 'a.service', role: 'main', run: 3 });
  lost.started(spawns);
  let after = inputs.length > 0 ? 0 : -1;
  for (const [at, what] of records.entries()) {
    lost.heard({ number: at + 1, atUs: 0, what });
    if (after < 0 && inputs.length > 0) after = at + 1;
  }
  return inputs.length === 0 ? 'never' : { after, posts: inputs.flat() };
}

const failure = { type: 'spawn-failed', role: 'main', run: 3, serial: null, why: 'cannot start a process: lost' };

describe('a process that was asked for before core died', () => {
  test('and that init knows nothing of has failed, once init has told all it knows', () => {
    const posts = [{ to: 'unit:a.service', event: expect.objectContaining(failure) }];
    expect(told({})).toEqual({ after: 0, posts });
    expect(told({ records: [other, other] })).toEqual({ after: 2, posts });
  });

  test('has failed for a control process too, that of a socket with them', () => {
    const socket = { control: { run: 4, serial: null } };
    const event = expect.objectContaining({ type: 'spawn-failed', role: 'control', run: 4 });
    expect(told({ context: socket })).toEqual({ after: 0, posts: [{ to: 'unit:a.service', event }] });
  });

  test.each<[string, Found]>([
    ['it lives', { children: [child] }],
    ['a record tells of it', { records: [forked, other] }],
    ['the answer waits in the queue', { queued: [{ type: 'forked', role: 'main', run: 3 }] }],
    ['it is asked for again', { again: true }],
    ['it was forked long ago', { context: { main: { ...asked, serial: 5, pid: 77 } } }],
    ['it is no child of init', { context: { main: { ...asked, pid: 77 } } }],
    ['there is none', { context: { main: null, control: null } }],
  ])('is not given up where %s', (_where, found) => {
    expect(told(found)).toBe('never');
  });
});
