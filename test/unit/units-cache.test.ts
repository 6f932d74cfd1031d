/** Units kept over a reload: kept where nothing has changed, and never a wrong answer. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { createRegistry } from '../../src/actors/registry.ts';
import { PlainFiles } from '../../src/host/node/plain-files.ts';
import { type FilePort, type FileStat, HostError } from '../../src/host/ports.ts';
import { createUnitLoader, type UnitLoader } from '../../src/units/load.ts';
import { plainPaths } from '../../src/units/load-path.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const PATHS = plainPaths(['/etc/u', '/lib/u']);
/** Ticks of this disk's clock: the coarsest there are. */
const TICK_MS = 2_000;

/** A tree in memory whose files have inodes and stamps, by a clock that only the test moves. */
function disk(tree: Record<string, string>) {
  const memory = memoryFiles({});
  const stamps = new Map<string, { readonly ino: number; readonly ctimeMs: number; readonly mtimeMs: number }>();
  let inodes = 1;
  const state = { nowMs: 1_000_000, setMs: 0, refused: new Set<string>() };
  const touch = (path: string, ino = ++inodes) => {
    const ctimeMs = Math.floor((state.nowMs + state.setMs) / TICK_MS) * TICK_MS;
    stamps.set(path, { ino, ctimeMs, mtimeMs: ctimeMs });
  };
  const stamped = (path: string, stat: FileStat | undefined): FileStat | undefined => {
    const stamp = stamps.get(path);
    return stat === undefined || stamp === undefined ? stat : { ...stat, ...stamp };
  };
  const followed = (path: string): string => {
    const node = memory.nodes.get(path);
    return node !== undefined && 'link' in node && node.link.startsWith('/') ? node.link : path;
  };
  const open = <T>(path: string, read: () => T): T => {
    if (state.refused.has(path)) throw new HostError('EACCES', path);
    return read();
  };
  const files: FilePort = {
    ...memory,
    readText: (path) => open(path, () => memory.readText(path)),
    readBytes: (path, maxBytes) => open(path, () => memory.readBytes(path, maxBytes)),
    lstat: (path) => stamped(path, memory.lstat(path)),
    stat: (path) => stamped(followed(path), memory.stat(path)),
  };
  const put = (path: string, text: string): void => {
    const parts = path.split('/');
    for (let length = 2; length < parts.length; length += 1) {
      const directory = parts.slice(0, length).join('/');
      if (!memory.nodes.has(directory)) memory.nodes.set(directory, { directory: true });
    }
    memory.nodes.set(path, text.startsWith('-> ') ? { link: text.slice(3) } : { text });
  };
  const self = {
    files,
    state,
    clock: { realMs: () => state.nowMs + state.setMs, bootMs: () => state.nowMs },
    /** A new file in the place of what was there. */
    put(path: string, text: string) {
      put(path, text);
      touch(path);
    },
    /** The same file with another text. */
    rewrite(path: string, text: string) {
      put(path, text);
      touch(path, stamps.get(path)?.ino);
    },
    /** The same file with another text and the old time of modification, as `cp --preserve` and `touch --date` leave it. */
    restore(path: string, text: string) {
      const before = stamps.get(path);
      self.rewrite(path, text);
      const after = stamps.get(path);
      if (before !== undefined && after !== undefined) stamps.set(path, { ...after, mtimeMs: before.mtimeMs });
    },
    remove(path: string) {
      for (const known of [...memory.nodes.keys()])
        if (known === path || known.startsWith(`${path}/`)) memory.nodes.delete(known);
      stamps.delete(path);
    },
    wait(ms: number) {
      state.nowMs += ms;
    },
  };
  for (const [path, text] of Object.entries(tree)) self.put(path, text);
  self.wait(60_000);
  return self;
}

const loaderOf = (world: ReturnType<typeof disk>, more: object = {}): UnitLoader =>
  createUnitLoader({ files: world.files, facts: testFacts, paths: PATHS, clock: world.clock, ...more });
const freshly = (world: ReturnType<typeof disk>) =>
  createUnitLoader({ files: world.files, facts: testFacts, paths: PATHS });

const service = (description: string) => `[Unit]\nDescription=${description}\n[Service]\nExecStart=/bin/true\n`;
const TREE = {
  '/etc/u/a.service': service('one'),
  '/etc/u/b.service': service('two'),
  '/lib/u/t@.service': service('of %i'),
};

test('a unit whose files have not changed is the same object after a refresh', () => {
  const world = disk(TREE);
  const loader = loaderOf(world);
  const before = ['a.service', 'b.service', 't@x.service', 'not-there.service'].map((name) => loader.load(name));
  loader.refresh();
  for (const unit of before) expect(loader.load(unit.name)).toBe(unit);
});

test('without a clock nothing is kept', () => {
  const loader = freshly(disk(TREE));
  const before = loader.load('a.service');
  loader.refresh();
  expect(loader.load('a.service')).not.toBe(before);
});

/** What is done to the disk, and the unit that is another one then. */
const CHANGES: readonly [what: string, change: (world: ReturnType<typeof disk>) => void, unit: string][] = [
  ['written anew with as many letters', (world) => world.rewrite('/etc/u/a.service', service('eno')), 'a.service'],
  [
    'written anew with the old time of modification',
    (world) => world.restore('/etc/u/a.service', service('eno')),
    'a.service',
  ],
  ['replaced by another file', (world) => world.put('/etc/u/a.service', service('eno')), 'a.service'],
  ['replaced by an empty file', (world) => world.rewrite('/etc/u/a.service', ''), 'a.service'],
  ['gone', (world) => world.remove('/etc/u/a.service'), 'a.service'],
  ['hidden by one in front of it', (world) => world.put('/etc/u/t@.service', service('new')), 't@x.service'],
  ['masked', (world) => world.put('/etc/u/t@.service', '-> /dev/null'), 't@x.service'],
  ['with a drop-in', (world) => world.put('/etc/u/a.service.d/x.conf', '[Unit]\nDescription=x\n'), 'a.service'],
  [
    'with a drop-in for its type',
    (world) => world.put('/lib/u/service.d/x.conf', '[Unit]\nWants=c.service\n'),
    'b.service',
  ],
  [
    'with a drop-in for its template',
    (world) => world.put('/lib/u/t@.service.d/x.conf', '[Unit]\nWants=c.service\n'),
    't@x.service',
  ],
  ['with a link in .wants', (world) => world.put('/etc/u/a.service.wants/b.service', '-> ../b.service'), 'a.service'],
  ['wanted by another one', (world) => world.put('/etc/u/b.target.wants/a.service', '-> ../a.service'), 'a.service'],
  ['with another name', (world) => world.put('/etc/u/alias.service', '-> a.service'), 'a.service'],
  ['there after it was not', (world) => world.put('/etc/u/not-there.service', service('now')), 'not-there.service'],
];

test.each(CHANGES)('a unit that is %s is read again', (_what, change, name) => {
  const world = disk(TREE);
  const loader = loaderOf(world);
  loader.load(name);
  change(world);
  loader.refresh();
  expect(loader.load(name)).toEqual(freshly(world).load(name));
});

test('a drop-in that goes, or changes without another size, is noticed', () => {
  const world = disk({ ...TREE, '/etc/u/a.service.d/x.conf': '[Unit]\nDescription=x\n' });
  const loader = loaderOf(world);
  expect(loader.load('a.service').unit.Description).toBe('x');
  world.rewrite('/etc/u/a.service.d/x.conf', '[Unit]\nDescription=y\n');
  loader.refresh();
  expect(loader.load('a.service').unit.Description).toBe('y');
  world.remove('/etc/u/a.service.d/x.conf');
  loader.refresh();
  expect(loader.load('a.service').unit.Description).toBe('one');
});

test('a drop-in that others have read already is noticed when it changes before the last of them is loaded', () => {
  const world = disk({ ...TREE, '/lib/u/service.d/x.conf': '[Unit]\nDescription=x\n' });
  const loader = loaderOf(world);
  loader.load('a.service');
  world.rewrite('/lib/u/service.d/x.conf', '[Unit]\nDescription=y\n');
  world.wait(60_000);
  loader.load('b.service');
  loader.refresh();
  expect(['a.service', 'b.service'].map((name) => loader.load(name).unit.Description)).toEqual(['y', 'y']);
});

test('a file that was written within one tick of the clock of being read is not believed the next time', () => {
  const world = disk(TREE);
  world.rewrite('/etc/u/a.service', service('two'));
  const loader = loaderOf(world);
  expect(loader.load('a.service').unit.Description).toBe('two');
  // The same size, the same inode, the same stamps: nothing tells them apart.
  world.rewrite('/etc/u/a.service', service('six'));
  loader.refresh();
  expect(loader.load('a.service').unit.Description).toBe('six');
});

test('when the clock was set back, and a file so got the stamps that it had, nothing is believed', () => {
  const world = disk(TREE);
  const loader = loaderOf(world);
  loader.load('a.service');
  world.state.setMs = -60_000; // back to when the tree was made; nobody has told the loader
  world.rewrite('/etc/u/a.service', service('eno'));
  loader.refresh();
  expect(loader.load('a.service').unit.Description).toBe('eno');
});

test('a mount unit that comes changes what needs the path below it', () => {
  const world = disk({ '/etc/u/a.service': '[Unit]\nRequiresMountsFor=/srv/x\n[Service]\nExecStart=/bin/true\n' });
  const loader = loaderOf(world);
  const requires = () =>
    loader.load('a.service').edges.filter(({ kind, to }) => kind === 'Requires' && to === 'srv.mount');
  expect(requires()).toEqual([]);
  world.put('/etc/u/srv.mount', '[Mount]\nWhere=/srv\nWhat=tmpfs\n');
  loader.refresh();
  expect(requires()).toHaveLength(1);
});

test('a file that could not be read is tried again', () => {
  const world = disk(TREE);
  const loader = loaderOf(world);
  world.state.refused.add('/etc/u/a.service');
  expect(loader.load('a.service').loadState).toBe('error');
  world.state.refused.clear();
  loader.refresh();
  expect(loader.load('a.service').loadState).toBe('loaded');
});

const FILE = { path: '/run/units', version: 'this one' };
const KEPT = {
  ...TREE,
  '/etc/u/a.service.d/x.conf': '[Unit]\nWants=b.service\nNot=known\n',
  '/etc/u/m.service': '-> /dev/null',
};
const KEPT_NAMES = ['a.service', 'b.service', 't@x.service', 'm.service', 'not-there.service'];

/** A core has loaded these, and kept them. */
function kept() {
  const world = disk({ ...KEPT, '/run/other': '' });
  const loader = loaderOf(world, { cacheFile: FILE });
  for (const name of KEPT_NAMES) loader.load(name);
  loader.keep();
  return world;
}

/** Files below the unit path that are read by what `use` does. */
function reads(world: ReturnType<typeof disk>, use: () => void): string[] {
  const read: string[] = [];
  const { readText } = world.files;
  world.files.readText = (path) => {
    if (PATHS.search.some((place) => path.startsWith(place))) read.push(path);
    return readText(path);
  };
  use();
  world.files.readText = readText;
  return read;
}

test('the next core reads no unit file that has not changed, and has the same units', () => {
  const world = kept();
  const next = loaderOf(world, { cacheFile: FILE });
  expect(reads(world, () => void KEPT_NAMES.map((name) => next.load(name)))).toEqual([]);
  const fresh = freshly(world);
  for (const name of KEPT_NAMES) {
    expect(next.load(name)).toEqual(fresh.load(name));
    expect(JSON.stringify({ ...next.load(name) })).toHaveLength(JSON.stringify(fresh.load(name)).length);
  }
});

test.each(CHANGES)('the next core reads a unit that is %s again', (_what, change, name) => {
  const world = kept();
  change(world);
  expect(loaderOf(world, { cacheFile: FILE }).load(name)).toEqual(freshly(world).load(name));
});

test('what another version of ours, another machine or another unit path has kept is not believed', () => {
  const world = kept();
  const everything = ['/etc/u/a.service', '/etc/u/a.service.d/x.conf'];
  const readBy = (more: object) =>
    reads(world, () => void loaderOf(world, { cacheFile: FILE, ...more }).load('a.service'));
  expect(readBy({ cacheFile: { ...FILE, version: 'another one' } })).toEqual(everything);
  expect(readBy({ facts: { ...testFacts, hostname: 'other' } })).toEqual(everything);
  expect(readBy({ paths: plainPaths(['/etc/u']) })).toEqual(everything);
  expect(readBy({ devices: false })).toEqual(everything);
  expect(readBy({})).toEqual([]);
});

test('when the clock was set between two cores nothing that was kept is believed', () => {
  const world = kept();
  world.state.setMs = -60_000;
  world.rewrite('/etc/u/b.service', service('owt'));
  expect(loaderOf(world, { cacheFile: FILE }).load('b.service').unit.Description).toBe('owt');
});

test('a cache that is cut off, changed anywhere, or no cache at all is not believed', () => {
  const world = kept();
  const whole = world.files.readText(FILE.path) ?? '';
  expect(whole.length).toBeGreaterThan(1000);
  const fresh = KEPT_NAMES.map((name) => freshly(world).load(name));
  const damaged = fc.oneof(
    fc.nat(whole.length - 1).map((length) => whole.slice(0, length)),
    fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 127 })).map(([at, bits]) => {
      const code = whole.charCodeAt(at) ^ bits;
      return whole.slice(0, at) + String.fromCharCode(code) + whole.slice(at + 1);
    }),
    fc.constantFrom('', '\n', '[]\n', 'null\n', '{}', `${whole}x`, `${whole}${whole}`),
    fc.string(),
  );
  fc.assert(
    fc.property(damaged, (text) => {
      world.put(FILE.path, text);
      const loader = loaderOf(world, { cacheFile: FILE });
      expect(KEPT_NAMES.map((name) => loader.load(name))).toEqual(fresh);
    }),
    { numRuns: 200 },
  );
});

test('a cache that is damaged is told of; none at all, or that of another version, is not', () => {
  const world = kept();
  const whole = world.files.readText(FILE.path) ?? '';
  const told = (text: string, version = FILE.version): readonly string[] => {
    const words: string[] = [];
    world.put(FILE.path, text);
    loaderOf(world, { cacheFile: { ...FILE, version, refused: (why: string) => words.push(why) } }).load('a.service');
    return words;
  };
  for (const text of ['\n', '[]\n', 'null\n', '{}', 'x', `${whole}x`, whole.slice(0, -1)])
    expect(told(text)).toEqual([`${FILE.path}: it is damaged, or none of ours`]);
  expect([told(''), told(whole), told(whole, 'another one')]).toEqual([[], [], []]);
});

test('a unit of every type comes back with all that it was', () => {
  const sections: Record<string, string> = {
    service:
      '[Service]\nType=notify\nExecStart=-/bin/a b "c d"\nLimitNOFILE=5:9\nRestart=always\nNice=0\nEnvironment=A=1\n',
    socket: '[Socket]\nListenStream=/run/x\nListenDatagram=5\nBacklog=7\n',
    target: '',
    slice: '[Slice]\nMemoryMax=5M\n',
    timer: '[Timer]\nOnBootSec=5\nPersistent=yes\n',
    path: '[Path]\nPathExists=/x\n',
    mount: '[Mount]\nWhat=tmpfs\nWhere=/u\nType=tmpfs\n',
    automount: '[Automount]\nWhere=/u\n',
    swap: '[Swap]\nWhat=/u\n',
  };
  const unit =
    '[Unit]\nDescription=Ü %n\tx\nAfter=a.service a.service\nConditionPathExists=|!/x\nDefaultDependencies=no\nWants=a.service\n' +
    'Unknown=1\nJobTimeoutSec=infinity\n[Install]\nWantedBy=x.target\n[X-Own]\na=b\n';
  const tree = Object.fromEntries(Object.entries(sections).map(([type, text]) => [`/etc/u/u.${type}`, unit + text]));
  const world = disk({ ...tree, '/run/other': '' });
  const first = loaderOf(world, { cacheFile: FILE });
  const names = Object.keys(sections).map((type) => `u.${type}`);
  const units = names.map((name) => first.load(name));
  first.keep();
  const next = loaderOf(world, { cacheFile: FILE });
  const opened = reads(world, () => expect(names.map((name) => next.load(name))).toEqual(units));
  expect(opened).toEqual([]);
  for (const [place, name] of names.entries()) expect({ ...next.load(name) }).toEqual({ ...units[place] });
});

const NAMES = ['a.service', 'b.service', 'a-b.service', 't@.service', 'x.target', 'srv.mount'];
const ends = ['', '.d/1.conf', '.d/2.conf', '.wants/b.service', '.requires/x.target'];
const places = fc.constantFrom('/etc/u', '/lib/u');
const path = fc
  .tuple(places, fc.constantFrom(...NAMES, 'service', 't@i.service'), fc.constantFrom(...ends))
  .map(([place, name, end]) => `${place}/${name}${end}`);
const text = fc.constantFrom(
  '',
  '-> /dev/null',
  '-> a.service',
  '-> /srv/elsewhere',
  ...['one', 'two', 'six'].map(service),
  '[Unit]\nAfter=a.service\nRequiresMountsFor=/srv/x\n',
  '[Install]\nWantedBy=x.target\nAlias=z.service\n',
);
const step = fc.oneof(
  fc.record({ do: fc.constant('put' as const), path, text }),
  fc.record({ do: fc.constant('rewrite' as const), path, text }),
  fc.record({ do: fc.constant('remove' as const), path }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(100, 1_900, 5_000) }),
  fc.record({ do: fc.constant('set' as const), ms: fc.constantFrom(-5_000, 0, 5_000) }),
  fc.record({ do: fc.constantFrom('refresh' as const, 'restart' as const) }),
);

test('whatever is done to the unit path, what is kept equals what is read', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 3, maxLength: 25 }), (steps) => {
      const world = disk({ ...TREE, '/srv/elsewhere': service('far') });
      world.put('/run/other', '');
      const loader = loaderOf(world, { cacheFile: FILE });
      const all = [...NAMES.filter((name) => !name.includes('@')), 't@i.service', 'z.service'];
      for (const one of steps) {
        if (one.do === 'put') world.put(one.path, one.text);
        else if (one.do === 'rewrite') world.rewrite(one.path, one.text);
        else if (one.do === 'remove') world.remove(one.path);
        else if (one.do === 'wait') world.wait(one.ms);
        else if (one.do === 'set') {
          world.state.setMs = one.ms;
          loader.clockSet();
        } else {
          loader.refresh();
          const fresh = freshly(world);
          for (const name of all) expect(loader.load(name)).toEqual(fresh.load(name));
        }
      }
    }),
    { numRuns: 300 },
  );
});

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

test('on a real disk a file that is written again and again at once is never taken for an older one', () => {
  const directory = mkdtempSync(join(tmpdir(), 'units-cache.'));
  directories.push(directory);
  const files: FilePort = Object.assign(new PlainFiles(), { watch() {}, unwatch() {} });
  const clock = { realMs: () => Date.now(), bootMs: () => performance.now() };
  const registry = createRegistry({ files, facts: testFacts, paths: plainPaths([directory]), clock });
  const file = join(directory, 'a.service');
  const seen = (number: number): string => {
    const name = String(number).padStart(3, '0');
    writeFileSync(number % 3 === 0 ? `${file}.new` : file, service(name));
    if (number % 3 === 0) renameSync(`${file}.new`, file);
    registry.reload(['a.service']);
    return registry.unit('a.service')?.unit.Description ?? '';
  };
  const numbers = Array.from({ length: 200 }, (_, number) => number);
  expect(numbers.map(seen)).toEqual(numbers.map((number) => String(number).padStart(3, '0')));
});

test('a reload with nothing changed keeps the graph, one with a change tells which units it concerns', () => {
  const world = disk({ ...TREE, '/etc/u/all.target': '[Unit]\nWants=a.service b.service\n' });
  const registry = createRegistry({ files: world.files, facts: testFacts, paths: PATHS, clock: world.clock });
  const names = registry.load(['all.target']).map(({ name }) => name);
  const { graph } = registry;
  expect(registry.reload(names)).toEqual({ units: graph.units(), changed: [] });
  expect(registry.graph).toBe(graph);
  world.put('/etc/u/a.service', '[Unit]\nWants=new.service\n[Service]\nExecStart=/bin/true\n');
  const { changed } = registry.reload(names);
  expect(changed.map(({ name }) => name)).toEqual(['a.service', 'new.service']);
  expect(registry.graph.others('a.service', 'Wants')).toEqual(['new.service']);
  expect(registry.graph.others('a.service', 'WantedBy')).toEqual(['all.target']);
});

test('a timer that names a time zone is read again when the zones have changed', () => {
  const zone = '/usr/share/zoneinfo/Mars/Base';
  // tzfile(5): one type of local time, and no transitions; both halves of the file are the same then.
  const half = `TZif2${'\0'.repeat(15)}${[0, 0, 0, 0, 1, 4].map((count) => `\0\0\0${String.fromCharCode(count)}`).join('')}${'\0'.repeat(6)}MST\0`;
  const world = disk({ '/etc/u/a.timer': '[Timer]\nOnCalendar=*-*-* 05:00:00 Mars/Base\n' });
  const loader = loaderOf(world);
  const faults = () => loader.load('a.timer').findings.filter(({ severity }) => severity !== 'note');
  expect(faults()).not.toEqual([]);
  world.put(zone, `${half}${half}\nMST0\n`);
  loader.refresh();
  expect(faults()).toEqual([]);
  expect(loader.load('a.timer')).toEqual(freshly(world).load('a.timer'));
});
