/** A client of sctl whose messages go straight into sessions: the whole protocol without a socket. */

import { createSessions, type Sessions } from '../../../src/api/sessions.ts';
import { CallError, type Client } from '../../../src/cli/client.ts';
import type { FakeManager } from './fake-manager.ts';

interface Message {
  readonly parameters?: Record<string, unknown>;
  readonly error?: string;
  readonly continues?: boolean;
}

export interface DirectClient extends Client {
  readonly sessions: Sessions;
  /** Replies that did not fit their interface. */
  readonly faults: unknown[];
  /** Methods that were called, in order. */
  readonly called: string[];
}

export function directClient(manager: FakeManager, uid = 0): DirectClient {
  const inboxes = new Map<number, { messages: Message[]; wake: (() => void) | undefined }>();
  const faults: unknown[] = [];
  const called: string[] = [];
  const sessions = createSessions({
    manager,
    coreUid: 0,
    port: {
      send: (session, message) => {
        const inbox = inboxes.get(session);
        inbox?.messages.push(JSON.parse(message));
        inbox?.wake?.();
      },
      close: () => {},
    },
    log: {
      log: (_, fields, message) => {
        if (message === 'faulty reply of the API') faults.push(fields['fault']);
      },
    },
  });
  manager.answer = ({ session, ticket }, answer) => sessions.answered(session, ticket, answer);
  let next = 1;

  const open = (method: string, parameters: object, more: boolean) => {
    const session = next++;
    const inbox = { messages: [] as Message[], wake: undefined as (() => void) | undefined };
    inboxes.set(session, inbox);
    called.push(method);
    sessions.client(session, { opened: { pid: 1, uid, gid: uid } });
    sessions.client(session, { message: JSON.stringify({ method, parameters, ...(more ? { more } : {}) }) });
    return {
      close: () => sessions.client(session, { closed: { why: 'done' } }),
      async heard(): Promise<Message> {
        while (inbox.messages.length === 0) {
          await new Promise<void>((resolve) => {
            inbox.wake = resolve;
          });
        }
        return inbox.messages.shift()!;
      },
    };
  };
  const answerOf = <T>({ error, parameters = {} }: Message): T => {
    if (error !== undefined) throw new CallError(error, parameters);
    return parameters as T;
  };
  const call = async <T>(method: string, parameters: object): Promise<T> => {
    const session = open(method, parameters, false);
    try {
      return answerOf<T>(await session.heard());
    } finally {
      session.close();
    }
  };

  return {
    path: 'direct',
    sessions,
    faults,
    called,
    call: (method, parameters = {}) => call(method, parameters),
    change: (method, parameters) => call(method, { ...parameters, requestId: `r${next}` }),
    farewell: async (method, parameters) => {
      await call(method, { ...parameters, requestId: `r${next}` });
    },
    calls: async (method, each) => {
      const answers = [];
      for (const parameters of each) {
        answers.push(
          await call(method, parameters).catch((error: unknown) => {
            if (error instanceof CallError) return error;
            throw error;
          }),
        );
      }
      return answers as never;
    },
    async *stream(method, parameters) {
      const session = open(method, parameters, true);
      try {
        for (let more = true; more; ) {
          const message = await session.heard();
          yield answerOf(message);
          more = message.continues === true;
        }
      } finally {
        session.close();
      }
    },
    close: () => {},
  };
}
