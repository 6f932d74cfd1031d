import { beforeEach, expect, test } from 'vitest';
import type { EffectId, ExecSpec, Host, HostEvent, Report } from '../../src/host/ports.ts';
import { createSim, type Programs, type Sim, type SimOptions } from '../../src/host/sim/index.ts';

const programs: Programs = {
  '/bin/true': { run: [{ after: 10, exit: 0 }] },
  '/bin/daemon': {},
  '/bin/polite': { on: { 15: [{ after: 20, exit: 7 }] } },
  '/bin/deaf': { ignores: [15] },
  '/bin/broken': { fails: { step: 15, errno: 2, detail: 'nobody' } },
  '/bin/forking': {
    run: [
      { after: 5, fork: 'child', pidFile: '/run/forking.pid' },
      { after: 5, exit: 0 },
    ],
  },
  child: { on: { 1: [{ exit: 3 }] } },
  '/bin/notify': {
    run: [
      { after: 30, notify: 'READY=1' },
      { after: 10, notify: 'STATUS=well', notifyFds: 2 },
    ],
  },
  '/bin/flaky': { run: ({ count }) => (count < 2 ? [{ exit: 1 }] : []) },
};

let next = 0;
function id(): EffectId {
  next += 1;
  return { epoch: 1, seq: next, index: 0 };
}
const spec = (path: string, more: Partial<ExecSpec> = {}): ExecSpec => ({
  version: 1,
  unit: 'u',
  path,
  argv: [path],
  ...more,
});

/** A core that only listens. */
function listen(options: SimOptions = {}) {
  const sim = createSim({ programs, ...options });
  const events: HostEvent[] = [];
  let host: Host | undefined;
  sim.boot((given) => {
    host = given;
    given.start(
      (event) => void events.push(event),
      () => {},
    );
  });
  const reports = (): Report[] => events.flatMap((event) => (event.type === 'record' ? [event.record.what] : []));
  return {
    sim,
    events,
    reports,
    words: () => reports().map((report) => Object.keys(report)[0]),
    host: () => host as Host,
  };
}

const groups = (sim: Sim) => sim.processes.all().map(({ path }) => path);

beforeEach(() => {
  next = 0;
});

test('a spawn is answered by forked, execed and exited, with one serial', () => {
  const { sim, host, reports } = listen();
  host().process.spawn(id(), 'tag', spec('/bin/true'), []);
  sim.run(100);
  const startTime = expect.any(Number);
  expect(reports()).toEqual([
    { forked: { id: { epoch: 1, seq: 1, index: 0 }, tag: 'tag', serial: 1, pid: 100, startTime } },
    { execed: { id: { epoch: 1, seq: 1, index: 0 }, tag: 'tag', serial: 1 } },
    { exited: { tag: 'tag', serial: 1, pid: 100, ended: { exited: 0 } } },
  ]);
});

test.each([
  ['/bin/broken', 15, 2, 217],
  ['/bin/missing', 30, 2, 203],
])('%s fails in its step and then exits with the code of that step', (path, step, errno, code) => {
  const { sim, host, reports } = listen();
  host().process.spawn(id(), 'tag', spec(path), []);
  sim.run(10);
  expect(reports()[1]).toMatchObject({ 'spawn-failed': { serial: 1, step, errno } });
  expect(reports()[2]).toMatchObject({ exited: { serial: 1, ended: { exited: code } } });
});

test('a repeated effect is answered with the first outcome and done once', () => {
  const { sim, host, words } = listen();
  const spawn = id();
  for (let n = 0; n < 3; n += 1) host().process.spawn(spawn, 'tag', spec('/bin/daemon'), []);
  sim.run(10);
  expect(sim.started).toHaveLength(1);
  expect(words()).toEqual(['forked', 'forked', 'forked', 'execed']);
});

test.each([
  ['/bin/daemon', 15, ['signalled', 'exited'], { killed: 15 }],
  ['/bin/polite', 15, ['signalled', 'exited'], { exited: 7 }],
  ['/bin/deaf', 15, ['signalled'], undefined],
  ['/bin/deaf', 9, ['signalled', 'exited'], { killed: 9 }],
])('%s on signal %i', (path, signal, expected, ended) => {
  const { sim, host, reports, words } = listen();
  host().process.spawn(id(), 'tag', spec(path), []);
  sim.run(10);
  host().process.kill(id(), { process: { child: 1 } }, signal);
  sim.run(100);
  expect(words().slice(2)).toEqual(expected);
  if (ended !== undefined) expect(reports().at(-1)).toMatchObject({ exited: { ended } });
});

test('a signal for a process that is gone is answered by gone, and never hits another', () => {
  const { sim, host, words } = listen();
  host().process.spawn(id(), 'tag', spec('/bin/true'), []);
  sim.run(100);
  host().process.kill(id(), { process: { child: 1 } }, 9);
  host().process.kill(id(), { process: { watched: [100, 5] } }, 9);
  sim.run(1);
  expect(words().slice(3)).toEqual(['gone', 'gone']);
});

test('a forking daemon leaves its child to init, which tells of its end when it is watched', () => {
  const { sim, host, reports } = listen();
  host().process.spawn(id(), 'tag', spec('/bin/forking'), []);
  sim.run(100);
  const pid = Number(host().files.readText('/run/forking.pid'));
  const about = host().process.inspect(pid);
  expect(about).toMatchObject({ ppid: 1, comm: 'child' });
  host().process.watch(id(), 'main', pid, about?.startTime ?? 0);
  sim.signal(pid, 1);
  sim.run(10);
  expect(reports().at(-1)).toMatchObject({ 'watched-exited': { tag: 'main', pid, ended: { exited: 3 } } });
  host().process.watch(id(), 'late', pid, about?.startTime ?? 0);
  sim.run(10);
  expect(reports().at(-1)).toMatchObject({ 'watched-exited': { tag: 'late', ended: { exited: 3 } } });
});

test('a control group holds what was spawned into it, tells when it is empty, and is killed as one', () => {
  const { sim, host, events } = listen();
  const cgroups = [`${host().hello.cgroupRoot}/a.slice/b.service`];
  host().groups.watch('a.slice');
  host().process.spawn(id(), 'one', spec('/bin/daemon', { cgroups }), []);
  host().process.spawn(id(), 'two', spec('/bin/deaf', { cgroups }), []);
  sim.run(10);
  expect(host().groups.processes('a.slice')).toEqual([100, 101]);
  expect(host().groups.children('a.slice')).toEqual(['b.service']);
  expect(host().groups.remove('a.slice')).toBe(false);
  host().process.kill(id(), { group: { path: 'a.slice', except: [{ child: 1 }] } }, 9);
  sim.run(10);
  expect(groups(sim)).toEqual(['/bin/daemon']);
  host().process.kill(id(), { group: { path: 'a.slice/b.service', except: [] } }, 15);
  sim.run(10);
  expect(events.filter(({ type }) => type === 'group')).toEqual([
    { type: 'group', path: 'a.slice', populated: false },
    { type: 'group', path: 'a.slice', populated: true },
    { type: 'group', path: 'a.slice', populated: false },
  ]);
  expect(host().groups.remove('a.slice')).toBe(true);
  expect(host().groups.children('')).toEqual([]);
});

test('datagrams are peeked until they are consumed, and told again to a core that did not', () => {
  const { sim, host, events } = listen();
  const environment = ['NOTIFY_SOCKET=/run/u'];
  host().sockets.notify(id(), 'u', '/run/u');
  host().process.spawn(id(), 'tag', spec('/bin/notify', { environment }), []);
  sim.run(100);
  const texts = () => events.flatMap((event) => (event.type === 'datagram' ? [event.datagram.text] : []));
  expect(texts()).toEqual(['READY=1', 'STATUS=well']);
  const first = events.find((event) => event.type === 'datagram');
  host().sockets.consume((first as Extract<HostEvent, { type: 'datagram' }>).datagram, [], id());
  sim.killCore();
  sim.run(10);
  host().sockets.notify(id(), 'u', '/run/u');
  sim.run(10);
  expect(texts()).toEqual(['READY=1', 'STATUS=well', 'STATUS=well']);
});

test('descriptors that come with a datagram are stored under the names given when it is consumed', () => {
  const { sim, host, events, words } = listen();
  host().sockets.notify(id(), 'u', '/run/u');
  sim.notify('u', 'FDSTORE=1', { fds: 1 });
  sim.run(1);
  const event = events.find(({ type }) => type === 'datagram') as Extract<HostEvent, { type: 'datagram' }>;
  host().sockets.consume(event.datagram, ['u:kept'], id());
  sim.run(1);
  expect(host().sockets.stored('u:kept')).toBe(true);
  expect(words()).toEqual(['done', 'done']);
});

test('a listener tells once that somebody waits, and init accepts', () => {
  const { sim, host, events, reports } = listen();
  const listener = {
    kind: 'stream',
    address: '/run/web.sock',
    backlog: 1,
    socketMode: 0o666,
    directoryMode: 0o755,
    user: '',
    group: '',
    options: {},
  } as const;
  host().sockets.listen(id(), 'web', listener);
  expect(() => host().sockets.listen(id(), 'other', listener)).toThrow('EADDRINUSE');
  host().sockets.watch('web');
  sim.connect('/run/web.sock', { pid: 9, uid: 1000 });
  sim.connect('web');
  sim.run(1);
  expect(events.filter(({ type }) => type === 'readable')).toHaveLength(1);
  for (const name of ['c1', 'c2', 'c3']) host().process.accept(id(), 'web', name);
  sim.run(1);
  expect(reports().slice(1)).toMatchObject([
    { accepted: { name: 'c1', peerPid: 9, peerUid: 1000 } },
    { accepted: { name: 'c2' } },
    { failed: { errno: 11 } },
  ]);
});

test('children, descriptors and records outlive core; the next one hears of them', () => {
  const { sim, host, words } = listen();
  host().process.spawn(id(), 'tag', spec('/bin/daemon'), []);
  host().sockets.pipe(id(), 'log');
  host().init.mark(17, 1, 'a');
  sim.run(10);
  host().process.ack(1);
  sim.killCore();
  const before = words().length;
  sim.run(10);
  expect(words().slice(before)).toEqual(['done', 'execed']);
  expect(host().hello).toMatchObject({
    cores: 1,
    epoch: 1,
    children: [{ tag: 'tag', serial: 1, pid: 100, execed: true }],
    fds: ['log:r', 'log:w'],
    deaths: [{ seq: 17, phase: 1, actor: 'a', ended: { killed: 9 }, hung: false }],
  });
});

test('a dead core can do nothing more', () => {
  const sim = createSim({ programs, crashes: [{ at: 1, when: 'before' }] });
  const outcomes: string[] = [];
  sim.boot((host) => {
    for (const path of ['/bin/daemon', '/bin/true']) {
      try {
        host.process.spawn(id(), 'tag', spec(path), []);
        outcomes.push('done');
      } catch (error) {
        outcomes.push(String(error));
      }
    }
  });
  sim.run(0);
  expect(outcomes).toEqual([
    'Crash: core has died at call 1, before process.spawn',
    'Crash: core has died at process.spawn, after its death',
  ]);
  expect(sim.started).toEqual([]);
  expect(sim.deaths).toBe(1);
});

test('an error of core that is no crash reaches the test', () => {
  const { sim, host } = listen();
  expect(() =>
    sim.boot(() => {
      throw new Error('a bug');
    }),
  ).toThrow('a bug');
  expect(host().hello.cores).toBe(0);
});

test('time stands still while there is something to do, and wakes come at their time', () => {
  const { sim, host, events } = listen();
  const start = sim.nowMs;
  host().clock.wakeAt(start + 250);
  host().clock.wakeAt(start + 300);
  sim.run(299);
  expect(events).toEqual([]);
  sim.runUntilIdle();
  expect(events).toEqual([{ type: 'wake' }]);
  expect(sim.nowMs).toBe(start + 300);
});

test('files follow symlinks, name their errors, and tell of changes', () => {
  const { sim, host, events } = listen({
    files: {
      '/etc/a': 'text',
      '/etc/link': { symlink: 'a' },
      '/etc/loop': { symlink: 'loop' },
      '/etc/dir/b': 'b',
      '/lib': { symlink: 'usr/lib' },
      '/usr/lib/x': 'x',
    },
  });
  const { files } = host();
  expect(files.readText('/etc/link')).toBe('text');
  expect(files.readText('/lib/x')).toBe('x');
  expect(files.lstat('/etc/link')?.kind).toBe('symlink');
  expect(files.stat('/etc/link')?.kind).toBe('file');
  expect(files.list('/etc')).toEqual(['a', 'dir', 'link', 'loop']);
  expect(files.readText('/etc/none')).toBeUndefined();
  expect(() => files.readText('/etc/loop')).toThrow('ELOOP');
  expect(files.list('/etc/a')).toBeUndefined();
  expect(() => files.remove('/etc/dir')).toThrow('EISDIR');
  expect(() => files.writeText('/run/x.pid', '1', 0o644)).toThrow('ENOENT');
  files.mkdirs('/run', 0o755);
  sim.files.broken.set('/etc/a', 'EIO');
  expect(() => files.readText('/etc/a')).toThrow('EIO');
  files.watch('/run/x.pid');
  files.writeText('/run/x.pid', '1', 0o644);
  files.removeTree('/etc/dir');
  expect(files.list('/etc')).toEqual(['a', 'link', 'loop']);
  sim.run(1);
  expect(events).toEqual([{ type: 'path', path: '/run/x.pid' }]);
});

test('a client hears what it is sent, until core closes it or dies', () => {
  const { sim, host, events } = listen();
  const client = sim.client({ uid: 5 });
  client.send('{}');
  sim.run(1);
  expect(events).toMatchObject([{ what: { opened: { uid: 5 } } }, { what: { message: '{}' } }]);
  host().api.send(client.session, 'hello');
  expect(client.received).toEqual(['hello']);
  sim.killCore();
  expect(client.closed).toBe(true);
});

test('the same seed gives the same run, another one another', () => {
  const run = (seed: number) => {
    const { sim, host, events } = listen({ seed, faults: { jitterMs: 50, forkFails: 0.3, splitBatches: true } });
    next = 0;
    for (let n = 0; n < 20; n += 1)
      host().process.spawn(id(), `t${n}`, spec(n % 2 === 0 ? '/bin/true' : '/bin/flaky'), []);
    sim.run(500);
    return JSON.stringify(events);
  };
  expect(run(3)).toBe(run(3));
  expect(run(3)).not.toBe(run(4));
});
