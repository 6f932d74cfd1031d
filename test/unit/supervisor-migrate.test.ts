/** What older cores have saved, brought into the present form; and what newer ones have, which nobody here can read. */
import { describe, expect, test } from 'vitest';
import type { Json } from '../../src/supervisor/index.ts';
import { FORMAT, Ledger } from '../../src/supervisor/ledger.ts';
import { type Migrations, migrate } from '../../src/supervisor/migrate.ts';
import { replay, verify } from '../../src/supervisor/recovery.ts';
import { bench, child, puppetLogic, supervisor } from './supervisor-fixture.ts';

const root = supervisor('core', [child('a'), child('b')]);
const steps: Migrations = {
  lamp: {
    1: (saved) => ({ ...(saved as object), colour: 'white' }),
    2: (saved) => {
      const { on, ...rest } = saved as { on?: boolean };
      if (on === undefined) throw new Error('neither on nor off');
      return { ...rest, lit: on };
    },
  },
};

describe('a migration', () => {
  test('goes from version to version, each step on what the one before it made', () => {
    expect(migrate(steps, 'lamp', { on: true }, 1, 3)).toEqual({ colour: 'white', lit: true });
    expect(migrate(steps, 'lamp', { on: true, colour: 'red' }, 2, 3)).toEqual({ colour: 'red', lit: true });
  });

  test('of what is of this version changes nothing', () => {
    const saved = { lit: true };
    expect(migrate(steps, 'lamp', saved, 3, 3)).toBe(saved);
    expect(migrate({}, 'unheard of', saved, 7, 7)).toBe(saved);
  });

  test.each([
    ['a step that is missing', 'lamp', 1, 4, 'lamp: nothing here reads version 3'],
    ['a kind without steps', 'bell', 1, 2, 'bell: nothing here reads version 1'],
    ['a way back', 'lamp', 3, 2, 'lamp: saved as version 3, this core reads 2 and what is older'],
    ['a version that is no number', 'lamp', Number.NaN, 2, 'lamp: saved as version NaN'],
    ['more versions than there can be', 'lamp', 1, 1e9, 'lamp: saved as version 1'],
  ])('names %s', (_what, kind, from, to, why) => {
    expect(() => migrate(steps, kind, { on: true }, from, to)).toThrow(why);
  });

  test('says which step does not believe what it was given', () => {
    expect(() => migrate(steps, 'lamp', {}, 1, 3)).toThrow('lamp: from version 2 to 3: neither on nor off');
  });
});

/** A core that is a version further: what was heard is a list of records now. */
const newer = (migrations: Migrations) =>
  bench(root, { migrations }, {}, () => {}, {
    logic: {
      ...puppetLogic,
      version: 2,
      load(saved: Json, version: number) {
        if (version !== 2) throw new Error(`version ${version} came without a migration`);
        return puppetLogic.load((saved as { now: Json }).now, version);
      },
    },
  });
const old = '[["a","a","puppet",1,{"heard":["old"]}],["i",9]]';

test('an actor that an older core has saved is loaded from its migrated form', () => {
  const { sim, heard, whats } = newer({ puppet: { 1: (saved) => ({ now: saved }) } });
  sim.state.records.push(old);
  sim.killCore();
  sim.run(10);
  expect(heard('a')).toEqual(['old']);
  expect(whats()).not.toContain('actor-set-aside a');
});

test('an actor whose migration fails is set aside alone, with the reason', () => {
  const { sim, core, reports } = newer({
    puppet: {
      1() {
        throw new Error('it has heard too little');
      },
    },
  });
  sim.state.records.push(old);
  sim.killCore();
  sim.run(10);
  expect(core().read('a')).toBeUndefined();
  expect(reports.find(({ what }) => what === 'actor-set-aside')).toMatchObject({
    actor: 'a',
    why: expect.stringContaining('puppet: from version 1 to 2: it has heard too little'),
  });
});

test('a checkpoint with an actor of a newer core is refused as a whole, with the reason, and core begins anew', () => {
  const { sim, core, heard, reports } = bench(root);
  sim.state.records.push('[["a","a","puppet",2,{"heard":["tomorrow"]}],["i",9]]');
  sim.killCore();
  sim.run(10);
  expect(core().recovered).toMatchObject({
    mode: 'fresh',
    why: expect.stringContaining('a newer core has written it'),
  });
  expect(reports.find(({ what }) => what === 'state-fresh')).toBeDefined();
  expect(heard('a')).toEqual([]);
});

test('an image of a newer form is refused with the reason, and core begins anew', () => {
  const { sim, core, heard } = bench(root);
  sim.state.image = sim.state.image?.replace(`"format":${FORMAT}`, '"format":99');
  sim.killCore();
  sim.run(10);
  expect(core().recovered).toMatchObject({ mode: 'fresh', why: expect.stringContaining('form 99, this core reads') });
  expect(heard('a')).toEqual([]);
});

test('an image of an older form and its records are brought into the present one', () => {
  const migrations: Migrations = {
    image: { [FORMAT - 1]: (saved) => ({ ...(saved as object), ops: [['i', 4]] }) },
    record: { [FORMAT - 1]: (ops) => (ops as Json[][]).map((op) => (op[0] === 'number' ? ['i', op[1] ?? 0] : op)) },
  };
  const image = JSON.stringify({ format: FORMAT - 1, boot: 'B', epoch: 3, operations: ['number', 4] });
  const header = verify(image, { epoch: 3 } as never, 'B', migrations);
  expect(header).toEqual({ epoch: 3, ops: [['i', 4]], format: FORMAT - 1 });
  const ledger = new Ledger({}, 3);
  expect(replay(ledger, [['i', 4]], ['[["number",5]]'], FORMAT - 1, migrations)).toBeUndefined();
  expect(ledger.seq).toBe(5);
  expect(verify(image, { epoch: 3 } as never, 'B')).toHaveProperty('unusable');
});
