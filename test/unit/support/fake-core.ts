/**
 * The API socket with the fake manager behind it, over node:net: in a test's own process, or as a program
 *
 *   fake-core.ts SOCKET [JOURNAL]
 *
 * which prints `ready` once it listens. With a journal it remembers the request ids of changes and its first answers
 * over its own death, as core does.
 */
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { ChangeAnswer } from '../../../src/api/manager.ts';
import { createSessions, type Sessions } from '../../../src/api/sessions.ts';
import { type FakeManager, fakeManager } from './fake-manager.ts';

export interface FakeCore {
  readonly manager: FakeManager;
  readonly sessions: Sessions;
  readonly faults: unknown[];
  close(): Promise<void>;
}

/** Listen at `path`; sessions belong to `uid`. */
export async function fakeCore(path: string, uid = 0, manager = fakeManager()): Promise<FakeCore> {
  const sockets = new Map<number, Socket>();
  const faults: unknown[] = [];
  const sessions = createSessions({
    manager,
    coreUid: 0,
    port: {
      send: (session, message) => {
        sockets.get(session)?.write(`${message}\0`);
      },
      close: (session) => {
        sockets.get(session)?.end();
      },
    },
    log: {
      log: (_, fields, message) => {
        if (message === 'faulty reply of the API') faults.push(fields['fault']);
      },
    },
  });
  manager.answer = ({ session, ticket }, answer) => sessions.answered(session, ticket, answer);
  let next = 1;
  const server: Server = createServer((socket) => {
    const session = next++;
    sockets.set(session, socket);
    sessions.client(session, { opened: { pid: process.pid, uid, gid: uid } });
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      const parts = (text + chunk).split('\0');
      text = parts.pop() ?? '';
      for (const message of parts) sessions.client(session, { message });
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(session);
      sessions.client(session, { closed: { why: 'gone' } });
    });
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    manager,
    sessions,
    faults,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets.values()) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** A manager that writes each change with its answer to a file before it answers, and knows what is in the file. */
function journalled(journal: string): FakeManager {
  const manager = fakeManager();
  const { change } = manager;
  const lines = existsSync(journal) ? readFileSync(journal, 'utf8').trim().split('\n') : [];
  const known = new Map(lines.filter((line) => line !== '').map((line) => JSON.parse(line) as [string, ChangeAnswer]));
  manager.change = (caller, requestId, what) => {
    const first = requestId === undefined ? undefined : known.get(requestId);
    if (first !== undefined) return manager.answer(caller, first);
    const { answer } = manager;
    manager.answer = (_, given) => {
      manager.answer = answer;
      if (requestId !== undefined) appendFileSync(journal, `${JSON.stringify([requestId, given])}\n`);
      // Between the commit and the answer: the moment in which a client cannot know what became of its change.
      if (process.env['FAKE_CORE_DIES'] === 'after-commit') process.kill(process.pid, 'SIGKILL');
      answer(caller, given);
    };
    change.call(manager, caller, requestId, what);
  };
  return manager;
}

if (import.meta.main) {
  const [path = '', journal] = process.argv.slice(2);
  await fakeCore(path, 0, journal === undefined ? fakeManager() : journalled(journal));
  process.stdout.write('ready\n');
}
