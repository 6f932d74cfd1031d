/** Clients that send garbage, nothing, or a gigabyte; and a second core. Whatever runs runs on, and sctl is answered. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, lib, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, laterSctl, property } from './small.ts';

const missing = systemsMissing();
const GIGABYTE = 1 << 30;

describe.skipIf(missing !== undefined)(`bad company${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let system: System;
  let steady: string;
  let core: number | undefined;

  beforeAll(async () => {
    system = await bootSmall({
      units: { 'steady.service': '[Service]\nExecStart=/bin/sleep 100000\n' },
      wants: ['steady.service'],
    });
    steady = property(system, 'steady.service', 'MainPID');
    core = system.core();
  });
  afterAll(async () => {
    if (system !== undefined) expect(await system.stop()).toBe(true);
  });

  /** Services and core are what they were, and sctl is answered. */
  const unharmed = () => {
    expect(system.sctl('is-active', 'steady.service')).toEqual({ status: 0, stdout: 'active\n', stderr: '' });
    expect(property(system, 'steady.service', 'MainPID')).toBe(steady);
    expect(system.core()).toBe(core);
  };

  /** Send a piece again and again, up to so many bytes, until the server has had enough: what was sent, and what came back. */
  const flood = (piece: Buffer, upTo: number) =>
    new Promise<{ sent: number; answer: string }>((resolve) => {
      let sent = 0;
      let answer = '';
      const socket = connect(`${system.run}/sysmaster/api.sock`);
      const pump = () => {
        while (sent < upTo && !socket.destroyed) {
          sent += piece.length;
          if (!socket.write(piece)) return;
        }
      };
      socket.setEncoding('utf8').on('data', (text: string) => {
        answer = (answer + text).slice(0, 1000);
      });
      socket.on('connect', pump).on('drain', pump);
      // EPIPE and ECONNRESET are how the end looks to somebody who is still sending.
      socket.on('error', () => {}).on('close', () => resolve({ sent, answer }));
    });
  const refused = (why: string) =>
    `${JSON.stringify({ error: 'io.sysmaster.Manager.BadMessage', parameters: { unit: '', why, todo: 'see https://varlink.org/Method-Call' } })}\0`;

  test.each([
    ['words', 'GET / HTTP/1.1\r\n\r\n\0', 'the message is not JSON'],
    ['bytes that are no text', '\x01\xff\xfe\0', 'the message is not JSON'],
    ['zeros', '\0\0\0\0', 'the message is not JSON'],
    ['another value', '[1,2]\0', 'the message is not a JSON object'],
    ['unknown members', '{"a":1}\0', 'the message has a member "a"'],
    ['half a million brackets', `${'['.repeat(500_000)}\0`, 'the message is not JSON'],
  ])('a client that sends %s is told so and sent away', async (_what, bytes, why) => {
    expect((await flood(Buffer.from(bytes, 'latin1'), 1)).answer).toBe(refused(why));
    unharmed();
  });

  test('a client that sends a gigabyte is cut off at the bound', async () => {
    const { sent } = await flood(Buffer.alloc(1 << 16, 'x'), GIGABYTE);
    expect(sent).toBeLessThan(GIGABYTE / 64);
    unharmed();
  });

  test('a client that sends a gigabyte of calls and reads no answer is not listened to any more', async () => {
    const calls = Buffer.from('{"method":"io.sysmaster.Units.List"}\0'.repeat(1000));
    const socket = connect(`${system.run}/sysmaster/api.sock`).on('error', () => {});
    let sent = 0;
    const pump = () => {
      while (sent < GIGABYTE && !socket.destroyed) {
        sent += calls.length;
        if (!socket.write(calls)) return;
      }
    };
    socket.pause().on('connect', pump).on('drain', pump);
    await eventually('calls are on their way', () => sent > 0);
    for (let asked = 0; asked < 5; asked += 1) {
      expect(await laterSctl(system, 'is-active', 'steady.service')).toEqual({
        status: 0,
        stdout: 'active\n',
        stderr: '',
      });
    }
    socket.destroy();
    expect(sent).toBeLessThan(GIGABYTE / 64);
    unharmed();
  });

  test('clients that say nothing keep nobody out, however many', async () => {
    // More than there are places, and more than the listener's backlog: some are refused by the kernel itself.
    const silent = Array.from({ length: 300 }, () => connect(`${system.run}/sysmaster/api.sock`).on('error', () => {}));
    await Promise.all(
      silent.map((socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))),
    );
    expect(system.sctl('is-active', 'steady.service')).toMatchObject({ status: 0, stdout: 'active\n' });
    for (const socket of silent) socket.destroy();
    unharmed();
  });

  test('a core started by hand says that init starts it, and ends with 1', () => {
    const ran = system.inside(
      '/bin/sh',
      '-c',
      `${lib}/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc ${lib}/core.cjs </dev/null`,
    );
    expect(ran).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'core: cannot start: the link: descriptor 0 is not connected to init, which starts core (ENOTSOCK); run sysmaster-init, which starts it\n',
    });
    unharmed();
  });

  test('a second init with a core in the same run directory is kept out by the lock', async () => {
    const second = [`${lib}/init`, '--core', `${lib}/node`, '--core-arg', `${lib}/core.cjs`];
    const entered = system.insideLater(
      '/bin/sh',
      '-c',
      `exec ${second.join(' ')} --set LogTarget=stderr --set EmergencyShell=/bin/true >/run/second.out 2>&1 </dev/null`,
    );
    const said = () =>
      system.inside('cat', '/run/second.out').stdout +
      system.inside('sh', '-c', 'cat /run/sysmaster/core.stderr').stdout;
    try {
      await eventually(
        'the second core has given up',
        () => /state\/a: another core has it; stop that one first \(EAGAIN\)/.test(said()),
        30,
      );
      unharmed();
    } finally {
      system.inside('/bin/sh', '-c', `kill -KILL $(pgrep -f -x -- '${second.join(' ')} .*')`);
      // Not killed: a process of the namespace whose parent outside has gone is nobody's there, and PID 1 could not end before it.
      await eventually('who entered has seen its end', () => entered.exitCode !== null || entered.signalCode !== null);
    }
    unharmed();
  });
});
