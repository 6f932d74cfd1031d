import { describe, expect, test } from 'vitest';
import { Heirs } from '../../src/actors/heirs.ts';
import { datagramKey, inputOf } from '../../src/actors/inputs.ts';
import type { UnitTools } from '../../src/actors/unit-effects.ts';
import type { Datagram } from '../../src/host/ports.ts';

const datagram: Datagram = {
  socket: 'notify:a.service',
  text: 'FDSTORE=1\nFDNAME=kept',
  pid: 7,
  uid: 0,
  atNs: '1',
  hash: 'abc',
  fds: 1,
};

/** With which names and id the datagram is taken, if a core before this one has told the unit to keep what comes with it. */
function taken(stored: readonly string[]) {
  const calls: unknown[] = [];
  const tools = {
    host: {
      groups: { available: false },
      clock: { nowMs: () => 0, realMs: () => 0 },
      process: { inspect: () => undefined },
      log: { log: () => {} },
      sockets: {
        stored: (name: string) => stored.includes(name),
        consume: (_datagram: Datagram, names: readonly string[], id: unknown) => void calls.push({ names, id }),
      },
    },
    world: { unit: () => ({ name: 'a.service', unit: {}, service: {}, edges: [] }) },
    group: () => 'system.slice/a.service',
    kept: new Map(),
    heirs: new Heirs(),
    heirsOf: () => [],
    storedFds: (unit: string) =>
      unit === 'a.service'
        ? [
            { key: 3, name: 'other', datagram: 'of another datagram' },
            { key: 4, name: 'kept', datagram: datagramKey(datagram) },
          ]
        : [],
  } as unknown as UnitTools;
  inputOf(tools, { type: 'datagram', datagram }, () => [])?.consume?.();
  return calls;
}

describe('a datagram with descriptors that an earlier core has committed', () => {
  test('is taken with the names that its unit has for them, if init does not have them yet', () => {
    expect(taken([])).toEqual([{ names: ['fdstore:a.service:4'], id: undefined }]);
  });

  test('is only taken if init has them', () => {
    expect(taken(['fdstore:a.service:4'])).toEqual([{ names: [], id: undefined }]);
  });
});
