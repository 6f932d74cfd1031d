/** A host on a small init, in a temporary directory: events are gathered, and awaited by condition with a deadline. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNodeHost, type NodeHost, type NodeHostOptions } from '../../../src/host/node/index.ts';
import type { HostEvent } from '../../../src/host/ports.ts';
import { FakeInit, type Said } from './fake-init.ts';

const DEADLINE_MS = 20_000;

/** Wait until something is there: it is looked for again each time the event loop has gone round. */
export async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const endMs = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`it did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export interface RigOptions extends NodeHostOptions {
  readonly hello?: Record<string, unknown>;
  readonly kept?: readonly (readonly [string, number])[];
  readonly after?: readonly Said[];
}

export class Rig {
  readonly directory: string;
  readonly init: FakeInit;
  readonly host: NodeHost;
  readonly events: HostEvent[] = [];
  /** For each turn, how many events there had been. */
  readonly turns: number[] = [];
  /** Status core left with. */
  left: number | undefined;
  #effects = 0;

  constructor(options: RigOptions = {}) {
    const { hello, kept, after, ...host } = options;
    this.directory = options.runDirectory ?? mkdtempSync(join(tmpdir(), 'host-node-'));
    this.init = new FakeInit(hello, kept, after);
    const leave = (status: number) => {
      this.left = status;
      return undefined as never;
    };
    try {
      this.host = createNodeHost({
        link: this.init.link,
        log: 'none',
        stateBytes: 64 * 1024,
        ...host,
        runDirectory: this.directory,
        leave,
      });
    } catch (cause) {
      void this.init.end();
      throw cause;
    }
  }

  /** Begin; `onEvent` sees each event before the test does. */
  start(onEvent: (event: HostEvent) => void = () => undefined): this {
    this.host.start(
      (event) => {
        this.events.push(event);
        onEvent(event);
      },
      () => this.turns.push(this.events.length),
    );
    return this;
  }

  /** An id that was not used before. */
  id() {
    this.#effects += 1;
    return { epoch: 1, seq: this.#effects, index: 0 };
  }

  /** The first event of this type for which the condition holds. */
  event<T extends HostEvent['type']>(type: T, holds: (event: Extract<HostEvent, { type: T }>) => boolean = () => true) {
    const find = () =>
      this.events.find(
        (event): event is Extract<HostEvent, { type: T }> =>
          event.type === type && holds(event as Extract<HostEvent, { type: T }>),
      );
    return until(`event ${type}`, find);
  }

  count(type: HostEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }

  /** All frames that init has been sent so far, once they are there: what init answers can be here before. */
  async said(): Promise<readonly Said[]> {
    this.host.init.ready();
    await this.init.told('ready');
    return this.init.said;
  }

  /** One more whole round. */
  async round(): Promise<void> {
    const before = this.turns.length;
    this.host.schedule();
    await until('a turn', () => this.turns.length > before);
  }

  async end(keepDirectory = false): Promise<void> {
    this.host.dispose();
    await this.init.end();
    if (!keepDirectory) rmSync(this.directory, { recursive: true, force: true });
  }
}
