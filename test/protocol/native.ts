/** The real host on the real init, which is a child subreaper here; core is puppet.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { addon } from '../../src/host/node/addon.ts';
import { type Hello, HostError, type HostEvent } from '../../src/host/ports.ts';
import {
  ackAll,
  type Backend,
  type Core,
  coreOf,
  newId,
  PROGRAMS,
  recordsOf,
  type Stranger,
  settled,
  type World,
} from './world.ts';

const root = join(import.meta.dirname, '../..');
const init = process.env['SYSMASTER_INIT'] ?? join(root, '.build/init');
const exec = process.env['SYSMASTER_EXEC'] ?? join(root, '.build/exec');
const addonPath = process.env['SYSMASTER_ADDON'] ?? join(root, '.build/addon.node');

const DEADLINE_MS = 20_000;

interface Life {
  readonly core: Core;
  readonly pid: number;
}

interface Said {
  readonly hello?: Hello;
  readonly pid?: number;
  readonly event?: HostEvent;
  readonly answer?: number;
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
}

class NativeWorld implements World {
  readonly directory = mkdtempSync(join(tmpdir(), 'protocol-'));
  readonly #run = join(this.directory, 'run');
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  readonly #strangers: ChildProcess[] = [];
  readonly #lives: Life[] = [];
  readonly #init: ChildProcess;
  readonly #ended: Promise<unknown>;
  #initEnded = false;

  constructor() {
    mkdirSync(this.#run);
    for (const [name, { script }] of Object.entries(PROGRAMS)) {
      writeFileSync(join(this.directory, name), script, { mode: 0o755 });
    }
    this.#server = createServer((socket) => this.#serve(socket)).listen(join(this.#run, 'puppet.sock'));
    const settings = [
      `RunDir=${this.#run}`,
      `Exec=${exec}`,
      'LogTarget=null',
      'CoreWatchdogSec=0',
      'FinalKillSec=1',
      `CoreEnvironment=SYSMASTER_ADDON=${addonPath}`,
    ].flatMap((one) => ['--set', one]);
    const core = ['--core', process.execPath, '--core-arg', join(import.meta.dirname, 'puppet.ts')];
    this.#init = spawn(init, ['--config', '/dev/null', ...settings, ...core], { stdio: 'ignore' });
    this.#ended = new Promise((resolve) =>
      this.#init.once('exit', () => {
        this.#initEnded = true;
        resolve(undefined);
      }),
    );
  }

  get core(): Core {
    return this.#life.core;
  }

  get #life(): Life {
    return this.#lives.at(-1) as Life;
  }

  async begin(): Promise<this> {
    await this.until('the first core', () => this.#lives.length > 0);
    return this;
  }

  async kill(): Promise<Core> {
    const lives = this.#lives.length;
    process.kill(this.#life.pid, 'SIGKILL');
    await this.until('the next core', () => this.#lives.length > lives);
    return this.core;
  }

  async fault(): Promise<void> {
    const { pid } = this.#init;
    this.#init.kill('SIGSEGV');
    await this.until('init has come back', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--restore='));
  }

  async until<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
    const endMs = performance.now() + DEADLINE_MS;
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > endMs) {
        throw new Error(`it did not come: ${what}; core has heard ${JSON.stringify(this.#lives.at(-1)?.core.events)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  say(path: string, text: string, fds = 0): void {
    const sender = addon.connectUnix(path, 'datagram');
    addon.sendMessage(sender, text, Array<number>(fds).fill(1));
    addon.close(sender);
  }

  connect(path: string): void {
    this.#open(path);
  }

  stranger(): Stranger {
    const child = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });
    this.#strangers.push(child);
    return { pid: child.pid as number, end: () => void child.kill('SIGKILL') };
  }

  async client() {
    const socket = this.#open(join(this.#run, 'api.sock'));
    const received: string[] = [];
    let text = '';
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = `${text}${chunk}`.split('\0');
      text = parts.pop() ?? '';
      received.push(...parts);
    });
    await this.until('the connection', () => !socket.connecting);
    return {
      received,
      get closed() {
        return closed;
      },
      send: (message: string) => void socket.write(`${message}\0`),
      leave: () => void socket.destroy(),
    };
  }

  readonly rest = async () => {
    for (const stranger of this.#strangers.splice(0)) stranger.kill('SIGKILL');
    const { core } = this;
    const ended = () => recordsOf(core).flatMap(({ what }) => ('exited' in what ? [what.exited.serial] : []));
    const began = () => recordsOf(core).flatMap(({ what }) => ('forked' in what ? [what.forked.serial] : []));
    const alive = () =>
      [...core.hello.children.map(({ serial }) => serial), ...began()].filter((one) => !ended().includes(one));
    await settled(this);
    for (const child of new Set(alive())) await core.process.kill(newId(), { process: { child } }, 9);
    await this.until('the end of all children', () => alive().length === 0);
    await ackAll(this);
    (core.events as HostEvent[]).length = 0;
  };

  async end(): Promise<void> {
    const ending = this.#lives.length === 0 ? undefined : this.core.init.shutdown('exit', 5000, true, 0, '');
    // Core is killed before it can answer.
    ending?.catch(() => undefined);
    if (this.#lives.length === 0) this.#init.kill('SIGTERM');
    try {
      await this.until('the end of init', () => this.#initEnded);
    } finally {
      this.#init.kill('SIGKILL');
      await this.#ended;
      for (const socket of this.#sockets) socket.destroy();
      for (const child of this.#strangers) child.kill('SIGKILL');
      this.#server.close();
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  #open(path: string): Socket {
    const socket = connect({ path });
    socket.on('error', () => undefined); // the other end may die: that is what is tested
    this.#sockets.push(socket);
    return socket;
  }

  /** A core has connected. */
  #serve(socket: Socket): void {
    this.#sockets.push(socket);
    socket.on('error', () => undefined);
    const events: HostEvent[] = [];
    const answers = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
    let calls = 0;
    const carry = (port: string, method: string, args: readonly unknown[]) =>
      new Promise((resolve, reject) => {
        calls += 1;
        answers.set(calls, { resolve, reject });
        socket.write(`${JSON.stringify({ call: calls, port, method, args })}\n`);
      });
    const hear = (said: Said) => {
      if (said.hello !== undefined && said.pid !== undefined) {
        this.#lives.push({ core: coreOf(said.hello, events, carry), pid: said.pid });
      }
      if (said.event !== undefined) events.push(said.event);
      const answer = answers.get(said.answer ?? -1);
      if (answer === undefined) return;
      answers.delete(said.answer ?? -1);
      if (said.code === undefined) answer.resolve(said.value);
      else answer.reject(new HostError(said.code, said.message ?? ''));
    };
    createInterface({ input: socket }).on('line', (line) => hear(JSON.parse(line) as Said));
  }
}

export const native: Backend = {
  name: 'the real host on the real init',
  missing: existsSync(init) && existsSync(exec) ? undefined : 'the programs are not built; run: npm run build',
  open: async () => await new NativeWorld().begin(),
};
