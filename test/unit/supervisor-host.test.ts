import { expect, test } from 'vitest';
import type { ActorEvent, Effect, Json } from '../../src/supervisor/index.ts';
import { EventQueue } from '../../src/supervisor/queue.ts';
import { bench, child, type Puppet, puppetLogic, supervisor } from './supervisor-fixture.ts';

const root = supervisor('core', [child('a'), child('b')]);
const act = (params: Json): Effect => ({ type: 'act', params });
const arm = (name: string, ms: number | 'infinity'): Effect => ({ type: 'armDeadline', params: { name, ms } });
const post = (to: string, event: ActorEvent): Effect => ({ type: 'post', params: { to, event } as Json });

test('effects are carried out after the commit, in the order in which they were asked for', () => {
  const { sim, send, done, core } = bench(root, {}, {}, () => sim.callNames.length);
  const before = sim.state.records.length;
  send('a', { type: 'go', effects: [act(1), act(2)] });
  expect(done).toEqual(['a act 1', 'a act 2']);
  expect(sim.state.records.length).toBe(before + 1);
  expect(core().read('a')).toEqual({ heard: ['go'] });
});

test('an effect id is (epoch, event number, index), however events are grouped into turns', () => {
  const ids = [1, 512].map((turnEvents) => {
    const seen: string[] = [];
    const { send } = bench(root, { turnEvents }, {}, () => {}, {
      effects: {
        act: { kind: 'once', run: ({ id, actor }) => void seen.push(`${actor} ${id.epoch}.${id.seq}.${id.index}`) },
      },
    });
    send('a', { type: 'go', effects: [post('b', { type: 'x', effects: [act(3)] }), act(1), act(2)] });
    return seen;
  });
  expect(ids[0]).toHaveLength(3);
  expect(ids[0]).toEqual(ids[1]);
});

test('events are processed in the order of posting, and no actor is entered twice at once', () => {
  const { send, heard } = bench(root);
  send('a', {
    type: 'go',
    effects: [
      post('b', { type: '1' }),
      post('b', { type: '2', effects: [post('b', { type: '4' })] }),
      post('b', { type: '3' }),
    ],
  });
  expect(heard('b')).toEqual(['1', '2', '3', '4']);
});

test('an answer overtakes what is queued, and is committed before the rest of it is handled', () => {
  const heardThen: unknown[] = [];
  const { send, sim, heard, core } = bench(root, {}, {}, () => {}, {
    effects: {
      ask: {
        kind: 'idempotent',
        run(call) {
          call.post('b', { type: '1' });
          call.answer('b', { type: 'answer', effects: [{ type: 'told' }] });
          call.post('b', { type: '2' });
        },
      },
      told: { kind: 'idempotent', run: () => void heardThen.push(core().read('b'), sim.state.records.length) },
    },
  });
  const before = sim.state.records.length;
  send('a', { type: 'go', effects: [post('b', { type: '0' }), { type: 'ask' }] });
  expect(heardThen).toEqual([{ heard: ['0', 'answer'] }, before + 2]);
  expect(heard('b')).toEqual(['0', 'answer', '1', '2']);
});

test('what has not overtaken by the next commit goes to the place at which it was posted', () => {
  const queue = new EventQueue();
  const push = (to: string) => queue.push({ post: { to, event: { type: 'x' } }, durable: false });
  const overtake = (to: string) => queue.overtake({ to, event: { type: 'answer' } });
  push('before');
  queue.settle();
  push('between');
  overtake('answer');
  overtake('another');
  push('job-over');
  expect(queue.length).toBe(5);
  expect(queue.settle().added.map((text) => JSON.parse(text).to)).toEqual(['between', 'answer', 'another', 'job-over']);
  expect(queue.overtaking).toBe(0);
  const taken = Array.from({ length: 5 }, () => queue.take());
  expect(taken.map((entry) => entry !== undefined && 'post' in entry && entry.post.to)).toEqual([
    ...['before', 'between', 'answer', 'another', 'job-over'],
  ]);
  // Inputs are taken from their sources by the count of what was pushed.
  expect([queue.pushed, queue.handled]).toEqual([3, 3]);
  expect(queue.settle()).toEqual({ taken: 5, added: [] });
});

test('a turn takes no more events than its bound, and the rest is committed with it', () => {
  const { send, sim, core } = bench(root, { turnEvents: 2 });
  const many = ['1', '2', '3', '4', '5'].map((type) => post('b', { type }));
  const before = sim.state.records.length;
  send('a', { type: 'go', effects: many });
  expect(core().queued).toBe(0);
  expect(sim.state.records.length).toBe(before + 3);
  expect(sim.state.records[before]).toContain('"q",0,');
});

test('a turn that takes long beats on its way, and another one at its end only', () => {
  let lateMs = 0;
  const beats: string[] = [];
  const { send, host } = bench(root, { beatEveryMs: 1_000 }, {}, (_, params) => {
    lateMs += params as number;
    beats.push(`${params} ms`);
  });
  const { clock, init } = host();
  const nowMs = clock.nowMs.bind(clock);
  clock.nowMs = () => nowMs() + lateMs;
  init.beat = (now) => void beats.push(now === true ? 'at once' : 'at the end');
  const firstTurn = () => beats.slice(0, beats.indexOf('at the end') + 1);
  send('a', { type: 'go', effects: [act(1_500), act(300), act(800), act(0)] });
  expect(firstTurn()).toEqual(['1500 ms', 'at once', '300 ms', '800 ms', 'at once', '0 ms', 'at the end']);
  beats.length = 0;
  send('a', { type: 'go', effects: [act(200)] });
  expect(firstTurn()).toEqual(['200 ms', 'at the end']);
});

test('a turn that has taken long takes no more events: what it has done is committed, and the rest follows', () => {
  const { send, host, core, sim, heard } = bench(root, {}, {}, undefined, {
    logic: {
      ...puppetLogic,
      step(snapshot: Puppet, event: ActorEvent) {
        if (event.type === 'slow') lateMs += 30;
        return puppetLogic.step(snapshot, event);
      },
    },
  });
  let lateMs = 0;
  const { clock } = host();
  const nowMs = clock.nowMs.bind(clock);
  clock.nowMs = () => nowMs() + lateMs;
  const before = sim.state.records.length;
  send('a', {
    type: 'go',
    effects: [post('b', { type: 'slow' }), post('b', { type: 'quick' }), post('b', { type: 'x' })],
  });
  expect(heard('b')).toEqual(['slow', 'quick', 'x']);
  expect(core().queued).toBe(0);
  expect(sim.state.records.length).toBe(before + 2);
});

test('what recovery has left is done a piece after each turn, one that throws included, and then no more', () => {
  const pieces: number[] = [];
  const left = () => {
    pieces.push(pieces.length);
    if (pieces.length === 2) throw new Error('this piece is bad');
    return pieces.length < 4;
  };
  const { send, heard, reports } = bench(root, { left });
  expect(pieces).toEqual([0, 1, 2, 3]);
  expect(reports.filter(({ what }) => what === 'recovery-failed').map(({ why }) => why)).toEqual(['this piece is bad']);
  send('a', { type: 'go' });
  expect(heard('a')).toEqual(['go']);
  expect(pieces).toHaveLength(4);
});

test('an input that is offered again is not processed again, but consumed again', () => {
  const { core, sim, heard } = bench(root);
  const consumed: string[] = [];
  const offer = () =>
    core().input({
      key: 'datagram 1',
      events: [{ to: 'a', event: { type: 'x' } }],
      consume: () => void consumed.push('x'),
    });
  offer();
  offer();
  expect(consumed).toEqual([]);
  sim.run(1);
  expect(consumed).toEqual(['x']);
  offer();
  sim.run(1);
  expect(heard('a')).toEqual(['x']);
  expect(consumed).toEqual(['x', 'x']);
});

test('inputs without a key are never taken for one another, and consumed after their commit', () => {
  const { core, sim, heard } = bench(root);
  let consumed = 0;
  const offer = (type: string) =>
    core().input({
      events: [{ to: 'a', event: { type } }],
      consume: () => {
        consumed += 1;
      },
    });
  offer('x');
  offer('x');
  expect(consumed).toBe(0);
  sim.run(1);
  sim.killCore();
  sim.run(10);
  offer('x');
  sim.run(1);
  expect(heard('a')).toEqual(['x', 'x', 'x']);
  expect(consumed).toBe(3);
});

test('inputs are taken in the order they came, those that an earlier core has committed among them', () => {
  const { core, sim } = bench(root);
  const taken: string[] = [];
  const offer = (key: string) =>
    core().input({ key, events: [{ to: 'a', event: { type: key } }], consume: () => void taken.push(key) });
  offer('first');
  sim.run(1);
  sim.killCore();
  sim.run(10);
  taken.length = 0;
  for (const key of ['first', 'second']) offer(key);
  sim.run(1);
  expect(taken).toEqual(['first', 'second']);
});

test('an input is not taken while one of its events waits for its turn, though it is committed', () => {
  const { core, sim, heard } = bench(root, { turnEvents: 1 });
  const taken: (readonly string[])[] = [];
  for (const key of ['x', 'y']) {
    const events = [1, 2].map((of) => ({ to: 'a', event: { type: `${key}${of}` } }));
    core().input({ key, events, consume: () => void taken.push([key, ...(heard('a') ?? [])]) });
  }
  sim.run(10);
  expect(taken).toEqual([
    ['x', 'x1', 'x2'],
    ['y', 'x1', 'x2', 'y1', 'y2'],
  ]);
});

test('while something asked of init has not left core, nothing is committed that would make it forgotten', () => {
  const one = bench(root, { compactBytes: 0 }, {}, () => one.sim.linkFull(true));
  const { sim, heard, send } = one;
  const written = () => [sim.state.image, sim.state.records.length];
  send('a', { type: 'asks', effects: [{ type: 'act', params: 'x'.repeat(10_000) }] });
  expect(one.done).toHaveLength(1);
  // It is in a record; an image would be without it.
  expect(sim.state.records.at(-1)).toContain('"act"');
  const before = written();
  one.core().input({ key: 'next', events: [{ to: 'a', event: { type: 'next' } }] });
  sim.run(10);
  expect([heard('a'), ...written()]).toEqual([['asks'], ...before]);
  sim.linkFull(false);
  sim.run(10);
  expect(heard('a')).toEqual(['asks', 'next']);
  expect(sim.state.records).toEqual([]);
});

test('init records are acknowledged only after their commit, as a low-water mark', () => {
  const { core, sim } = bench(root, { onEvent: ({ type }) => expect(type).toBe('record') });
  sim.init.signal(40);
  sim.init.signal(41);
  core().input({ key: 'record:1', events: [{ to: 'a', event: { type: 'x' } }] });
  core().input({ key: 'record:2', events: [] });
  expect(sim.init.ackedThrough).toBe(0);
  sim.run(1);
  expect(sim.init.ackedThrough).toBe(2);
  expect(core().seen('record:2')).toBe(true);
  expect(core().seen('record:3')).toBe(false);
});

test('a throw costs one step: the snapshot and the effects before it stay, its own are dropped', () => {
  const { send, heard, done, whats, reports } = bench(root);
  send('a', { type: 'one', effects: [act(1)] });
  send('a', { type: 'two', fail: 'a bug', effects: [act(2)] });
  send('a', 'three');
  expect(heard('a')).toEqual(['one', 'three']);
  expect(done).toEqual(['a act 1']);
  expect(whats().filter((what) => what.endsWith(' a'))).toEqual(['step-failed a', 'event-set-aside a']);
  expect(reports.find(({ what }) => what === 'step-failed')?.why).toBe('two: a bug');
});

test.each<[string, Effect]>([
  ['an effect that nobody carries out', { type: 'unknown', params: null }],
  ['a deadline that is no time', { type: 'armDeadline', params: { name: 'x', ms: Number.NaN } }],
  ['a deadline with the name of one of the host', arm('$shutdown', 1)],
  ['a post without an event', { type: 'post', params: { to: 'b' } }],
  [
    'a child of a kind that does not exist',
    { type: 'startChild', params: { supervisor: 'core', spec: { ...child('x'), kind: 'y' } } },
  ],
])('%s costs the step that asked for it, and the rest of its effects', (_, effect) => {
  const { send, heard, done, whats } = bench(root);
  send('a', { type: 'go', effects: [act(1), effect] });
  expect(heard('a')).toEqual([]);
  expect(done).toEqual([]);
  expect(whats()).toContain('event-set-aside a');
});

test.each<[string, ActorEvent]>([
  ['a snapshot that cannot be saved', { type: 'go', end: 1n as unknown as Json }],
  ['params of an effect that cannot be saved', { type: 'go', effects: [act({ n: 1n as unknown as Json })] }],
])('%s costs only its own step, not the commit', (_, event) => {
  const { core, sim, heard, whats } = bench(root);
  core().input({
    key: 'odd',
    events: [
      { to: 'a', event },
      { to: 'b', event: { type: 'fine' } },
    ],
  });
  sim.run(1);
  expect(heard('a')).toEqual([]);
  expect(heard('b')).toEqual(['fine']);
  expect(whats()).toContain('event-set-aside a');
  sim.killCore();
  sim.run(10);
  expect(heard('b')).toEqual(['fine']);
});

test('an actor that fails past the intensity is quarantined: visible, hears nothing, and hears it all when it is released', () => {
  const { send, heard, core, whats } = bench(supervisor('core', [child('a'), child('b')], { intensity: 3 }));
  send('a', 'good');
  for (let n = 0; n < 2; n += 1) send('a', { type: 'bad', fail: 'a bug' });
  expect(whats()).toContain('quarantined a');
  expect(whats()).toContain('root-gave-up');
  send('a', 'held');
  expect(heard('a')).toEqual(['good']);
  expect(
    core()
      .tree()
      ?.children.map(({ id, phase }) => `${id} ${phase}`),
  ).toEqual(['a quarantined', 'b running']);
  send('b', { type: 'go', effects: [{ type: 'releaseChild', params: { id: 'a' } }] });
  send('a', 'again');
  expect(heard('a')).toEqual(['good', 'held', 'again']);
});

test('failures long ago do not count', () => {
  const { send, sim, heard, whats } = bench(supervisor('core', [child('a')], { intensity: 3, periodMs: 100 }));
  for (let n = 0; n < 5; n += 1) {
    send('a', { type: 'bad', fail: 'a bug' });
    sim.run(200);
  }
  send('a', 'good');
  expect(heard('a')).toEqual(['good']);
  expect(whats()).not.toContain('quarantined a');
});

test('a supervisor that gives up fails upwards, and only the strategy of the parent decides who else is affected', () => {
  const inner = (id: string) => supervisor(id, [child(`${id}1`), child(`${id}2`)], { intensity: 1 });
  const tree = supervisor('core', [inner('p'), inner('q'), inner('r')], { strategy: 'rest_for_one' });
  const { send, heard, whats, core } = bench(tree);
  for (const id of ['p1', 'p2', 'q1', 'q2', 'r1', 'r2']) send(id, 'good');
  send('q1', { type: 'bad', fail: 'a bug' });
  expect(whats()).toContain('supervisor-gave-up q');
  expect(heard('p1')).toEqual(['good']);
  expect([heard('q1'), heard('q2'), heard('r1'), heard('r2')]).toEqual([[], [], [], []]);
  expect(core().restarts('core')).toBe(1);
  expect(
    core()
      .tree()
      ?.children.map(({ id }) => id),
  ).toEqual(['p', 'q', 'r']);
});

test('under one_for_all a lost step starts the whole group afresh, temporary children excepted', () => {
  const tree = supervisor('core', [child('a'), child('b', 'temporary'), child('c')], { strategy: 'one_for_all' });
  const { send, heard, core } = bench(tree);
  for (const id of ['a', 'b', 'c']) send(id, 'good');
  send('c', { type: 'bad', fail: 'a bug' });
  expect(
    core()
      .tree()
      ?.children.map(({ id }) => id),
  ).toEqual(['a', 'c']);
  expect([heard('a'), heard('c')]).toEqual([[], []]);
});

test("temporary children that fail are gone and use up nobody else's restarts", () => {
  const failing = Array.from({ length: 8 }, (_, n) => child(`t${n}`, 'temporary'));
  const { send, heard, core } = bench(supervisor('core', [child('a'), ...failing], { intensity: 3, periodMs: 60_000 }));
  for (const { id } of failing) send(id, { type: 'bad', fail: 'a bug' });
  expect(core().list('')).toEqual(['a']);
  expect(core().restarts('core')).toBe(0);
  // Its own are still there.
  send('a', { type: 'bad', fail: 'a bug' });
  send('a', 'good');
  expect(core().phase('a')).toBe('running');
  expect(heard('a')).toEqual(['good']);
});

test('a child that ends is removed, or started from its input, as its restart type says', () => {
  const ends: string[] = [];
  const tree = supervisor('core', [child('p'), child('t', 'transient'), child('x', 'temporary')]);
  const { send, heard, core } = bench(tree, {}, {}, () => {}, {
    down(id, _, reason, output) {
      ends.push(`${id} ${reason} ${JSON.stringify(output)}`);
      return [];
    },
  });
  for (const id of ['p', 't', 'x']) send(id, { type: 'last', end: id });
  expect(ends).toEqual(['p ended "p"', 't ended "t"', 'x ended "x"']);
  expect(core().list('')).toEqual(['p']);
  expect(heard('p')).toEqual([]);
});

test('children stop one after the other in reverse order, each with the time its spec gives', () => {
  const stopping = { shutdown: 500 } as const;
  const tree = supervisor('core', [
    child('boss'),
    supervisor('group', [child('a', 'permanent', stopping), child('b', 'permanent', stopping), child('c')]),
  ]);
  const downs: string[] = [];
  const { send, heard, core, sim, whats } = bench(tree, {}, {}, () => {}, {
    down(id, _, reason) {
      downs.push(`${id} ${reason}`);
      return [];
    },
  });
  send('boss', { type: 'go', effects: [{ type: 'stopChild', params: { id: 'group' } }] });
  expect(downs).toEqual(['c stopped']);
  expect(heard('b')).toEqual(['shutdown']);
  expect(heard('a')).toEqual([]);
  send('b', { type: 'bye', end: true });
  expect(heard('a')).toEqual(['shutdown']);
  expect(core().tree('group')?.phase).toBe('stopping');
  sim.run(600);
  expect(downs).toEqual(['c stopped', 'b ended', 'a stopped']);
  expect(whats()).toContain('shutdown-overdue a');
  expect(core().tree('group')).toBeUndefined();
});

test('ten thousand children stop without exhausting the stack, and leave nothing', () => {
  const many = Array.from({ length: 10_000 }, (_, n) => child(`m${n}`));
  const { send, core } = bench(supervisor('core', [child('boss'), supervisor('many', many)]));
  send('boss', { type: 'go', effects: [{ type: 'stopChild', params: { id: 'many' } }] });
  expect(core().list('')).toEqual(['boss']);
});

test('a child started by an actor is there in the same turn; a second one of that name is refused and reported', () => {
  const { send, heard, whats } = bench(root);
  const start: Effect = { type: 'startChild', params: { supervisor: 'core', spec: { ...child('new') } } };
  send('a', { type: 'go', effects: [start, post('new', { type: 'hello' }), start] });
  expect(heard('new')).toEqual(['hello']);
  expect(whats()).toContain('already-there new');
});

test('a child whose first step throws is quarantined, a temporary one is gone and its end is told', () => {
  const fails = { input: { fail: 'no start' } };
  const { core, whats } = bench(
    supervisor('core', [child('a', 'permanent', fails), child('b', 'temporary', fails), child('c')]),
  );
  expect(
    core()
      .tree()
      ?.children.map(({ id, phase }) => `${id} ${phase}`),
  ).toEqual(['a quarantined', 'c running']);
  expect(whats().filter((what) => what.startsWith('start-failed'))).toEqual(['start-failed a', 'start-failed b']);
});

test('a deadline counts from the stamp of the event, fires once, and is replaced by arming again', () => {
  const { send, sim, heard, core } = bench(root);
  send('a', { type: 'go', atMs: sim.nowMs - 50, effects: [arm('x', 100), arm('y', 'infinity')] });
  expect(core().deadlines('a')).toEqual({ x: sim.nowMs + 50, y: 'infinity' });
  sim.run(40);
  send('a', { type: 'again', effects: [arm('x', 100)] });
  sim.run(90);
  expect(heard('a')).toEqual(['go', 'again']);
  sim.run(100);
  expect(heard('a')).toEqual(['go', 'again', 'deadline x']);
  expect(core().deadlines('a')).toEqual({ y: 'infinity' });
});

test('an input that is ready together with a deadline is taken first, and may disarm it', () => {
  const { send, sim, heard, core } = bench(root);
  send('a', { type: 'go', effects: [arm('x', 100)] });
  sim.at(100, () =>
    core().input({
      key: 'in time',
      events: [{ to: 'a', event: { type: 'ping', effects: [{ type: 'disarmDeadline', params: { name: 'x' } }] } }],
    }),
  );
  sim.run(200);
  expect(heard('a')).toEqual(['go', 'ping']);
});

test('a late deadline waits for what was there before it, and not for a system that never stops talking', () => {
  const { sim, heard, core, host } = bench(root);
  const startMs = sim.nowMs;
  let nowMs = startMs;
  (host().clock as { nowMs(): number }).nowMs = () => nowMs;
  core().input({ key: 'go', events: [{ to: 'a', event: { type: 'go', atMs: nowMs - 100, effects: [arm('x', 50)] } }] });
  /** Turns of a system in which each finds more to do. */
  const talk = (untilMs: number) => {
    for (; nowMs < startMs + untilMs; nowMs += 10) {
      for (let n = 0; n < 40; n += 1)
        core().input({ key: `${nowMs} ${n}`, events: [{ to: 'b', event: { type: 'talk' } }] });
      core().turn(true);
    }
  };
  talk(50);
  expect(heard('a')).toEqual(['go']);
  talk(200);
  expect(heard('a')).toEqual(['go', 'deadline x']);
});

test('the deadlines of a quarantined actor fire once it is released', () => {
  const { send, sim, heard } = bench(supervisor('core', [child('a'), child('b')], { intensity: 1 }));
  send('a', { type: 'go', effects: [arm('x', 100)] });
  send('a', { type: 'bad', fail: 'a bug' });
  sim.run(200);
  expect(heard('a')).toEqual(['go']);
  send('b', { type: 'go', effects: [{ type: 'releaseChild', params: { id: 'a' } }] });
  sim.run(1);
  expect(heard('a')).toEqual(['go', 'deadline x']);
});

test('an effect that throws is reported, counted, and told to its actor', () => {
  const { send, heard, core, whats } = bench(root, {}, {}, (_, params) => {
    if (params === 'bad') throw new Error('no such file');
  });
  send('a', { type: 'go', effects: [act('bad'), act('good')] });
  expect(heard('a')).toEqual(['go', 'effect-failed']);
  expect(whats()).toContain('effect-failed a');
  expect(core().restarts('core')).toBe(1);
});

test('what a change makes others hear is part of the step', () => {
  const { send, heard } = bench(root, {}, {}, () => {}, {
    observe(actor, before, after) {
      if (actor !== 'a' || before === undefined) return [];
      if ((after as { heard: string[] }).heard.includes('poison')) throw new Error('a bad observer');
      return [{ to: 'b', event: { type: 'a changed' } }];
    },
  });
  send('a', 'x');
  send('a', 'ignored');
  send('a', 'poison');
  expect(heard('a')).toEqual(['x']);
  expect(heard('b')).toEqual(['a changed']);
});

test('an event for nobody leaves a report', () => {
  const { send, reports } = bench(root);
  send('nobody', 'hello');
  expect(reports.at(-1)).toMatchObject({ level: 'info', what: 'no-such-actor', actor: 'nobody', why: 'hello' });
});

test('a commit that does not fit is replaced by an image', () => {
  const { send, sim, whats, core } = bench(root);
  sim.state.failing = { append: 'ENOSPC' };
  send('a', 'x');
  expect(whats()).toContain('commit-failed');
  expect(core().checkpointVoid).toBe(false);
  expect(sim.state.image).toContain('"x"');
});

test('a checkpoint that cannot be written is void at once, core goes on, and writes a new image when it can', () => {
  const { send, sim, whats, core, heard, done } = bench(root);
  sim.state.failing = { append: 'EIO', replace: 'EIO' };
  send('a', { type: 'x', effects: [act(1)] });
  expect(sim.state.isVoid).toBe(true);
  expect(core().checkpointVoid).toBe(true);
  expect(done).toEqual(['a act 1']);
  send('a', 'y');
  sim.run(5_000);
  expect(whats().filter((what) => what === 'checkpoint-void')).toHaveLength(1);
  sim.state.failing = {};
  sim.run(60_000);
  expect(whats()).toContain('checkpoint-restored');
  sim.killCore();
  sim.run(10);
  expect(heard('a')).toEqual(['x', 'y']);
  expect(core().epoch).toBe(1);
});

test('an image is made over many turns, and what comes meanwhile stands behind it', () => {
  const { core, sim, heard } = bench(root, { compactBytes: 2_000, foldOperations: 1, turnEvents: 1 });
  const behind: number[] = [];
  const finish = sim.state.finish.bind(sim.state);
  sim.state.finish = () => {
    finish();
    behind.push(sim.state.records.length);
  };
  const events = Array.from({ length: 300 }, (_, n) => ({
    to: 'a',
    event: { type: `n${n}`, effects: [arm(`x${n % 10}`, 1_000_000 + n)] },
  }));
  core().input({ key: 'many', events });
  sim.run(10);
  expect(behind.length).toBeGreaterThan(1);
  expect(Math.max(...behind)).toBeGreaterThan(5);
  const before = heard('a');
  const due = core().deadlines('a');
  sim.killCore();
  sim.run(10);
  expect(heard('a')).toEqual(before);
  expect(core().deadlines('a')).toEqual(due);
});

test('the journal is folded into an image when it has grown', () => {
  const { send, sim, heard } = bench(root, { compactBytes: 2_000 });
  for (let n = 0; n < 200; n += 1) send('a', { type: 'ignored', effects: [arm('x', 1_000_000 + n)] });
  expect(sim.state.records.length).toBeLessThan(100);
  send('a', 'last');
  sim.killCore();
  sim.run(10);
  expect(heard('a')?.[0]).toBe('last');
});

test('what was written is folded into an image once nothing has been written for a while', () => {
  const { sim, send, heard } = bench(supervisor('core', [child('a')]));
  const { image } = sim.state;
  for (let n = 0; n < 40; n += 1) send('a', `${n}${'x'.repeat(500)}`);
  expect(sim.state.appendedBytes).toBeGreaterThan(150_000);
  expect(sim.state.image).toBe(image);
  sim.run(1_000);
  expect(sim.state.image).not.toBe(image);
  expect(sim.state.records).toEqual([]);
  const before = heard('a');
  sim.killCore();
  sim.run(10);
  expect(heard('a')).toEqual(before);
});
