/**
 * A small init for tests, in a thread of its own, so that the host may wait for it: it says hello, keeps descriptors, answers
 * store-fd, drop-fd and fetch-fds as the real one does (a name that begins with `refused` is refused as too much), and hands everything else it is told to the test.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { addon, EPOLL } from '../../../src/host/node/addon.ts';

/** JSON of a frame. */
export type Said = string | Record<string, Record<string, unknown>>;

interface Setup {
  readonly fd: number;
  readonly hello: Record<string, unknown>;
  readonly after: readonly Said[];
  readonly kept: readonly (readonly [string, number])[];
}

const HELLO = {
  role: 'subreaper',
  pid: 4711,
  epoch: 0,
  cgroupRoot: '',
  cores: 0,
  safeMode: false,
  stopping: null,
  deaths: [],
  canSetUid: true,
};

export class FakeInit {
  /** Core's end of the link. */
  readonly link: number;
  /** All frames so far, in order. */
  readonly said: Said[] = [];
  readonly #worker: Worker;
  #news: () => void = () => undefined;

  /** @param kept names with descriptors that become init's @param after frames that follow the hello */
  constructor(
    hello: Record<string, unknown> = {},
    kept: readonly (readonly [string, number])[] = [],
    after: readonly Said[] = [],
  ) {
    const [link, fd] = addon.socketPair('seqpacket');
    this.link = link;
    const setup: Setup = { fd, hello: { ...HELLO, ...hello }, after, kept };
    this.#worker = new Worker(new URL(import.meta.url), { workerData: setup });
    this.#worker.on('message', (frame: Said) => {
      this.said.push(frame);
      this.#news();
    });
  }

  send(frame: Said): void {
    this.#worker.postMessage({ frame });
  }

  /** The first frame with this verb; waits for it. */
  async told(verb: string): Promise<Record<string, unknown>> {
    const found = () => this.said.find((frame) => frame === verb || (typeof frame === 'object' && verb in frame));
    for (;;) {
      const frame = found();
      if (frame !== undefined) return typeof frame === 'string' ? {} : (frame[verb] as Record<string, unknown>);
      await new Promise<void>((resolve) => (this.#news = resolve));
    }
  }

  async end(): Promise<void> {
    this.#worker.postMessage({ end: true });
    await new Promise((resolve) => this.#worker.once('exit', resolve));
  }
}

function main(setup: Setup): void {
  const { fd } = setup;
  const store = new Map<string, number>(setup.kept);
  let number = 0;
  const send = (frame: Said, fds: readonly number[] = []) => {
    if (addon.sendAsInit(fd, JSON.stringify(frame), fds) !== 'sent') throw new Error('the link is full');
  };
  const record = (what: Record<string, unknown>) => {
    number += 1;
    send({ record: { number, atUs: 1, what } });
  };
  send({ hello: setup.hello });
  for (const name of store.keys()) send({ 'hello-fds': { names: [name] } });
  send({ 'hello-end': { orphansDropped: 0, records: setup.after.length } });
  for (const frame of setup.after) send(frame);

  const verbs: Record<string, (body: Record<string, unknown>, fds: number[]) => void> = {
    'store-fd': ({ id, names }, fds) => {
      if ((names as string[]).some((name) => name.startsWith('refused'))) {
        for (const one of fds) addon.close(one);
        record({ failed: { id, errno: 28 } });
        return;
      }
      for (const [at, name] of (names as string[]).entries()) store.set(name, fds[at] as number);
      record({ done: { id } });
    },
    'drop-fd': ({ id, names }) => {
      for (const name of names as string[]) {
        const kept = store.get(name);
        if (kept !== undefined) addon.close(kept);
        store.delete(name);
      }
      record({ done: { id } });
    },
    'fetch-fds': ({ names }) => {
      const known = (names as string[]).filter((name) => store.has(name));
      send(
        { fds: { names: known, last: true } },
        known.map((name) => store.get(name) as number),
      );
    },
  };

  const poller = new addon.Poller();
  poller.add(fd, 1, EPOLL.in);
  const end = () => {
    poller.remove(fd);
    poller.close();
    addon.close(fd);
    for (const kept of store.values()) addon.close(kept);
    parentPort?.close();
  };
  poller.watch(() => {
    for (const frame of addon.receiveAsInit(fd, 16)) {
      if (frame.closed) return end();
      const said = JSON.parse(frame.json as string) as Said;
      parentPort?.postMessage(said);
      if (typeof said === 'string') continue;
      const verb = Object.keys(said)[0] as string;
      const handler = verbs[verb];
      if (handler !== undefined) handler(said[verb] as Record<string, unknown>, frame.fds);
      else for (const one of frame.fds) addon.close(one);
    }
  });
  parentPort?.on('message', (order: { frame?: Said; end?: true }) => {
    if (order.frame !== undefined) send(order.frame);
    if (order.end) end();
  });
}

if (!isMainThread && workerData?.hello !== undefined) main(workerData as Setup);
