/** Commits tell actors and nodes by others: whatever happens to those meanwhile, what is read is what there was. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Json } from '../../src/supervisor/index.ts';
import { type ChildNode, Ledger } from '../../src/supervisor/ledger.ts';
import { child, puppetLogic } from './supervisor-fixture.ts';

const kinds = { puppet: { logic: puppetLogic, effects: {} }, other: { logic: puppetLogic, effects: {} } };

type Change =
  | { readonly do: 'add'; readonly id: number; readonly kind: 'puppet' | 'other'; readonly own: Json }
  | { readonly do: 'step' | 'quarantine' | 'remove' | 'move' | 'again'; readonly id: number }
  | { readonly do: 'commit' };

const id = fc.nat({ max: 12 });
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      id,
      kind: fc.constantFrom('puppet', 'other'),
      own: fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom(...(['step', 'quarantine', 'remove', 'move', 'again'] as const)), id }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'commit' as const }) },
);

const usual = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`key${n}`, [n, 'usual']]));

test('commits and images read back as what was done, in whatever order', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const ledger = new Ledger(kinds, 1);
      const again = new Ledger(kinds, 1);
      let text = '';
      const commit = () => {
        const record = ledger.commit({ taken: 0, added: [] });
        text += record;
        again.apply(JSON.parse(record));
      };
      ledger.setNode('core', { parent: null, spec: { id: 'core' } as never, history: [], takedown: null });
      for (const one of changes) {
        if (one.do === 'commit') commit();
        else act(ledger, one);
      }
      commit();
      const image = [...ledger.image('B', [])].join('');
      const fromImage = new Ledger(kinds, 1);
      fromImage.apply(JSON.parse(image).ops);
      const now = [...ledger.actors].map(([name, { snapshot, kindName }]) => [name, kindName, plain(snapshot)]);
      for (const read of [again, fromImage]) {
        expect([...read.actors].map(([name, { saved, kindName }]) => [name, kindName, plain(saved?.form)])).toEqual(
          now,
        );
        expect(plain([...read.nodes])).toEqual(plain([...ledger.nodes]));
      }
      if (text.includes('["b"')) seen.add('b');
      if (text.includes('["m"')) seen.add('m');
    }),
  );
  expect([...seen].sort()).toEqual(['b', 'm']);
});

const seen = new Set<string>();
const plain = (value: unknown) => JSON.parse(JSON.stringify(value ?? null));

function act(ledger: Ledger, one: Exclude<Change, { readonly do: 'commit' }>): void {
  const name = `a${one.id}`;
  const cell = ledger.actors.get(name);
  const node = ledger.nodes.get(name) as ChildNode | undefined;
  if (one.do === 'add' && cell === undefined) {
    // Some are much nearer to each other than to the first.
    const near = one.id % 3 === 0 ? {} : { near: 'x'.repeat(200 * (one.id % 3)) };
    const form = { ...usual, ...near, heard: [], own: one.own } as unknown as Json;
    ledger.setNode(name, { parent: 'core', spec: { ...child(name), kind: one.kind, input: form }, phase: 'running' });
    ledger.addActor(name, one.kind, form, ledger.tellActor(name, one.kind, form, form));
  } else if (one.do === 'step' && cell !== undefined) {
    const form = { ...(cell.snapshot as object), stepped: true, key3: 'another' };
    ledger.stepActor(cell, form, { saved: JSON.stringify(form) });
  } else if (one.do === 'quarantine' && node !== undefined) ledger.setNode(name, { ...node, phase: 'quarantined' });
  else if (one.do === 'move') ledger.moveLast(name);
  else if (one.do === 'again' && node !== undefined && cell !== undefined) {
    const { snapshot, kindName } = cell;
    ledger.removeActor(name);
    ledger.removeNode(name);
    ledger.setNode(name, node);
    ledger.addActor(name, kindName, snapshot, ledger.tellActor(name, kindName, snapshot, snapshot as Json));
  } else if (one.do === 'remove' && cell !== undefined) {
    ledger.removeActor(name);
    ledger.removeNode(name);
  }
}
