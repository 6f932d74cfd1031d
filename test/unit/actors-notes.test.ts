/** What init keeps for a core that comes up without its state. */
import { expect, test } from 'vitest';
import { createNotes, readNotes } from '../../src/actors/notes.ts';
import type { Told } from '../../src/actors/telling.ts';
import { type Host, HostError } from '../../src/host/ports.ts';

function bench(roomBytes = Number.POSITIVE_INFINITY) {
  let text = '';
  const said: string[] = [];
  let manager: { finishedMs: number | null; ending: null } | undefined;
  const room = (wanted: string) => {
    if (wanted.length > roomBytes) throw new HostError('ENOSPC', 'notes');
    text = wanted;
  };
  const host = {
    notes: { load: () => text, append: (more: string) => room(text + more), replace: room },
    log: { log: (_level: string, _fields: object, message: string) => void said.push(message) },
    clock: { bootMs: () => 1234.5 },
  } as unknown as Host;
  const tell = createNotes({
    host,
    snapshot: (unit) => ({ context: { nRestarts: unit.length, populated: unit.startsWith('left') } }) as never,
    manager: () => manager,
  });
  return {
    ...{ tell, said },
    noted: () => readNotes(host),
    spoil: (change: (before: string) => string) => {
      text = change(text);
    },
    come: () => {
      manager = { finishedMs: 1, ending: null };
    },
  };
}

const told = (unit: string, active: Told['active'], sub: string, result = 'success'): Told => ({
  ...{ unit, was: 'inactive', sub, result },
  ...(active === undefined ? {} : { active }),
});

test('the last word on each unit counts, with how often it was restarted', () => {
  const { tell, noted } = bench();
  tell(told('a.service', 'activating', 'start'));
  tell(told('a.service', 'active', 'exited'));
  tell(told('b.service', 'failed', 'failed', 'exit-code'));
  expect([...noted().units]).toEqual([
    ['a.service', { active: 'active', sub: 'exited', result: 'success', restarts: 9 }],
    ['b.service', { active: 'failed', sub: 'failed', result: 'exit-code', restarts: 9 }],
  ]);
});

test('since when a unit is down is noted where it has left processes behind, until it is started again', () => {
  const { tell, noted } = bench(200);
  const leftMs = () => noted().units.get('left.service')?.leftMs;
  tell(told('left.service', 'active', 'running'));
  tell(told('down.service', 'failed', 'failed'));
  expect(leftMs()).toBeUndefined();
  tell(told('left.service', 'failed', 'failed', 'timeout'));
  expect([leftMs(), noted().units.get('down.service')?.leftMs]).toEqual([1234.5, undefined]);
  // Written anew, because it is full.
  for (let count = 0; count < 3; count += 1) tell(told('down.service', 'inactive', 'dead'));
  expect(leftMs()).toBe(1234.5);
  tell(told('left.service', 'activating', 'start'));
  expect(leftMs()).toBeUndefined();
});

test('a unit that was let go of is forgotten', () => {
  const { tell, noted } = bench();
  tell(told('a.service', 'failed', 'failed'));
  tell({ unloaded: [{ name: 'a.service', load: 'loaded', description: '', mode: 'inactive', result: 'success' }] });
  expect(noted().units.size).toBe(0);
});

test('that the system has come up is noted with the next thing that is told', () => {
  const { tell, noted, come } = bench();
  tell(told('a.service', 'active', 'running'));
  expect(noted().up).toBe(false);
  come();
  tell({ system: true });
  expect(noted().up).toBe(true);
});

test('what was cut off or spoilt counts for nothing, and the rest is believed', () => {
  const { tell, noted, spoil } = bench();
  tell(told('a.service', 'active', 'exited'));
  spoil((text) => `${text}["u","b.service"]\nnull\n["u","c.service","active","exited",5,0]\n["s",1,0]\n["u","d.serv`);
  expect([...noted().units.keys()]).toEqual(['a.service']);
  expect(noted().up).toBe(false);
});

test('what is full is written anew without what was taken back; where that is too much, it is said once', () => {
  const { tell, noted, said } = bench(200);
  for (let count = 0; count < 50; count += 1) tell(told('a.service', count % 2 ? 'active' : 'inactive', `${count}`));
  expect(noted().units.get('a.service')?.sub).toBe('49');
  expect(said).toEqual([]);
  for (let count = 0; count < 50; count += 1) tell(told(`${count}.service`, 'active', 'running'));
  expect(said).toHaveLength(1);
});
