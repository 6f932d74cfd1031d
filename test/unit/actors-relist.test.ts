import { describe, expect, test } from 'vitest';
import { hearAgain, Relisting } from '../../src/actors/relist.ts';
import { HostError } from '../../src/host/ports.ts';

const NOTIFIES = { NotifyAccess: 'main', Type: 'notify', WatchdogSec: 0 };
const units = [
  { name: 'a.socket', edges: [], socket: { Listen: [{ address: '/run/a' }, { address: '/run/b' }] } },
  { name: 'b.socket', edges: [], socket: { Listen: [{ address: '/run/c' }] } },
  { name: 'c.service', edges: [] },
];

/** All that a core which has come back looks at again. */
function relist(host: object, actors: object, units: readonly { readonly name: string }[]): void {
  hearAgain(host as never, actors as never);
  const unit = (name: string) => units.find((one) => one.name === name);
  const relisting = new Relisting(
    { host, actors, unit, pidFiles: {} } as never,
    units.map(({ name }) => name),
  );
  while (relisting.piece());
}

/** What is done for units after recovery, if init keeps these, and watching `failing` fails. */
function done({ stored, state = 'listening', failing }: { stored: string[]; state?: string; failing?: string }) {
  const calls: string[] = [];
  const said: unknown[] = [];
  const host = {
    facts: { runDirectory: '/run/sysmaster' },
    hello: { fds: stored },
    groups: { available: false },
    log: { log: (_level: string, { unit }: { unit: string }, what: string) => void said.push([unit, what]) },
    sockets: {
      stored: (name: string) => stored.includes(name),
      notify: (id: unknown, name: string) => void calls.push(`notify ${name} ${String(id)}`),
      watch(name: string) {
        if (name === failing) throw new HostError('ETIMEDOUT', name);
        calls.push(`watch ${name}`);
      },
    },
  };
  const actors = {
    addressees: () => new Set(),
    readBegun: (id: string) =>
      id.endsWith('.service')
        ? { value: 'running', context: { active: 'active', populated: true, settings: NOTIFIES } }
        : { value: state, context: { active: 'active' } },
    input: ({ events }: { events: { to: string; event: { type: string } }[] }) =>
      void calls.push(...events.map(({ to, event }) => `${to} ${event.type}`)),
  };
  relist(host, actors, units);
  return { calls, said };
}

const all = ['listen:a.socket:0', 'listen:a.socket:1', 'listen:b.socket:0', 'notify:c.service'];
const without = (name: string) => all.filter((one) => one !== name);

describe('after core was away', () => {
  test('listeners and notify sockets are listened to again', () => {
    const watched = all.slice(0, 3).map((name) => `watch ${name}`);
    expect(done({ stored: all })).toEqual({ calls: ['notify notify:c.service undefined', ...watched], said: [] });
    expect(done({ stored: all, state: 'running' }).calls).toEqual(['notify notify:c.service undefined']);
  });

  test('a listener that is lost is opened again by its unit, and those that are there are listened to', () => {
    const { calls, said } = done({ stored: without('listen:a.socket:1') });
    expect(calls.slice(1, 4)).toEqual(['unit:a.socket reopen', 'watch listen:a.socket:0', 'watch listen:b.socket:0']);
    expect(said).toEqual([['a.socket', 'listeners were lost, and are opened again']]);
    expect(done({ stored: without('listen:b.socket:0'), state: 'running' }).calls[1]).toBe('unit:b.socket reopen');
  });

  test('a notify socket that is lost is made anew for a service that runs', () => {
    const { calls, said } = done({ stored: without('notify:c.service') });
    expect(calls.at(-1)).toBe('notify notify:c.service undefined');
    expect(said).toEqual([['c.service', 'its notify socket was lost, and is made anew']]);
  });

  test('whether a group is populated is told only where that is not what its machine knows', () => {
    const known = (waiting: readonly string[]) => {
      const told = new Map<string, boolean | undefined>();
      const services = ['a.service', 'b.service'].map((name) => ({ name, edges: [], unit: { Slice: '' } }));
      const host = {
        facts: { runDirectory: '/run/sysmaster' },
        hello: { fds: [] },
        groups: {
          available: true,
          watch: (group: string, before?: boolean) => void told.set(group.split('/').at(-1)!, before),
        },
        log: { log: () => undefined },
        sockets: { stored: () => false },
      };
      const actors = {
        addressees: () => new Set(waiting),
        readBegun: () => ({ value: 'running', context: { active: 'active', populated: true } }),
      };
      relist(host, actors, services);
      return Object.fromEntries(told);
    };
    expect(known(['events', 'upgrade'])).toEqual({ 'a.service': true, 'b.service': true });
    expect(known(['unit:a.service'])).toEqual({ 'a.service': undefined, 'b.service': true });
  });

  test('units that are under way are looked at first and at once, the others some at a time', () => {
    const watched: string[] = [];
    const services = Array.from({ length: 50 }, (_, n) => ({ name: `u${n}.service`, edges: [], unit: { Slice: '' } }));
    const host = {
      facts: { runDirectory: '/run/sysmaster' },
      groups: { available: true, watch: (group: string) => void watched.push(group.split('/').at(-1)!) },
      log: { log: () => undefined },
      sockets: { stored: () => false },
    };
    const active = (id: string) => (id === 'unit:u49.service' ? 'deactivating' : 'active');
    const actors = {
      addressees: () => new Set(),
      readBegun: (id: string) => ({ value: 'running', context: { active: active(id), populated: true } }),
    };
    const names = services.map(({ name }) => name);
    const unit = (name: string) => services.find((one) => one.name === name);
    const relisting = new Relisting({ host, actors, unit, pidFiles: {} } as never, names);
    expect(watched).toEqual(['u49.service']);
    const after: number[] = [];
    for (let more = true; more; after.push(watched.length)) more = relisting.piece();
    expect(after.length).toBeGreaterThan(2);
    expect([...after].sort((a, b) => a - b)).toEqual(after);
    expect(watched).toEqual(['u49.service', ...names.slice(0, -1)]);
  });

  test('what fails for one unit is said, and costs no other one anything', () => {
    const { calls, said } = done({ stored: all, failing: 'listen:a.socket:0' });
    expect(calls).toEqual(['notify notify:c.service undefined', 'watch listen:b.socket:0']);
    expect(said).toEqual([['a.socket', 'something of the unit cannot be watched any more']]);
  });
});
