/** Why: what is kept, what is said of processes, of starts and of rings, each apart from a running system. */
import { describe, expect, test } from 'vitest';
import { blockedOn, blockedWords } from '../../src/actors/blocked.ts';
import { causeWords, endWords, processWords, signalWords } from '../../src/actors/causes.ts';
import { consoleIsWanted, progressLines } from '../../src/actors/console.ts';
import { type EventsState, eventsKind, remember } from '../../src/actors/events.ts';
import {
  HISTORY_MAX,
  type History,
  historySince,
  lastWords,
  loadHistory,
  NO_HISTORY,
  patchHistory,
  record,
  recordsOf,
  saveHistory,
} from '../../src/actors/history.ts';
import { callerWords } from '../../src/actors/requests.ts';
import { Why } from '../../src/actors/why.ts';
import { afterFailure, nextOfService } from '../../src/actors/why-next.ts';
import { askerWords } from '../../src/actors/why-words.ts';
import type { WhyWorld } from '../../src/actors/why-world.ts';
import type { Cause } from '../../src/api/insight.ts';
import { type Host, HostError, type UnixPeer } from '../../src/host/ports.ts';
import { proposedCuts } from '../../src/jobs/cycles.ts';
import type { InstalledJob } from '../../src/jobs/types.ts';
import { newService, type ServiceContext, type ServiceSettings } from '../../src/machines/service-context.ts';
import type { UnitSnapshot } from '../../src/machines/view.ts';
import { orderingCycles, RINGS_MAX } from '../../src/units/cycles.ts';
import { graphOf } from './support/job-world.ts';

const job = (id: number, unit: string, more: Partial<InstalledJob> = {}): InstalledJob => ({
  id,
  unit,
  type: 'start',
  state: 'waiting',
  irreversible: false,
  ignoreOrder: false,
  optional: false,
  by: 'uid 0, pid 41 (sctl start a)',
  mode: 'replace',
  createdMs: 1,
  startedMs: null,
  reasons: [{ asked: 'uid 0, pid 41 (sctl start a)' }],
  blockers: 0,
  ...more,
});

describe('the history', () => {
  const many = (count: number): History => {
    let history = NO_HISTORY;
    for (let n = 1; n <= count; n += 1)
      history = record(history, n, { kind: 'process', unit: 'a.service', what: `process ${n}` });
    return history;
  };

  test('keeps the newest records and no more than its bound', () => {
    const kept = recordsOf(many(3 * HISTORY_MAX));
    expect(kept.length).toBeLessThanOrEqual(HISTORY_MAX);
    expect(kept.length).toBeGreaterThan(HISTORY_MAX / 2);
    expect(kept.at(-1)?.n).toBe(3 * HISTORY_MAX);
    expect(kept[0]?.n).toBe(3 * HISTORY_MAX - kept.length + 1);
  });

  test('comes back from the checkpoint as it was, from an image and from what followed it', () => {
    const before = remember(many(100), 5, { jobsNew: [job(1, 'a.service')] });
    let after = remember(before, 6, {
      unit: 'a.service',
      was: 'inactive',
      active: 'active',
      sub: 'running',
      cause: 'start',
    });
    after = remember(after, 7, { jobRemoved: { id: 1, unit: 'a.service', type: 'start', result: 'failed' }, why: 'a' });
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
    const patched = patchHistory(plain(saveHistory(before)), plain(historySince(before, after)));
    expect(loadHistory(patched)).toEqual(loadHistory(plain(saveHistory(after))));
    expect(recordsOf(loadHistory(patched))).toEqual(recordsOf(after));
    expect(lastWords(loadHistory(patched), 'a.service')).toEqual(lastWords(after, 'a.service'));
  });

  test('writes only what is new to the checkpoint', () => {
    const before = many(500);
    const after = remember(before, 6, { core: 'core came up' });
    expect(historySince(before, after)).toEqual({
      next: 502,
      r: [{ n: 501, atMs: 6, kind: 'core', unit: '', what: 'core came up' }],
    });
  });

  test('remembers who wanted a unit last, after its records are gone', () => {
    const edge = {
      from: 'm.target',
      kind: 'Wants',
      to: 'a.service',
      origin: { file: '/etc/m.target', line: 2 },
    } as const;
    let history = remember(NO_HISTORY, 1, {
      jobsNew: [job(7, 'a.service', { reasons: [{ edge, because: 'm.target' }] })],
    });
    for (let n = 0; n < 2 * HISTORY_MAX; n += 1) history = remember(history, n, { core: 'x' });
    expect(recordsOf(history).every(({ kind }) => kind === 'core')).toBe(true);
    expect(lastWords(history, 'a.service').up).toMatchObject({ job: 7, by: 'uid 0, pid 41 (sctl start a)', edge });
  });

  test('keeps a cut until unit files are read anew', () => {
    const edge = { from: 'a.service', kind: 'After', to: 'b.service', origin: { rule: 'x' } } as const;
    const cut = remember(NO_HISTORY, 1, { cut: { edge, ring: ['a.service', 'b.service'], why: 'weak' } });
    expect(lastWords(cut, 'a.service').cuts).toHaveLength(1);
    expect(lastWords(cut, 'b.service').cuts).toHaveLength(1);
    expect(lastWords(remember(cut, 2, { reloaded: true }), 'a.service').cuts).toBeUndefined();
  });
});

describe('the actor of events', () => {
  const kind = eventsKind({ publish: () => {}, sayProgress: () => true, lookForStall: () => {}, sayCycles: () => {} });
  const step = (state: EventsState, event: { type: string; [field: string]: unknown }) => kind.logic.step(state, event);
  const start = kind.logic.initial(null).snapshot as EventsState;

  test('begins to look after jobs with the first one, and stops when none is left', () => {
    const first = step(start, { type: 'tell', atMs: 1, what: { jobsNew: [job(1, 'a.service')] } });
    expect(first.effects.map(({ type }) => type)).toEqual(['publish', 'armDeadline']);
    const second = step(first.snapshot, { type: 'tell', atMs: 2, what: { jobsNew: [job(2, 'b.service')] } });
    expect(second.effects.map(({ type }) => type)).toEqual(['publish']);
    expect(step(second.snapshot, { type: 'idle' }).effects).toEqual([
      { type: 'disarmDeadline', params: { name: 'jobs' } },
    ]);
  });

  test('asks less and less often', () => {
    const watching = { ...start, watching: true };
    const waits = [0, 1, 2, 3, 4, 50].map((round) => {
      const [arm] = step(watching, { type: 'progress', left: true, round }).effects;
      return (arm?.params as { ms: number } | undefined)?.ms ?? -1;
    });
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(step(watching, { type: 'progress', left: false, round: 1 }).snapshot.watching).toBe(false);
  });

  test('looks for cycles whenever units were loaded or read anew', () => {
    const soon = { type: 'armDeadline', params: { name: 'cycles', ms: 0 } };
    expect(step(start, { type: 'loaded' }).effects).toEqual([soon]);
    expect(step(start, { type: 'deadline', name: 'cycles' }).effects.map(({ type }) => type)).toEqual(['sayCycles']);
    const { effects } = step(start, { type: 'tell', atMs: 1, what: { reloaded: true } });
    expect(effects.map(({ type }) => type)).toEqual(['publish', 'sayCycles']);
  });

  test('takes over from a core whose events had no state', () => {
    expect(kind.logic.load(null, 1)).toEqual(start);
  });
});

describe('causes', () => {
  const snapshot = (context: Partial<ServiceContext>) =>
    ({ value: 'x', context, tags: new Set() }) as unknown as UnitSnapshot;

  test.each([
    [{ exited: 0 }, 'status=0/SUCCESS'],
    [{ exited: 203 }, 'status=203/EXEC'],
    [{ killed: 9 }, 'signal=SIGKILL'],
    [{ dumped: 11 }, 'signal=SIGSEGV (core dumped)'],
    [null, ''],
  ])('%j is %s', (ended, words) => expect(endWords(ended)).toBe(words));

  test('an exit names the command of the process', () => {
    const main = { run: 3, list: 'ExecStart', index: 0 } as ServiceContext['main'];
    const event = { type: 'exited', role: 'main', run: 3, pid: 41, ended: { exited: 1 } };
    expect(processWords(event, snapshot({ main }))).toBe('process 41 (ExecStart=) exited, status=1/FAILURE');
    expect(causeWords(event, snapshot({ main }))).toBe('process 41 (ExecStart=) exited, status=1/FAILURE');
  });

  test.each([
    [{ type: 'deadline', name: 'TimeoutStartSec' }, 'TimeoutStartSec= is over'],
    [{ type: 'notify', state: 'ready', pid: 7 }, 'READY=1 from process 7'],
    [{ type: 'stop', restarting: true }, 'stop, to be started again'],
    [{ type: 'spawn-failed', why: 'cannot change the directory' }, 'cannot change the directory'],
  ])('%j is told as %s', (event, words) => expect(causeWords(event, snapshot({}))).toBe(words));

  test('signals are told with whom they went to', () => {
    const settings = { KillMode: 'control-group', KillSignal: 15 } as ServiceSettings;
    const main = { pid: 41 } as ServiceContext['main'];
    const before = snapshot({ settings, main, control: null, killing: null, restarting: false });
    const killing = { operation: 'terminate', processes: true, group: true } as const;
    expect(signalWords(before, snapshot({ settings, main, control: null, killing, restarting: false }))).toBe(
      'SIGTERM to process 41 and the control group',
    );
    expect(signalWords(before, before)).toBeUndefined();
  });
});

describe('who asked', () => {
  test.each([
    ['a.timer: it is time', 'the timer a.timer: it is time'],
    ['a.socket: a connection came', 'the socket a.socket: a connection came'],
    ['a.service: Restart=always after exit-code', 'the restart rule of a.service: Restart=always after exit-code'],
    ['the boot', 'the boot'],
    ['uid 0, pid 41 (sctl start a)', 'uid 0, pid 41 (sctl start a)'],
  ])('%s', (by, words) => expect(askerWords(by)).toBe(words));

  const proc = (files: Readonly<Record<string, string>>, links: Readonly<Record<string, string>> = {}) =>
    ({
      files: {
        readText(path: string) {
          if (files[path] === 'EACCES') throw new HostError('EACCES', path);
          return files[path];
        },
        readBytes: (path: string) => (files[path] === undefined ? undefined : new TextEncoder().encode(files[path])),
        readlink: (path: string) => links[path],
        list: (path: string) =>
          Object.keys(links)
            .filter((name) => name.startsWith(`${path}/`))
            .map((name) => name.slice(path.length + 1)),
      },
      process: {
        inspect: (pid: number) => ({ ppid: 1, startTime: 1, group: 'system.slice/b.service', comm: `p${pid}` }),
        unixPeer: (inode: number) => PEERS[inode],
        socketHolders: (inodes: readonly number[]) =>
          inodes.flatMap((inode) => (HOLDERS[inode] ?? []).map((pid) => ({ inode, pid }))),
      },
      hello: { pid: 1 },
      facts: { architecture: 'x86-64' },
    }) as unknown as Host;
  /** Sockets 71 to 79 are connected, each in a way of its own; init (pid 1) holds listeners too. */
  const PEERS: Readonly<Record<number, UnixPeer>> = {
    71: { peer: 81, listener: 0, name: '/run/b.sock' },
    72: { peer: 0, listener: 82, name: '@name' },
    73: { peer: 0, listener: 0 },
  };
  const HOLDERS: Readonly<Record<number, readonly number[]>> = { 81: [50], 82: [1, 51], 83: [52], 84: [1] };
  const caller = { session: 1, ticket: 1, pid: 41, uid: 0, gid: 0 };

  test('a client is known by user, login, pid and command', () => {
    const files = { '/proc/41/cmdline': '/usr/bin/sctl\0start\0web\0', '/proc/41/loginuid': '1000' };
    expect(callerWords(proc(files), caller)).toBe('uid 0 (login uid 1000), pid 41 (sctl start web)');
  });

  test('a script is known by its own name, and a long line is cut', () => {
    const files = { '/proc/41/cmdline': `/usr/bin/node\0/usr/lib/sctl.mjs\0start\0${'x'.repeat(500)}\0` };
    expect(callerWords(proc(files), caller)).toMatch(/^uid 0, pid 41 \(sctl start x{100,}…\)$/);
  });

  test('a client that is gone or hidden is known by its numbers', () => {
    expect(callerWords(proc({}), caller)).toBe('uid 0, pid 41');
    expect(callerWords(proc({ '/proc/41/cmdline': 'EACCES' }), caller)).toBe('uid 0, pid 41');
  });

  describe('what a process is blocked on', () => {
    test('a shell is followed to the child it waits for, and that to its socket', () => {
      const files = {
        '/proc/41/stat': '41 (sh) S 1',
        '/proc/41/wchan': 'do_wait',
        '/proc/41/syscall': '61 0xffffffff 0x0 0x0 0x0 0x0 0x0 0x0 0x0',
        '/proc/41/task/41/children': '42 ',
        '/proc/42/stat': '42 (a (b) c) S 41',
        '/proc/42/wchan': 'inet_wait_for_connect',
        '/proc/42/syscall': '42 0x3 0x0 0x0 0x0 0x0 0x0 0x0 0x0',
        '/proc/42/net/tcp': 'sl\n 0: 0100007F:C350 0200000A:0050 02 0:0 0:0 0 0 0 77 1\n',
      };
      const found = blockedOn(proc(files, { '/proc/42/fd/3': 'socket:[77]' }), 41);
      expect(found).toMatchObject({ command: 'sh', channel: 'do_wait', child: { command: 'a (b) c' } });
      expect(blockedWords(found!)).toBe(
        'process 41 (sh) waits for a child (wait4) [do_wait]: process 42 (a (b) c) connects by tcp 10.0.0.2:80, connecting (connect) [inet_wait_for_connect]',
      );
    });

    const reading = { '/proc/41/stat': '41 (a) S 1', '/proc/41/syscall': '0 0x3 0x0' };
    test.each([
      ['71', 'reads unix socket /run/b.sock of process 50 (p50, b.service) (read)'],
      ['72', 'reads unix socket @name of process 51 (p51, b.service), which nobody has accepted yet (read)'],
      ['73', 'reads unix socket (read)'],
      ['74', 'reads unix socket /run/own (read)'],
    ])('unix socket %s: %s', (inode, doing) => {
      const rows = ['71', '72', '73'].map((one) => `0: 2 0 0 1 3 ${one}`);
      const files = { ...reading, '/proc/41/net/unix': `Num\n${rows.join('\n')}\n0: 2 0 0 1 1 74 /run/own\n` };
      expect(blockedOn(proc(files, { '/proc/41/fd/3': `socket:[${inode}]` }), 41)?.doing).toBe(doing);
    });

    test('the other end of a TCP connection is found by its addresses, and what is not accepted by the listener', () => {
      const tcp = [
        ' 0: 0100007F:0050 00000000:0000 0A 0:0 0:0 0 0 0 84 1',
        ' 1: 0100007F:C350 0100007F:0051 01 0:0 0:0 0 0 0 77 1',
        ' 2: 0100007F:0051 0100007F:C350 01 0:0 0:0 0 0 0 83 1',
        ' 3: 0100007F:C351 0100007F:0050 01 0:0 0:0 0 0 0 78 1',
        ' 4: 0100007F:0050 0100007F:C351 01 0:0 0:0 0 0 0 0 1',
      ];
      const files = { ...reading, '/proc/41/net/tcp': `sl\n${tcp.join('\n')}\n` };
      const of = (inode: string) => blockedOn(proc(files, { '/proc/41/fd/3': `socket:[${inode}]` }), 41)?.sockets[0];
      expect(of('77')).toMatchObject({ queued: '', others: [{ pid: 52, command: 'p52', unit: 'b.service' }] });
      expect(of('78')).toMatchObject({ queued: '127.0.0.1:80', others: [] });
      expect(of('78')?.words).toBe('tcp 127.0.0.1:80, which nobody has accepted yet');
    });

    test('a process whose files may not be read is still named', () => {
      const files = { '/proc/41/stat': '41 (x) D 1', '/proc/41/wchan': 'EACCES', '/proc/41/syscall': 'EACCES' };
      expect(blockedWords(blockedOn(proc(files), 41)!)).toBe('process 41 (x) sleeps, and cannot be interrupted');
    });

    test('one that is gone is nothing', () => expect(blockedOn(proc({}), 41)).toBeUndefined());
  });
});

describe('what comes next', () => {
  const settings = {
    Type: 'notify',
    Restart: 'on-failure',
    RestartSec: 100,
    TimeoutStartFailureMode: 'terminate',
    KillSignal: 15,
    SendSIGKILL: true,
    FinalKillSignal: 9,
    StartLimitIntervalSec: 10_000,
    StartLimitBurst: 5,
    RestartPreventExitStatus: { statuses: [], signals: [] },
    RestartForceExitStatus: { statuses: [], signals: [] },
  } as unknown as ServiceSettings;
  const context = (more: Partial<ServiceContext>): ServiceContext => ({ ...newService(settings), ...more });

  test('a start that waits for READY=1 fails in time, and is tried again', () => {
    const now = context({
      deadline: { name: 'TimeoutStartSec', dueMs: 13_000 },
      startLimit: { beganMs: 0, starts: 2 },
    });
    expect(nextOfService(now, 'start', 1000)).toEqual([
      'if READY=1 does not come within 12s, the start fails with timeout (TimeoutStartSec=, then SIGTERM); then Restart=on-failure starts it again after 100ms, attempt 3 of 5 in 10s',
    ]);
  });

  test('a start without a time-out is said to wait without end', () => {
    const now = context({ deadline: { name: 'TimeoutStartSec', dueMs: 'infinity' } });
    expect(nextOfService(now, 'start', 0)[0]).toContain('waits without end');
  });

  test('the last attempt is followed by a refusal', () => {
    const now = context({ startLimit: { beganMs: 0, starts: 5 } });
    expect(afterFailure(now, 'timeout', 1000)).toContain('which is refused: it has been started 5 times in 10s');
    expect(afterFailure({ ...now, settings: { ...settings, Restart: 'no' } }, 'timeout', 0)).toBe(
      'it stays failed (Restart=no)',
    );
  });

  test('a stop ends with SIGKILL', () => {
    const now = context({ deadline: { name: 'TimeoutStopSec', dueMs: 30_000 } });
    expect(nextOfService(now, 'stop-sigterm', 0)).toEqual([
      'what has not ended within 30s gets SIGKILL (TimeoutStopSec=)',
    ]);
  });

  test.each([
    ['quiet', true],
    ['systemd.show_status=no', false],
    ['systemd.show_status=0 systemd.show_status=auto', true],
  ])('with %j on the kernel command line the console is told: %s', (line, wanted) =>
    expect(consoleIsWanted(line)).toBe(wanted),
  );
});

describe('who wanted it', () => {
  /** A chain in which each unit requires the next, up to the last, of which it is asked why its job is there. */
  const chain = (length: number): readonly string[] => {
    const name = (at: number) => `u${at}.service`;
    const edge = (at: number) => ({
      from: name(at - 1),
      kind: 'Requires' as const,
      to: name(at),
      origin: { file: `/etc/${name(at - 1)}`, line: 2 },
    });
    const world = {
      host: { clock: { nowMs: () => 5, realMs: () => 5 } },
      job: () => ({ ...job(7, name(length)), again: [], waits: [], started: undefined, created: undefined }),
      last(unit: string) {
        const at = Number(/\d+/.exec(unit)?.[0]);
        return { up: { atMs: 1, job: 7, by: 'uid 0', edge: at === 0 ? null : edge(at), because: '' } };
      },
      deadlines: () => ({}),
      edges: () => [],
    } as unknown as WhyWorld;
    const told: string[] = [];
    let cause: Cause | undefined = new Why(world).job(7, new Set());
    while (cause !== undefined) {
      told.push(cause.what);
      cause = cause.below[0];
    }
    return told;
  };

  test('is told along each edge, back to the request', () => {
    expect(chain(2)).toEqual([
      'job 7 (start u2.service) waits',
      'u1.service Requires u2.service, from /etc/u1.service:2',
      'u0.service Requires u1.service, from /etc/u0.service:2',
      'asked for by uid 0',
    ]);
  });

  test('is told of a way of ten thousand edges, too, without its middle', () => {
    const told = chain(10_000);
    expect(told).toHaveLength(27);
    expect(told[13]).toBe('… which is wanted along 9976 more such lines');
    expect(told.slice(-2)).toEqual(['u0.service Requires u1.service, from /etc/u0.service:2', 'asked for by uid 0']);
  });
});

describe('ordering cycles', () => {
  const knot = (declared: Parameters<typeof graphOf>[0]) => {
    const graph = graphOf(declared);
    const units = () => graph.units().map((name) => ({ name })) as never;
    return { graph, cycles: orderingCycles({ units, edges: graph.edges }) };
  };

  test('all elementary rings of a knot are told, the shortest first', () => {
    const { cycles } = knot({
      'a.service': { After: 'b.service c.service' },
      'b.service': { After: 'a.service c.service' },
      'c.service': { After: 'a.service b.service' },
    });
    const rings = cycles[0]?.rings.map((ring) => ring.map(({ from }) => from[0]).join(''));
    expect(rings).toEqual(['ab', 'ac', 'bc', 'abc', 'acb']);
    expect(cycles[0]?.more).toBe(false);
  });

  test('a knot with more rings than are told says so, and a larger one takes no longer', () => {
    const names = Array.from({ length: 300 }, (_, at) => `u${at}.service`);
    const { cycles } = knot(Object.fromEntries(names.map((name) => [name, { After: names.slice(0, 40).join(' ') }])));
    expect(cycles[0]?.rings).toHaveLength(RINGS_MAX);
    expect(cycles[0]?.more).toBe(true);
  });

  test('what is proposed breaks every ring, at its weakest edge, and is the same in any order', () => {
    const declared = {
      'a.service': { After: 'b.service', Requires: 'b.service' },
      'b.service': { After: 'c.service', Wants: 'c.service' },
      'c.service': { After: 'a.service' },
    };
    const { graph, cycles } = knot(declared);
    const cuts = proposedCuts(graph, cycles[0]?.members ?? []);
    expect(cuts.map(({ edge }) => `${edge.from} ${edge.to}`)).toEqual(['c.service a.service']);
    const backwards = graphOf(declared, (list) => list.reverse());
    expect(proposedCuts(backwards, cycles[0]?.members ?? [])).toEqual(cuts);
    expect(proposedCuts(graph, ['a.service', 'b.service'])).toEqual([]);
  });

  test('a ring of 5,000 units has one ring and one cut', () => {
    const name = (at: number) => `u${String(at % 5000).padStart(4, '0')}.service`;
    const { graph, cycles } = knot(
      Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [name(at), { After: name(at + 1) }])),
    );
    expect(cycles[0]?.members).toHaveLength(5000);
    expect(cycles[0]?.rings.map((ring) => ring.length)).toEqual([5000]);
    expect(proposedCuts(graph, cycles[0]?.members ?? [])).toHaveLength(1);
  });
});

test('of many jobs that take long the console names three each time, and all of them in turn', () => {
  const host = { clock: { nowMs: () => 9000 } } as never;
  const began = { realUs: 0, monotonicUs: 4_000_000 };
  const jobs = Array.from({ length: 7 }, (_, at) => ({
    ...{ id: at, unit: `u${at}.service`, type: 'start', state: 'running', created: began, started: began },
    waits: [{ why: `u${at}.service waits for READY=1`, sinceUs: 0 }],
  })) as never;
  const named = [0, 1, 2, 3].map((round) => progressLines(jobs, host, round));
  expect(named[0]?.[0]).toBe(
    '[ ***  ] (1 of 7) A start job is running for u0.service (5s / no limit): waits for READY=1',
  );
  expect(named.map((lines) => lines.map((line) => /\((\d) of 7\)/.exec(line)?.[1] ?? line))).toEqual([
    ['1', '2', '3', '[ ***  ] and 4 more; sctl list-jobs names them'],
    ['4', '5', '6', '[ ***  ] and 4 more; sctl list-jobs names them'],
    ['7', '[ ***  ] and 6 more; sctl list-jobs names them'],
    ['1', '2', '3', '[ ***  ] and 4 more; sctl list-jobs names them'],
  ]);
  expect(progressLines([], host, 1)).toEqual([]);
});
