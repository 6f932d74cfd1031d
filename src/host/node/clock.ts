/** Clocks, one deadline on a timer descriptor, and notice when CLOCK_REALTIME is set. */
import type { ClockPort } from '../ports.ts';
import { addon, EPOLL } from './addon.ts';
import type { Loop } from './loop.ts';

/** A time that never comes (the year 2200), in milliseconds: a timer must be set for the clock change to be told. */
const NEVER_MS = 7_258_118_400_000;

export class NodeClock implements ClockPort {
  readonly #loop: Loop;
  readonly #timer = addon.timerCreate('monotonic');

  constructor(loop: Loop) {
    this.#loop = loop;
    loop.add(this.#timer, EPOLL.in, () => {
      if (addon.timerRead(this.#timer) === 'expired') this.#loop.postWake();
    });
    const change = addon.timerCreate('realtime');
    addon.timerSet(change, NEVER_MS, true);
    loop.add(change, EPOLL.in, () => {
      if (addon.timerRead(change) !== 'cancelled') return;
      addon.timerSet(change, NEVER_MS, true);
      loop.post({ type: 'clock-changed' });
    });
  }

  nowMs(): number {
    return addon.clockMs('monotonic');
  }

  realMs(): number {
    return addon.clockMs('realtime');
  }

  bootMs(): number {
    return addon.clockMs('boottime');
  }

  wakeAt(monotonicMs: number | undefined): void {
    addon.timerSet(this.#timer, monotonicMs === Number.POSITIVE_INFINITY ? undefined : monotonicMs, false);
  }
}
