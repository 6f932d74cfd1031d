import { expect, test } from 'vitest';
import type { BlackBox, Hello } from '../../src/host/ports.ts';
import { blackBoxName, type Effect, type Json } from '../../src/supervisor/index.ts';
import { FORMAT, Ledger } from '../../src/supervisor/ledger.ts';
import { replay, suspectsOf, verify } from '../../src/supervisor/recovery.ts';
import { bench, child, puppetLogic, supervisor } from './supervisor-fixture.ts';

const root = supervisor('core', [child('a'), child('b')]);
/** The same two, not as core's own. */
const below = supervisor('core', [supervisor('group', [child('a'), child('b')])]);
type Tree = { readonly id: string; readonly phase: string; readonly children: readonly Tree[] };
/** Actors with their phases, without supervisors. */
const phases = ({ id, phase, children }: Tree): string[] =>
  children.length === 0 ? [`${id} ${phase}`] : children.flatMap(phases);
/** Who is set aside with a deadly event or effect: core's own actors go on, since nothing else would without them. */
const SHAPES = [
  ['its actor', below, ['a quarantined', 'b running']],
  ["no actor, if it is core's own", root, ['a running', 'b running']],
] as const;
const arm = (name: string, ms: number): Effect => ({ type: 'armDeadline', params: { name, ms } });

const hello = (epoch: number) => ({ epoch }) as Hello;
const image = (more: object) => JSON.stringify({ format: FORMAT, boot: 'B', epoch: 3, ops: [], ...more });

test.each([
  ['its own boot and epoch', image({}), undefined],
  ['an epoch init has not seen yet', image({ epoch: 4 }), undefined],
  ['another boot', image({ boot: 'C' }), 'another boot'],
  ['an epoch that is over', image({ epoch: 2 }), 'init has seen'],
  ['another form', image({ format: 99 }), 'form 99'],
  ['no operations', image({ ops: 5 }), 'no operations'],
  ['no epoch', image({ epoch: 'x' }), 'no epoch'],
  ['half a JSON text', image({}).slice(0, 20), 'not JSON'],
  ['JSON that is no image', 'null', 'form undefined'],
])('an image of %s is believed or refused with the reason', (_, text, why) => {
  const answer = verify(text, hello(3), 'B');
  if (why === undefined) expect(answer).toHaveProperty('epoch');
  else expect(answer).toEqual({ unusable: expect.stringContaining(why) });
});

const death = (seq: number, phase: number, actor: string, more: Partial<BlackBox> = {}): BlackBox => ({
  atUs: 0,
  ended: { killed: 9 },
  hung: false,
  seq,
  phase,
  actor,
  ...more,
});
const segv = { ended: { killed: 11 } } as const;
const pending = [{ seq: 7, actor: 'a' }];

test.each<[string, BlackBox[], Partial<ReturnType<typeof suspectsOf>>]>([
  ['no death', [], { aloneUntil: 0, setAside: undefined }],
  ['a death while idle', [death(11, 0, '')], { aloneUntil: 0 }],
  ['one death in a step', [death(11, 1, 'a')], { aloneUntil: 11, setAside: undefined }],
  ['one death in a step that was committed since', [death(10, 1, 'a')], { aloneUntil: 0 }],
  [
    'the same step twice',
    [death(11, 1, 'a'), death(11, 1, 'a')],
    { setAside: { seq: 11, actor: 'a', how: 'signal 9' } },
  ],
  [
    'the same step twice, another death between',
    [death(11, 1, 'a'), death(3, 0, ''), death(11, 1, 'a')],
    { setAside: { seq: 11, actor: 'a', how: 'signal 9' } },
  ],
  [
    "the same step of one of core's own twice, killed from outside",
    [death(11, 1, 'jobs'), death(11, 1, 'jobs')],
    { setAside: undefined },
  ],
  [
    "the same step of one of core's own twice, once from inside",
    [death(11, 1, 'jobs'), death(11, 1, 'jobs', segv)],
    { setAside: { seq: 11, actor: 'jobs', how: 'signal 9' } },
  ],
  [
    "the same step of one of core's own three times, killed from outside",
    [death(11, 1, 'jobs'), death(11, 1, 'jobs'), death(11, 1, 'jobs')],
    { setAside: { seq: 11, actor: 'jobs', how: 'signal 9' } },
  ],
  [
    'two steps of one actor, killed from outside',
    [death(11, 1, 'a'), death(12, 1, 'a')],
    { aloneUntil: 12, setAside: undefined },
  ],
  [
    'two steps of one actor, from inside',
    [death(11, 1, 'a', segv), death(12, 1, 'a', segv)],
    { setAside: { seq: 11, actor: 'a', how: 'signal 11' } },
  ],
  [
    'two steps of one actor, hung',
    [death(11, 1, 'a', { hung: true }), death(12, 1, 'a', { hung: true })],
    { setAside: { seq: 11, actor: 'a', how: 'a hang' } },
  ],
  ['two actors', [death(11, 1, 'a', segv), death(12, 1, 'b', segv)], { setAside: undefined }],
  [
    'the same effect twice',
    [death(7, 2, 'a'), death(7, 2, 'a')],
    { badEffect: { seq: 7, actor: 'a', how: 'signal 9' }, aloneUntil: 0 },
  ],
  ['an effect that is no longer pending', [death(6, 2, 'a'), death(6, 2, 'a')], { badEffect: undefined }],
  ['a recovery step twice', [death(0, 3, 'replay', segv), death(0, 3, 'replay', segv)], { badRecovery: 'replay' }],
  [
    'a recovery step killed from outside twice',
    [death(0, 3, 'replay'), death(0, 3, 'replay')],
    { badRecovery: undefined },
  ],
  ['compaction twice', [death(9, 4, ''), death(9, 4, '')], { badCompaction: true }],
])('after %s, the right thing is suspected', (_, deaths, expected) => {
  expect(suspectsOf(deaths, 10, pending, new Set(['jobs']))).toMatchObject(expected);
});

test('a long name keeps apart what its beginning cannot', () => {
  const [one, two] = ['x', 'y'].map((end) =>
    blackBoxName(`unit:a-very-long-name-of-an-instance@with-a-parameter-${end}.service`),
  );
  expect(one).not.toBe(two);
  expect(new TextEncoder().encode(one).length).toBeLessThanOrEqual(40);
  expect(new TextEncoder().encode(blackBoxName('unit:größe-äöü.service')).length).toBeLessThanOrEqual(40);
  expect(blackBoxName('unit:web.service')).toBe('unit:web.service');
});

test('core is restored with its epoch, snapshots, deadlines and queue, and the beginning of a torn record is left out', () => {
  const { send, sim, core, heard, whats } = bench(root);
  send('a', { type: 'go', effects: [arm('x', 60_000)] });
  const due = core().deadlines('a');
  sim.state.tear('state.append', ['[["i",99]]'], undefined);
  sim.killCore();
  sim.run(10);
  expect(whats()).toContain('checkpoint-note');
  expect(heard('a')).toEqual(['go']);
  expect(core().deadlines('a')).toEqual(due);
  expect(core().epoch).toBe(1);
});

test.each([
  ['in safe mode', (sim: ReturnType<typeof bench>['sim']) => sim.safeMode(true), 'safe mode'],
  ['from a void checkpoint', (sim: ReturnType<typeof bench>['sim']) => sim.state.makeVoid(), 'void'],
  [
    'from records that make no sense',
    (sim: ReturnType<typeof bench>['sim']) => void sim.state.records.push('[["?"]]'),
    'record 2 of 2',
  ],
])('%s core begins a new epoch, with no state', (_, spoil, why) => {
  const { send, sim, core, heard, reports } = bench(root, { compactBytes: 1e9 });
  sim.state.records.length = 0;
  send('a', { type: 'go', effects: [] });
  sim.init.epoch = 1; // an effect of the old epoch has been seen
  spoil(sim);
  sim.killCore();
  sim.run(10);
  expect(core().epoch).toBe(2);
  expect(heard('a')).toEqual([]);
  expect(reports.find(({ what, why: because }) => what === 'state-fresh' && because.includes(why))).toBeDefined();
  sim.safeMode(false);
  send('a', 'after');
  sim.killCore();
  sim.run(10);
  expect(heard('a')).toEqual(['after']);
});

test('what the layer above reconciles is part of the first commit, and it is told how core came up', () => {
  const modes: string[] = [];
  const { sim, heard } = bench(root, {
    reconcile({ mode, readBegun }) {
      modes.push(`${mode} ${JSON.stringify(readBegun('a'))}`);
      return [{ to: 'a', event: { type: mode } }];
    },
  });
  sim.killCore();
  sim.run(10);
  expect(modes).toEqual(['fresh {"heard":[]}', 'restored {"heard":["fresh"]}']);
  expect(heard('a')).toEqual(['fresh', 'restored']);
});

test('an actor that cannot be loaded is set aside alone, and its saved form is kept', () => {
  const { send, sim, core, whats, heard } = bench(root);
  send('b', 'good');
  sim.state.records.push('[["a","a","puppet",1,{"wrong":true}],["i",9]]');
  sim.killCore();
  sim.run(10);
  expect(whats()).toContain('actor-set-aside a');
  expect(core().read('a')).toBeUndefined();
  expect(heard('b')).toEqual(['good']);
  send('a', 'lost');
  sim.state.failing = { append: 'EIO' };
  send('b', 'makes an image');
  expect(sim.state.image).toContain('{"wrong":true}');
});

test('an actor of a kind that is gone is set aside alone', () => {
  const { sim, whats, heard } = bench(root);
  sim.state.records.push(
    '[["n","old",{"parent":"core","spec":{"id":"old","kind":"gone"},"phase":"running"}],["a","old","gone",1,{}],["i",9]]',
  );
  sim.killCore();
  sim.run(10);
  expect(whats()).toContain('actor-set-aside old');
  expect(heard('a')).toEqual([]);
});

test('a saved form of an older version is handed to load with that version', () => {
  const versions: number[] = [];
  const logic = {
    ...puppetLogic,
    version: 2,
    load(saved: never, version: number) {
      versions.push(version);
      return puppetLogic.load(saved, version);
    },
  };
  const { sim } = bench(root, {}, {}, () => {}, { logic });
  sim.state.records.push('[["a","a","puppet",1,{"heard":["old"]}],["i",9]]');
  sim.killCore();
  sim.run(10);
  expect(versions).toEqual([1, 2]);
});

test.each([1, 2, 3, 4, 5])(
  'a deadline that fell due while core was away waits until all inputs are taken, in any batches (seed %i)',
  (seed) => {
    const { send, sim, core, heard } = bench(
      root,
      {
        onEvent(event) {
          if (event.type === 'record')
            core().input({ key: `record:${event.record.number}`, events: [{ to: 'a', event: { type: 'alive' } }] });
          else if (event.type === 'client' && 'message' in event.what) {
            const { key, posts } = JSON.parse(event.what.message);
            core().input({ key, events: posts });
          }
        },
      },
      { restartMs: 500, seed, faults: { splitBatches: true } },
    );
    send('a', { type: 'go', effects: [arm('x', 100)] });
    sim.killCore();
    for (let n = 0; n < 5; n += 1) sim.init.signal(40 + n);
    sim.run(600);
    expect(heard('a')).toEqual(['go', ...Array(5).fill('alive'), 'deadline x']);
  },
);

test.each(SHAPES)(
  'an event that kills core is set aside with %s after the second time, and never kills it a third time',
  (_, tree, left) => {
    let deadly = true;
    const { sim, core, heard, whats } = bench(
      tree,
      {
        onEvent: (event) =>
          event.type === 'record' &&
          core().input({
            key: `record:${event.record.number}`,
            events: [
              { to: 'a', event: { type: 'poison' } },
              { to: 'b', event: { type: 'fine' } },
            ],
          }),
      },
      {},
      () => {},
      {
        logic: {
          ...puppetLogic,
          step(snapshot, event) {
            if (event.type === 'poison' && deadly) sim.crash({ killed: 11 });
            return puppetLogic.step(snapshot, event);
          },
        },
        lost: (actor, { type }) => [{ to: 'b', event: { type: `${type} was lost on ${actor}` } }],
      },
    );
    sim.init.signal(40);
    sim.run(1_000);
    expect(sim.deaths).toBe(2);
    expect(whats()).toContain('event-set-aside a');
    expect(phases(core().tree() as Tree)).toEqual(left);
    expect(core().tree('a')).toMatchObject({
      failures: tree === below ? 2 : 1,
      last: { why: expect.stringContaining('poison') },
    });
    // Of an actor that is set aside with it `down` tells.
    expect(heard('b')).toEqual(tree === below ? ['fine'] : ['fine', 'poison was lost on a']);
    expect(sim.init.records()).toEqual([]);
    deadly = false;
  },
);

test('a deadly event is found even if inputs come in another order after each death', () => {
  const offered: string[] = [];
  const { sim, core, heard, whats } = bench(
    root,
    {
      onEvent(event) {
        if (event.type !== 'record' || !('signal' in event.record.what)) return;
        offered.push(`signal ${event.record.what.signal.signal}`);
        if (offered.length < 5) return;
        const lives = sim.deaths;
        const turned = [...offered.slice(lives), ...offered.slice(0, lives)];
        offered.length = 0;
        for (const type of turned)
          core().input({ key: type, events: [{ to: type === 'signal 43' ? 'b' : 'a', event: { type } }] });
      },
    },
    {},
    () => {},
    {
      logic: {
        ...puppetLogic,
        step(snapshot, event) {
          if (event.type === 'signal 43') sim.crash({ killed: 11 });
          return puppetLogic.step(snapshot, event);
        },
      },
    },
  );
  for (let n = 40; n < 45; n += 1) sim.init.signal(n);
  sim.run(1_000);
  expect(sim.deaths).toBe(2);
  expect(whats()).toContain('event-set-aside b');
  expect(heard('a')?.toSorted()).toEqual(['signal 40', 'signal 41', 'signal 42', 'signal 44']);
});

test('suspicion ends although inputs never do', () => {
  /** Events that each bring about the next two, as a busy system does. */
  const EVENTS = 1500;
  let made = 0;
  let struck = false;
  let turns = 0;
  const { sim, core, heard, host } = bench(
    root,
    {
      onEvent: (event) =>
        event.type === 'record' &&
        core().input({ key: `record:${event.record.number}`, events: [{ to: 'a', event: { type: 'busy' } }] }),
    },
    {},
    () => {},
    {
      logic: {
        ...puppetLogic,
        step(snapshot, event) {
          if (event.type !== 'busy') return puppetLogic.step(snapshot, event);
          if (!struck) {
            struck = true;
            sim.crash({ killed: 9 });
          }
          if (made === 0) {
            const { init } = host();
            const beat = init.beat.bind(init);
            init.beat = () => {
              turns += 1;
              beat();
            };
          }
          for (let more = 0; more < 2 && made < EVENTS; more += 1) {
            made += 1;
            core().input({ key: `busy:${made}`, events: [{ to: 'a', event: { type: 'busy' } }] });
          }
          return puppetLogic.step(snapshot, event);
        },
      },
    },
  );
  sim.init.signal(40);
  sim.run(1_000);
  expect(sim.deaths).toBe(1);
  expect(heard('a')).toHaveLength(EVENTS + 1);
  expect(turns).toBeLessThan(EVENTS / 2);
});

test('a deadline that fell due while core was away fires soon although inputs never end', () => {
  /** Each turn brings about the input of the next one, and takes 5 ms. */
  const BUSY = 200;
  let made = 0;
  const heardBefore: string[] = [];
  const { sim, core, heard, host, send } = bench(
    root,
    {
      turnEvents: 1,
      onEvent(event) {
        if (event.type === 'client' && 'message' in event.what) {
          const input = JSON.parse(event.what.message) as {
            key: string;
            posts: { to: string; event: { type: string } }[];
          };
          core().input({ key: input.key, events: input.posts });
        }
        if (event.type === 'record')
          core().input({ key: `record:${event.record.number}`, events: [{ to: 'b', event: { type: 'busy' } }] });
      },
    },
    {},
    () => {},
    {
      logic: {
        ...puppetLogic,
        step(snapshot, event) {
          if (event.type === 'deadline') heardBefore.push(...(heard('b') ?? []));
          if (event.type === 'busy' && made < BUSY) {
            if (made === 0) {
              const { clock } = host();
              let nowMs = clock.nowMs();
              clock.nowMs = () => {
                nowMs += 2.5;
                return nowMs;
              };
            }
            made += 1;
            core().input({ key: `busy:${made}`, events: [{ to: 'b', event: { type: 'busy' } }] });
          }
          return puppetLogic.step(snapshot, event);
        },
      },
    },
  );
  send('a', { type: 'go', effects: [{ type: 'armDeadline', params: { name: 'x', ms: 0.5 } }] });
  sim.killCore();
  sim.init.signal(40);
  sim.run(300);
  expect(heard('a')).toEqual(['go', 'deadline x']);
  expect(heard('b')).toHaveLength(BUSY + 1);
  expect(heardBefore.length).toBeLessThan(48);
});

test.each(SHAPES)(
  'an effect that kills core is set aside with %s after the second time, the others of its commit are carried out',
  (_, tree, left) => {
    const { sim, send, core, done, whats } = bench(tree, {}, {}, (_, params) => {
      if (params === 'poison') sim.crash({ dumped: 6 });
    });
    send('a', {
      type: 'go',
      effects: [
        { type: 'act', params: 'poison' },
        { type: 'post', params: { to: 'b', event: { type: 'x', effects: [{ type: 'act', params: 'good' }] } } },
      ],
    });
    sim.run(1_000);
    expect(sim.deaths).toBe(2);
    expect(done).toContain('b act "good"');
    expect(whats()).toContain('effect-set-aside a');
    expect(phases(core().tree() as Tree)).toEqual(left);
  },
);

test('a snapshot that kills core while it is loaded is set aside after the second time', () => {
  let armed = false;
  const { sim, core, whats } = bench(root, {}, {}, () => {}, {
    logic: {
      ...puppetLogic,
      load(saved, version) {
        if (armed && (saved as { heard: string[] }).heard.includes('poison')) sim.crash({ killed: 11 });
        return puppetLogic.load(saved, version);
      },
    },
  });
  core().input({
    key: 'k',
    events: [
      { to: 'a', event: { type: 'poison' } },
      { to: 'b', event: { type: 'fine' } },
    ],
  });
  sim.run(1);
  armed = true;
  sim.killCore();
  sim.run(1_000);
  expect(sim.deaths).toBe(3); // the kill, and two by the snapshot
  expect(whats()).toContain('actor-set-aside a');
  expect(core().read('b')).toEqual({ heard: ['fine'] });
});

test('an upgrade that adds a permanent actor starts it, and leaves the others as they are', () => {
  const children = [child('a')];
  const tree = supervisor('core', children);
  const { sim, send, heard } = bench(tree);
  send('a', 'good');
  children.push(child('new'), child('once', 'transient'));
  sim.killCore();
  sim.run(10);
  expect([heard('a'), heard('new'), heard('once')]).toEqual([['good'], [], undefined]);
});

test('effects that wait for their turn share one form of their actor in an image, and come back with it', () => {
  const kinds = { puppet: { logic: puppetLogic, effects: {} } };
  const ledger = new Ledger(kinds, 1);
  const large = { heard: ['x'.repeat(10_000)] };
  ledger.addActor('a', 'puppet', large, ledger.tellActor('a', 'puppet', large, large));
  const older = { heard: ['older'] };
  for (let index = 0; index < 200; index += 1) {
    ledger.addEffect(
      {
        id: { epoch: 1, seq: 1, index },
        actor: 'a',
        type: 'act',
        params: index,
        atMs: 5,
        kindName: 'puppet',
        snapshot: index < 100 ? older : large,
      },
      String(index),
    );
  }
  const image = [...ledger.image('B', [])].join('');
  expect(image.length).toBeLessThan(40_000);
  const again = new Ledger(kinds, 1);
  again.apply(JSON.parse(image).ops);
  expect(again.pending.map(({ id, params, saved }) => [id.index, params, saved?.form])).toEqual(
    Array.from({ length: 200 }, (_, index) => [index, index, index < 100 ? older : large]),
  );
});

test('a hundred actors that are alike but for a little are told by what differs, and come back each as it was', () => {
  const kinds = { puppet: { logic: { ...puppetLogic, save: (form: Json) => form }, effects: {} } };
  const ledger = new Ledger(kinds, 1);
  const usual = { long: 'x'.repeat(1000), lists: { some: [1, 2, 3] } };
  const forms = new Map<string, Json>();
  ledger.setNode('core', { parent: null, spec: supervisor('core', []), history: [], takedown: null });
  for (let index = 0; index < 100; index += 1) {
    const id = `a${index}`;
    const form = { ...usual, index, lists: { some: [index % 3] }, ...(index === 7 ? { long: 'y'.repeat(2000) } : {}) };
    forms.set(id, form);
    ledger.addActor(id, 'puppet', form, ledger.tellActor(id, 'puppet', form, form));
    const spec = { ...child(id), kind: 'puppet', input: form };
    ledger.setNode(
      id,
      index === 9
        ? { parent: 'core', spec, phase: 'quarantined', failures: 2 }
        : { parent: 'core', spec, phase: 'running' },
    );
  }
  const image = [...ledger.image('B', [])].join('');
  expect(image.length).toBeLessThan(40_000);
  const again = new Ledger(kinds, 1);
  again.apply(JSON.parse(image).ops);
  expect([...again.nodes]).toEqual([...ledger.nodes]);
  expect([...again.actors].map(([id, { saved }]) => [id, saved])).toEqual(
    [...forms].map(([id, form]) => [id, { version: puppetLogic.version, form }]),
  );
  expect(again.childrenOf('core')).toEqual([...forms.keys()]);
});

test('actors that are like their neighbours and not like the first one are told by those, and come back each as it was', () => {
  const kinds = { puppet: { logic: { ...puppetLogic, save: (form: Json) => form }, effects: {} } };
  const ledger = new Ledger(kinds, 1);
  const forms = new Map<string, Json>();
  for (let index = 0; index < 200; index += 1) {
    const what = index === 0 ? 'first' : index < 100 ? 'these' : 'those';
    const form = {
      index,
      long: 'x'.repeat(1000),
      settings: { program: `/usr/bin/${what.repeat(30)}`, limit: index % 3 },
    };
    forms.set(`a${index}`, form);
    ledger.addActor(`a${index}`, 'puppet', form, JSON.stringify(form));
  }
  const image = [...ledger.image('B', [])].join('');
  expect(image.length).toBeLessThan(20_000);
  const again = new Ledger(kinds, 1);
  again.apply(JSON.parse(image).ops);
  expect([...again.actors].map(([id, { saved }]) => [id, saved?.form])).toEqual([...forms]);
});

test('an actor by another one that is not there makes the whole image unreadable', () => {
  expect(replay(new Ledger({}, 1), [['b', 'a', 'nobody', [{}]]], [])).toContain('a by nobody, which is not there');
  expect(replay(new Ledger({}, 1), [['m', 'a', 'nobody', [{}]]], [])).toContain('a difference from nothing');
});
