/** One session of the API: messages in, messages out. */
import { describe, expect, test } from 'vitest';
import type { ManagerEvent } from '../../src/api/manager.ts';
import { MAX_UNITS } from '../../src/api/methods/jobs.ts';
import { MAX_MESSAGE, MAX_QUEUE } from '../../src/api/session.ts';
import { createSessions, MAX_SESSIONS_PER_UID } from '../../src/api/sessions.ts';
import { fakeManager } from './support/fake-manager.ts';
import { NOON } from './support/fake-units.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into by their path; what is not there fails the test.
type Answer = Record<string, any>;

/** A manager with its sessions and what was sent, per session. */
function world(uid = 0) {
  const manager = fakeManager();
  const sent = new Map<number, Answer[]>();
  const closed: number[] = [];
  const faults: unknown[] = [];
  const sessions = createSessions({
    manager,
    coreUid: 0,
    port: {
      send: (session, message) => {
        sent.set(session, [...(sent.get(session) ?? []), JSON.parse(message)]);
      },
      close: (session) => {
        closed.push(session);
      },
    },
    log: {
      log: (_, fields, message) => {
        if (message === 'faulty reply of the API') faults.push(fields['fault']);
      },
    },
  });
  manager.answer = ({ session, ticket }, answer) => sessions.answered(session, ticket, answer);
  const open = (session: number, asUid = uid) =>
    sessions.client(session, { opened: { pid: 1000 + session, uid: asUid, gid: asUid } });
  const say = (session: number, message: unknown) =>
    sessions.client(session, { message: typeof message === 'string' ? message : JSON.stringify(message) });
  const heard = (session: number) => sent.get(session) ?? [];
  /** One call on a session of its own, and its one answer. */
  let next = 1000;
  const call = (method: string, parameters: object = {}) => {
    next += 1;
    open(next);
    say(next, { method, parameters });
    expect(heard(next)).toHaveLength(1);
    return heard(next)[0]!;
  };
  open(1);
  return { manager, sessions, open, say, heard, closed, faults, call };
}

describe('calls', () => {
  test('GetInfo names every interface, and each of them describes itself', () => {
    const { call } = world();
    const { interfaces } = call('org.varlink.service.GetInfo').parameters;
    expect(interfaces).toEqual([
      'io.sysmaster.Chaos',
      'io.sysmaster.Events',
      'io.sysmaster.Insight',
      'io.sysmaster.Jobs',
      'io.sysmaster.Machines',
      'io.sysmaster.Manager',
      'io.sysmaster.Recorder',
      'io.sysmaster.Snapshots',
      'io.sysmaster.Units',
      'org.varlink.service',
    ]);
    for (const name of interfaces) {
      const { description } = call('org.varlink.service.GetInterfaceDescription', { interface: name }).parameters;
      expect(description).toContain(`interface ${name}\n`);
    }
  });

  test('an unknown interface, method or parameter is a Varlink error that names it', () => {
    const { call } = world();
    expect(call('no.such.Thing')).toEqual({
      error: 'org.varlink.service.InterfaceNotFound',
      parameters: { interface: 'no.such' },
    });
    expect(call('nonsense')).toEqual({ error: 'org.varlink.service.InterfaceNotFound', parameters: { interface: '' } });
    expect(call('io.sysmaster.Units.Dance').error).toBe('org.varlink.service.MethodNotFound');
    expect(call('org.varlink.service.GetInterfaceDescription', { interface: 'a.b' }).error).toBe(
      'org.varlink.service.InterfaceNotFound',
    );
    expect(call('io.sysmaster.Units.Get', { name: 'web.service', colour: 1 })).toEqual({
      error: 'org.varlink.service.InvalidParameter',
      parameters: { parameter: 'colour: no such member' },
    });
    expect(call('io.sysmaster.Units.Get', {}).parameters.parameter).toBe('name: expected string, found nothing');
    expect(call('io.sysmaster.Units.States', { names: ['a', 7] }).parameters.parameter).toBe(
      'names.1: expected string, found number',
    );
  });

  test('every read answers in the form that its interface promises', () => {
    const { call, faults } = world();
    const reads: [string, object][] = [
      ['Manager.Get', {}],
      ['Manager.Properties', {}],
      ['Manager.Supervisors', {}],
      ['Manager.Findings', {}],
      ['Manager.Findings', { unit: 'crash.service' }],
      ['Units.List', { patterns: ['*.service'], types: ['service'], states: ['failed'] }],
      ['Units.States', { names: ['web.service', 'nowhere.service'] }],
      ['Units.Properties', { name: 'web.service' }],
      ['Units.Cat', { name: 'web.service' }],
      ['Units.Files', {}],
      ['Units.FileStates', { names: ['web.service', 'nowhere.service'] }],
      ['Units.Dependencies', { name: 'multi-user.target', kinds: ['Wants', 'Requires'] }],
      ['Units.Edges', { name: 'web.service' }],
      ['Units.Edges', { kinds: ['After', 'Wants'] }],
      ['Jobs.List', {}],
      ['Jobs.Plan', { verb: 'start', units: ['web.service'] }],
      ['Machines.Get', { actor: 'web.service' }],
      ...['web.service', 'web.socket', 'crash.service', 'gone.service', 'basic.target', 'nowhere.service'].map(
        (name): [string, object] => ['Units.Get', { name, processes: true }],
      ),
    ];
    for (const [method, parameters] of reads) {
      expect({ method, ...call(`io.sysmaster.${method}`, parameters) }, method).not.toHaveProperty('error');
    }
    expect(faults).toEqual([]);
  });

  test('a list is filtered by glob, type and any of the three states', () => {
    const { call } = world();
    const names = (parameters: object) =>
      call('io.sysmaster.Units.List', parameters).parameters.units.map((unit: { name: string }) => unit.name);
    expect(names({ patterns: ['w*'] })).toEqual(['web.service', 'web.socket']);
    expect(names({ states: ['failed'] })).toEqual(['crash.service']);
    expect(names({ states: ['masked'] })).toEqual(['gone.service']);
    expect(names({ types: ['target'], patterns: ['b?sic*'] })).toEqual(['basic.target']);
  });

  test('dependencies are told breadth first, each unit once', () => {
    const { call } = world();
    const { nodes } = call('io.sysmaster.Units.Dependencies', {
      name: 'multi-user.target',
      kinds: ['Wants', 'Requires', 'Triggers'],
    }).parameters;
    expect(nodes.map((node: { name: string; below: string[] }) => [node.name, node.below])).toEqual([
      ['multi-user.target', ['basic.target', 'web.service']],
      ['basic.target', []],
      ['web.service', ['crash.service', 'web.socket']],
      ['crash.service', []],
      ['web.socket', ['web.service']],
    ]);
  });

  test('a name that cannot be a unit is refused with what to do', () => {
    const { call } = world();
    for (const name of ['', 'nodot', '.service', 'a b.service', `${'x'.repeat(300)}.service`, 'a/b.service', 'x.']) {
      const answer = call('io.sysmaster.Units.Get', { name });
      expect(answer.error, name).toBe('io.sysmaster.Manager.BadRequest');
      expect(answer.parameters.todo).not.toBe('');
    }
  });

  test('a read that throws costs its call and is reported, and the session goes on', () => {
    const { manager, say, heard, faults } = world();
    manager.jobs = () => {
      throw new TypeError('broken');
    };
    say(1, { method: 'io.sysmaster.Jobs.List' });
    say(1, { method: 'io.sysmaster.Manager.Get' });
    expect(heard(1)[0]!.error).toBe('io.sysmaster.Manager.Faulty');
    expect(heard(1)[1]).toHaveProperty('parameters.manager');
    expect(String(faults[0])).toContain('broken');
  });

  test('a reply that does not fit the interface is sent and reported', () => {
    const { manager, say, heard, faults } = world();
    manager.view = { ...manager.view, pid: 1.5 };
    say(1, { method: 'io.sysmaster.Manager.Get' });
    expect(heard(1)[0]).toHaveProperty('parameters.manager.pid', 1.5);
    expect(faults).toEqual(['io.sysmaster.Manager.Get answers manager.pid: expected int, found number']);
  });
});

describe('changes', () => {
  const start = {
    method: 'io.sysmaster.Jobs.Request',
    parameters: { verb: 'start', units: ['idle.service'], requestId: 'r1' },
  };

  test('a request is answered when core answers, and calls behind it wait their turn', () => {
    const { manager, say, heard } = world();
    manager.hold = true;
    say(1, start);
    say(1, { method: 'io.sysmaster.Units.States', parameters: { names: ['idle.service'] } });
    expect(heard(1)).toEqual([]);
    manager.release();
    expect(heard(1)[0]).toEqual({
      parameters: { outcomes: [{ unit: 'idle.service', job: 100, result: 'done', notes: [] }] },
    });
    expect(heard(1)[1]!.parameters.units[0].active).toBe('active');
  });

  test('each unit of a request is a transaction of its own, and a refusal stops only itself', () => {
    const { manager, say, heard } = world();
    say(1, {
      method: 'io.sysmaster.Jobs.Request',
      parameters: { verb: 'start', units: ['nowhere.service', 'idle.service', 'idle.service'] },
    });
    expect(manager.changes[0]!.change).toMatchObject({
      what: 'request',
      until: 'done',
      requests: [
        { verb: 'start', units: ['nowhere.service'], mode: 'replace', by: 'uid 0, pid 1001' },
        { units: ['idle.service'] },
      ],
    });
    expect(heard(1)[0]!.parameters.outcomes).toMatchObject([
      { unit: 'nowhere.service', refusal: { error: 'NoSuchUnit', why: 'Unit nowhere.service not found.' } },
      { unit: 'idle.service', result: 'done' },
    ]);
  });

  test('a repeated request id passes through, so that core can give the first answer', () => {
    const { manager, say, heard, open, sessions } = world();
    manager.hold = true;
    say(1, start);
    sessions.client(1, { closed: { why: 'gone' } });
    open(2);
    say(2, start);
    manager.release();
    expect(manager.changes).toHaveLength(1);
    expect(manager.forgotten).toEqual([1]);
    expect(heard(1)).toEqual([]);
    expect(heard(2)).toHaveLength(1);
    expect(heard(2)[0]!.parameters.outcomes[0].result).toBe('done');
  });

  test('progress is told to those who asked for more, and to nobody else', () => {
    const { manager, sessions, say, heard, open } = world();
    manager.hold = true;
    open(2);
    say(1, { ...start, more: true });
    say(2, { ...start, parameters: { ...start.parameters, requestId: 'r2' } });
    for (const session of [1, 2])
      sessions.answered(session, 1, { progress: { job: 100, unit: 'idle.service', state: 'running' } });
    manager.release();
    expect(heard(1)).toMatchObject([
      { parameters: { progress: { job: 100, unit: 'idle.service', state: 'running' } }, continues: true },
      { parameters: { outcomes: [{ result: 'done' }] } },
    ]);
    expect(heard(2)).toHaveLength(1);
  });

  test('a one-way change is carried out and never answered, errors included', () => {
    const { manager, say, heard } = world();
    say(1, { ...start, oneway: true });
    say(1, { method: 'no.such.Method', oneway: true });
    say(1, { method: 'io.sysmaster.Jobs.Request', parameters: { verb: 'dance', units: ['a.service'] }, oneway: true });
    expect(manager.changes).toHaveLength(1);
    expect(heard(1)).toEqual([]);
  });

  test('an answer with a ticket that nobody waits for is dropped', () => {
    const { sessions, heard } = world();
    sessions.answered(1, 9, { result: { what: 'daemon-reexec' } });
    sessions.answered(77, 1, { result: { what: 'daemon-reexec' } });
    expect(heard(1)).toEqual([]);
  });

  test.each<[string, object, object]>([
    ['Units.Kill', { name: 'web.service', signal: 15 }, { what: 'kill', unit: 'web.service', whom: 'all', signal: 15 }],
    ['Units.ResetFailed', {}, { what: 'reset-failed', units: 'all' }],
    [
      'Units.ChangeFiles',
      { verb: 'enable', names: ['web.service'] },
      {
        what: 'unit-files',
        verb: 'enable',
        names: ['web.service'],
        runtime: false,
        force: false,
        presetMode: 'full',
        target: '',
        reload: true,
      },
    ],
    ['Jobs.Cancel', {}, { what: 'cancel', jobs: 'all' }],
    ['Jobs.Cancel', { jobs: [3] }, { what: 'cancel', jobs: [3] }],
    ['Manager.Reload', {}, { what: 'daemon-reload' }],
    ['Manager.ReexecCore', {}, { what: 'daemon-reexec' }],
    ['Manager.ReexecInit', {}, { what: 'init-reexec', path: '' }],
    [
      'Manager.Shutdown',
      { verb: 'exit', status: 3 },
      { what: 'shutdown', verb: 'exit', force: 0, status: 3, argument: '' },
    ],
    ['Manager.SetEnvironment', { set: ['A=b'], unset: ['C'] }, { what: 'environment', set: ['A=b'], unset: ['C'] }],
  ])('%s becomes the change that core knows', (method, parameters, change) => {
    const { manager, call, faults } = world();
    expect(call(`io.sysmaster.${method}`, parameters)).not.toHaveProperty('error');
    expect(manager.changes[0]!.change).toEqual(change);
    expect(faults).toEqual([]);
  });

  test.each<[string, object]>([
    ['Jobs.Request', { verb: 'dance', units: ['web.service'] }],
    ['Jobs.Request', { verb: 'start', units: [] }],
    ['Jobs.Request', { verb: 'start', units: ['web.service'], mode: 'gently' }],
    ['Units.Kill', { name: 'web.service', signal: 0 }],
    ['Units.Kill', { name: 'web.service', signal: 65 }],
    ['Units.ChangeFiles', { verb: 'paint', names: ['web.service'] }],
    ['Units.ChangeFiles', { verb: 'enable', names: [] }],
    ['Units.ChangeFiles', { verb: 'link', names: ['relative/web.service'] }],
    ['Manager.Shutdown', { verb: 'explode' }],
    ['Manager.Shutdown', { verb: 'exit', status: 256 }],
    ['Manager.Shutdown', { verb: 'reboot', force: 3 }],
    ['Manager.SetEnvironment', { set: ['no assignment'], unset: [] }],
  ])('%s with %j is refused before core sees it', (method, parameters) => {
    const { manager, call } = world();
    const answer = call(`io.sysmaster.${method}`, parameters);
    expect(answer.error).toBe('io.sysmaster.Manager.BadRequest');
    expect(manager.changes).toEqual([]);
  });
});

test('a request for more units than a machine has is refused', () => {
  const { manager, call } = world();
  expect(
    call('io.sysmaster.Jobs.Request', { verb: 'start', units: Array(MAX_UNITS + 1).fill('web.service') }).error,
  ).toBe('io.sysmaster.Manager.BadRequest');
  expect(manager.changes).toEqual([]);
});

describe('who may', () => {
  test('a stranger reads, and changes nothing', () => {
    const { manager, call } = world(1000);
    expect(call('io.sysmaster.Units.List')).toHaveProperty('parameters.units');
    for (const [method, parameters] of [
      ['Jobs.Request', { verb: 'start', units: ['web.service'] }],
      ['Units.Kill', { name: 'web.service', signal: 9 }],
      ['Manager.Shutdown', { verb: 'poweroff' }],
      ['Chaos.Begin', { fault: { kind: 'kill' }, units: ['web.service'], dryRun: true }],
      ['Chaos.Stop', {}],
    ] as const) {
      expect(call(`io.sysmaster.${method}`, parameters)).toMatchObject({
        error: 'io.sysmaster.Manager.AccessDenied',
        parameters: { why: `uid 1000 may not call io.sysmaster.${method}` },
      });
    }
    expect(manager.changes).toEqual([]);
  });

  test('a stranger does not see a unit file that others may not read', () => {
    expect(world(1000).call('io.sysmaster.Units.Cat', { name: 'idle.service' }).error).toBe(
      'io.sysmaster.Manager.AccessDenied',
    );
    expect(world(0).call('io.sysmaster.Units.Cat', { name: 'idle.service' })).toHaveProperty('parameters.files');
  });

  test('one stranger cannot take all sessions', () => {
    const { open, say, heard, closed } = world();
    for (let session = 2; session < 2 + MAX_SESSIONS_PER_UID; session += 1) open(session, 1000);
    open(500, 1000);
    expect(heard(500)[0]!.error).toBe('io.sysmaster.Manager.Busy');
    expect(closed).toEqual([500]);
    open(501, 0);
    say(501, { method: 'io.sysmaster.Manager.Get' });
    expect(heard(501)[0]).toHaveProperty('parameters');
  });
});

describe('streams', () => {
  const unit = {
    name: 'web.service',
    load: 'loaded',
    active: 'failed',
    sub: 'failed',
    description: 'web',
    job: undefined,
    following: undefined,
  } as const;
  const failed: ManagerEvent = { event: 'unit', at: NOON, unit, was: 'active', result: 'signal', gone: false };
  const done: ManagerEvent = {
    event: 'job-removed',
    at: NOON,
    job: { id: 4, unit: 'a.service', type: 'start', result: 'done' },
  };

  test('a subscription says that it is ready, then tells what fits it, until the client is gone', () => {
    const { sessions, say, heard, faults } = world();
    say(1, {
      method: 'io.sysmaster.Events.Subscribe',
      parameters: { kinds: ['unit', 'system'], units: ['web*'] },
      more: true,
    });
    sessions.publish(failed);
    sessions.publish({ ...failed, unit: { ...unit, name: 'other.service' } } as ManagerEvent);
    sessions.publish(done);
    sessions.publish({ event: 'system', at: NOON, state: 'running' });
    expect(heard(1).map((message) => [message['parameters'].event.event, message['continues']])).toEqual([
      ['ready', true],
      ['unit', true],
      ['system', true],
    ]);
    expect(heard(1)[1]!.parameters.event.unit).toMatchObject({
      name: 'web.service',
      was: 'active',
      result: 'signal',
      gone: false,
    });
    sessions.client(1, { closed: { why: 'gone' } });
    sessions.publish(failed);
    expect(heard(1)).toHaveLength(3);
    expect(faults).toEqual([]);
  });

  test('every kind of event has the form that the interface promises', () => {
    const { manager, sessions, say, heard, faults } = world();
    say(1, { method: 'io.sysmaster.Events.Subscribe', more: true });
    const events: ManagerEvent[] = [
      failed,
      done,
      { event: 'job-new', at: NOON, job: manager.jobs()[0]! },
      { event: 'reloaded', at: NOON },
      { event: 'note', at: NOON, unit: '', text: 'hello' },
    ];
    for (const event of events) sessions.publish(event);
    expect(heard(1)).toHaveLength(1 + events.length);
    expect(faults).toEqual([]);
  });

  test('a subscription without more is refused', () => {
    const { call } = world();
    expect(call('io.sysmaster.Events.Subscribe').error).toBe('org.varlink.service.ExpectedMore');
  });
});

describe('bad clients', () => {
  test.each([
    'garbage',
    '',
    '[]',
    '7',
    'null',
    '{}',
    '{"method":7}',
    '{"method":"a.b.C","parameters":[]}',
    '{"method":"a.b.C","more":1}',
    '{"method":"a.b.C","colour":1}',
    `${'['.repeat(100_000)}`,
  ])('what is no message is answered with the reason, and the session is closed (%#)', (text) => {
    const { say, heard, closed, sessions } = world();
    say(1, text);
    expect(heard(1)).toHaveLength(1);
    expect(heard(1)[0]!.error).toBe('io.sysmaster.Manager.BadMessage');
    expect(heard(1)[0]!.parameters.why).not.toBe('');
    expect(closed).toEqual([1]);
    expect(sessions.open).toBe(0);
    say(1, { method: 'io.sysmaster.Manager.Get' });
    expect(heard(1)).toHaveLength(1);
  });

  test('a message that is too long ends the session', () => {
    const { say, heard, closed } = world();
    say(1, JSON.stringify({ method: 'io.sysmaster.Units.Get', parameters: { name: 'x'.repeat(MAX_MESSAGE) } }));
    expect(heard(1)[0]!.parameters.why).toContain('more than');
    expect(closed).toEqual([1]);
  });

  test('calls that pile up behind a waiting one end the session, and the change goes on', () => {
    const { manager, say, heard, closed } = world();
    manager.hold = true;
    say(1, { method: 'io.sysmaster.Manager.Reload' });
    for (let count = 0; count < MAX_QUEUE; count += 1) say(1, { method: 'io.sysmaster.Manager.Get' });
    expect(closed).toEqual([]);
    say(1, { method: 'io.sysmaster.Manager.Get' });
    expect(heard(1)[0]!.parameters.why).toContain('calls wait');
    expect(closed).toEqual([1]);
    expect(manager.changes).toHaveLength(1);
  });

  test('garbage in the queue ends the session when its turn comes', () => {
    const { manager, say, heard, closed } = world();
    manager.hold = true;
    say(1, { method: 'io.sysmaster.Manager.Reload' });
    say(1, 'garbage');
    say(1, { method: 'io.sysmaster.Manager.Get' });
    manager.release();
    expect(heard(1).map((message) => message['error'] ?? 'ok')).toEqual(['ok', 'io.sysmaster.Manager.BadMessage']);
    expect(closed).toEqual([1]);
  });

  test('upgrade is refused', () => {
    const { say, heard } = world();
    say(1, { method: 'io.sysmaster.Manager.Get', upgrade: true });
    expect(heard(1)[0]!.error).toBe('org.varlink.service.InvalidParameter');
  });
});
