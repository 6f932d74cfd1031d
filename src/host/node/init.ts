/** Core's life and the end of the system, as told to init; and the black box. */
import type { InitPort, ShutdownKind } from '../ports.ts';
import { addon } from './addon.ts';
import type { Link } from './link.ts';

export class NodeInit implements InitPort {
  readonly #link: Link;
  readonly #blackBox;
  readonly #told;
  #beatWanted = false;

  /** @param blackBox descriptor of init's slot; kept open by the mapping alone
   * @param told called after core is ready, and before it leaves */
  constructor(link: Link, blackBox: number, told: { ready(): void; reexec(): void }) {
    this.#link = link;
    this.#told = told;
    this.#blackBox = new addon.BlackBox(blackBox);
  }

  ready(): void {
    this.#link.send('ready');
    this.#told.ready();
  }

  /** Sent once a round, by `flush`, so it tells of a real turn whatever the number of calls. */
  beat(now = false): void {
    this.#beatWanted = true;
    if (now) this.flush();
  }

  flush(): void {
    if (!this.#beatWanted) return;
    this.#beatWanted = false;
    this.#link.send('beat');
  }

  loading(forMs: number): void {
    this.#link.send({ loading: { forMs: Math.min(Math.max(0, Math.round(forMs)), 0xffff_ffff) } });
  }

  shutdown(kind: ShutdownKind, deadlineMs: number, now: boolean, status: number, argument: string): void {
    this.#link.send({
      shutdown: { kind, deadlineMs: Math.min(Math.max(0, Math.round(deadlineMs)), 0xffff_ffff), status, argument, now },
    });
  }

  get settled(): boolean {
    return this.#link.waiting === 0;
  }

  reexecCore(): void {
    this.#told.reexec();
    // Should the next core end before it has written anything, this one's leaving is not what it died of.
    this.#blackBox.mark(0, 0, '');
    this.#link.send('reexec-core');
  }

  reexecInit(path: string): void {
    this.#link.send({ 'reexec-init': { path } });
  }

  mark(seq: number, phase: number, actor: string): void {
    this.#blackBox.mark(seq, phase, actor);
  }
}
