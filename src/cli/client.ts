/**
 * Varlink over the API socket.
 *
 * Init restarts a dead core within moments, so a lost or refused connection is tried again for a few seconds, and the
 * call is repeated. Reads may be repeated as they are; a change carries a `requestId`, and core answers a repeated id
 * with its first answer (law 5), so nothing is ever done twice.
 */
import { connect, type Socket } from 'node:net';
import { CliError, type Context } from './context.ts';
import { exitOfError } from './exit.ts';

/** Longest answer that is taken, in characters; list-units of ten thousand units is a few MB. */
const MAX_ANSWER = 256 << 20;
/** How long a core that refuses the first connection is waited for. */
const PATIENCE_MS = 5000;
/** And one that was there: what became of a change is worth waiting for, and init's delay between restarts grows. */
const PATIENCE_AFTER_LOSS_MS = 30_000;
/** And one that was told to end the system. */
const PATIENCE_AFTER_FAREWELL_MS = 2000;
const RETRY_EVERY_MS = 100;
/** What a client without a place is told, by core or by whoever listens for it. */
const BUSY = 'io.sysmaster.Manager.Busy';
/** Connections that may be lost over one call: more than init lets core die before it takes other measures. */
const MAX_LOSSES = 100;

export const DEFAULT_SOCKET = '/run/sysmaster/api.sock';

/** A Varlink error as core sent it. */
export class CallError extends CliError {
  /** Full name: io.sysmaster.Manager.NoSuchUnit. */
  readonly error: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  constructor(error: string, parameters: Readonly<Record<string, unknown>>) {
    const field = (name: string): string => (typeof parameters[name] === 'string' ? parameters[name] : '');
    const why = field('why') || `${error}${Object.keys(parameters).length > 0 ? ` ${JSON.stringify(parameters)}` : ''}`;
    super(
      `${why}${field('todo') === '' ? '' : `; ${field('todo')}`}`,
      exitOfError(error.slice(error.lastIndexOf('.') + 1)),
    );
    this.name = 'CallError';
    this.error = error;
    this.parameters = parameters;
  }

  /** Last part of the name. */
  get short(): string {
    return this.error.slice(this.error.lastIndexOf('.') + 1);
  }

  get why(): string {
    return typeof this.parameters['why'] === 'string' ? this.parameters['why'] : this.message;
  }
}

/** Core was there and did not come back. */
export class GoneError extends CliError {}

/** The connection ended; worth another try. */
class Lost extends Error {}

interface Message {
  readonly parameters?: Record<string, unknown>;
  readonly error?: string;
  readonly continues?: boolean;
}

/** One connection: whole messages, in order. */
class Connection {
  private readonly socket: Socket;
  /** The message that has begun, in pieces, and how long it is: an answer may come in hundreds of them. */
  private begun: string[] = [];
  private length = 0;
  private readonly messages: Message[] = [];
  private ended: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.feed(chunk));
    socket.on('error', (error) => this.end(new Lost(error.message)));
    socket.on('close', () => this.end(new Lost('the connection was closed')));
  }

  private feed(chunk: string): void {
    let from = 0;
    for (let nul = chunk.indexOf('\0'); nul >= 0; nul = chunk.indexOf('\0', from)) {
      this.begun.push(chunk.slice(from, nul));
      try {
        this.messages.push(JSON.parse(this.begun.join('')) as Message);
      } catch (cause) {
        this.end(new CliError('core answered with something that is not JSON', 1, cause));
      }
      this.begun = [];
      this.length = 0;
      from = nul + 1;
    }
    this.begun.push(chunk.slice(from));
    this.length += chunk.length - from;
    if (this.length > MAX_ANSWER) this.end(new CliError('core answered with more than can be taken'));
    this.wake?.();
  }

  private end(error: Error): void {
    this.ended ??= error;
    this.wake?.();
  }

  send(message: object): void {
    this.socket.write(`${JSON.stringify(message)}\0`);
  }

  async next(): Promise<Message> {
    while (this.messages.length === 0) {
      if (this.ended !== undefined) throw this.ended;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = undefined;
    }
    return this.messages.shift()!;
  }

  close(): void {
    this.socket.destroy();
  }
}

export interface Client {
  readonly path: string;
  /** One call, one answer. Throws CallError, or CliError when there is no core. */
  call<T>(method: string, parameters?: object): Promise<T>;
  /** As call, for what changes something: adds the request id. `onProgress` asks for progress. */
  change<T>(method: string, parameters: object, onProgress?: (reply: T) => void): Promise<T>;
  /** As change, for what ends the system: a core that is gone afterwards has done it. */
  farewell(method: string, parameters: object): Promise<void>;
  /** Several calls in one go, answered in order; an error takes the place of its answer. */
  calls<T>(method: string, each: readonly object[]): Promise<(T | CallError)[]>;
  /** A stream, until the caller stops. A stream that is cut off is opened anew, which `onAgain` is told. */
  stream<T>(method: string, parameters: object, onAgain?: () => void): AsyncGenerator<T>;
  close(): void;
}

export function socketPath(context: Context, option: string | undefined): string {
  return option ?? context.env['SYSMASTER_SOCKET'] ?? DEFAULT_SOCKET;
}

function noCore(path: string, error: NodeJS.ErrnoException): CliError {
  const at = `Cannot reach the service manager at ${path}`;
  switch (error.code) {
    case 'ENOENT':
      return new CliError(
        `${at}: there is no such socket; is sysMaster running here? Set $SYSMASTER_SOCKET or use --socket=PATH for another one`,
      );
    case 'EACCES':
    case 'EPERM':
      return new CliError(`${at}: permission denied; run this as root`, 4);
    case 'ECONNREFUSED':
      return new CliError(
        `${at}: connection refused: core does not run, and init did not bring it back in time; see the console`,
      );
    default:
      return new CliError(`${at}: ${error.message}`, 1, error);
  }
}

const open = (path: string): Promise<Connection> =>
  new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(new Connection(socket));
    });
  });

const isRefused = (error: unknown): boolean =>
  ['ECONNREFUSED', 'ECONNRESET', 'EAGAIN'].includes((error as NodeJS.ErrnoException).code ?? '');

/** `quiet`: no note when core is being restarted. */
export function createClient(context: Context, path: string, quiet = false): Client {
  let connection: Connection | undefined;
  let wasThere = false;
  let noted = false;

  const note = (): void => {
    if (!noted && !quiet) context.err('Core is being restarted; trying again …\n');
    noted = true;
  };

  /** A socket that is missing is waited for only if it was there before. */
  const connected = async (deadline: number): Promise<Connection> => {
    while (connection === undefined) {
      try {
        connection = await open(path);
        wasThere = true;
      } catch (thrown) {
        const error = thrown as NodeJS.ErrnoException;
        const again = isRefused(error) || (wasThere && error.code === 'ENOENT');
        if (!again || context.monotonicUs() / 1000 > deadline) {
          throw wasThere ? new GoneError(noCore(path, error).message, 1, error) : noCore(path, error);
        }
        note();
        await context.pause(RETRY_EVERY_MS);
      }
    }
    return connection;
  };

  const drop = (): void => {
    connection?.close();
    connection = undefined;
  };

  /** Do something over a connection; if it is lost, once more from the start. */
  const lasting = async <T>(
    talk: (over: Connection) => Promise<T>,
    patienceMs = PATIENCE_AFTER_LOSS_MS,
  ): Promise<T> => {
    let losses = 0;
    for (let deadline = context.monotonicUs() / 1000 + PATIENCE_MS; ; ) {
      const over = await connected(deadline);
      try {
        return await talk(over);
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        drop();
        note();
        losses += 1;
        // A core that dies of what we ask is not asked for ever.
        if (losses > MAX_LOSSES)
          throw new CliError(
            `The service manager at ${path} went away ${losses} times while it was asked; see its log`,
            1,
            error,
          );
        deadline = context.monotonicUs() / 1000 + patienceMs;
        await context.pause(RETRY_EVERY_MS);
      }
    }
  };

  const answerOf = <T>(message: Message): T => {
    if (message.error !== undefined) throw new CallError(message.error, message.parameters ?? {});
    return (message.parameters ?? {}) as T;
  };

  return {
    path,
    call: (method, parameters = {}) =>
      lasting(async (over) => {
        over.send({ method, parameters });
        return answerOf(await over.next());
      }),
    change: (method, parameters, onProgress) => {
      const whole = {
        method,
        parameters: { ...parameters, requestId: crypto.randomUUID() },
        ...(onProgress === undefined ? {} : { more: true }),
      };
      return lasting(async (over) => {
        over.send(whole);
        for (;;) {
          const message = await over.next();
          if (message.continues !== true) return answerOf(message);
          onProgress?.(answerOf(message));
        }
      });
    },
    farewell: async (method, parameters) => {
      const whole = { method, parameters: { ...parameters, requestId: crypto.randomUUID() } };
      try {
        await lasting(async (over) => {
          over.send(whole);
          return answerOf(await over.next());
        }, PATIENCE_AFTER_FAREWELL_MS);
      } catch (error) {
        if (!(error instanceof GoneError)) throw error;
      }
    },
    calls: async (method, each) => {
      const answers = [];
      // After a loss one by one: answers that are long together may be more than core keeps for one who has not read them yet.
      let oneByOne = false;
      // In portions, since core lets a bounded number of calls wait.
      for (let from = 0; from < each.length; from += 32) {
        const portion = each.slice(from, from + 32);
        answers.push(
          ...(await lasting(async (over) => {
            const single = oneByOne;
            oneByOne = true;
            if (!single) for (const parameters of portion) over.send({ method, parameters });
            const here: CallError[] = [];
            for (const asked of portion) {
              if (single) over.send({ method, parameters: asked });
              const { error, parameters = {} } = await over.next().catch((lost: unknown) => {
                // Core has no place for this client: that was the one answer, and asking again at once makes it no better.
                const only = here.length === 1 ? here[0] : undefined;
                throw only instanceof CallError && only.error === BUSY ? only : lost;
              });
              here.push(error === undefined ? (parameters as never) : new CallError(error, parameters));
            }
            oneByOne = single;
            return here;
          })),
        );
      }
      return answers;
    },
    async *stream(method, parameters, onAgain) {
      const own = createClientConnection(context, path);
      try {
        let losses = 0;
        for (let first = true; ; first = false) {
          const over = await own.open(!first);
          if (!first) onAgain?.();
          over.send({ method, parameters, more: true });
          try {
            for (let more = true; more; ) {
              const message = await over.next();
              losses = 0;
              yield answerOf(message);
              more = message.continues === true;
            }
            return;
          } catch (error) {
            if (!(error instanceof Lost)) throw error;
            note();
            over.close();
            losses += 1;
            if (losses > MAX_LOSSES)
              throw new CliError(
                `The service manager at ${path} went away ${losses} times while it was asked; see its log`,
                1,
                error,
              );
            await context.pause(RETRY_EVERY_MS);
          }
        }
      } finally {
        own.close();
      }
    },
    close: drop,
  };
}

/** A connection of its own for a stream, since a stream keeps its session to itself. */
function createClientConnection(context: Context, path: string) {
  let connection: Connection | undefined;
  return {
    async open(again: boolean): Promise<Connection> {
      for (const deadline = context.monotonicUs() / 1000 + (again ? PATIENCE_AFTER_LOSS_MS : PATIENCE_MS); ; ) {
        try {
          connection = await open(path);
          return connection;
        } catch (thrown) {
          const error = thrown as NodeJS.ErrnoException;
          const worth = isRefused(error) || (again && error.code === 'ENOENT');
          if (!worth || context.monotonicUs() / 1000 > deadline) throw noCore(path, error);
          await context.pause(RETRY_EVERY_MS);
        }
      }
    },
    close(): void {
      connection?.close();
    },
  };
}
