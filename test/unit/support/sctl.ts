/** sctl in a test: what it prints, and its exit status. */
import type { Context } from '../../../src/cli/context.ts';
import { main } from '../../../src/cli/run.ts';
import { keptContext } from './context.ts';
import { type DirectClient, directClient } from './direct-client.ts';
import { type FakeManager, fakeManager } from './fake-manager.ts';
import { NOON } from './fake-units.ts';

export interface Sctl {
  readonly manager: FakeManager;
  readonly client: DirectClient;
  /** Run a command line, split at blanks unless it is a list. */
  readonly run: (
    words: string | readonly string[],
    more?: Partial<Context>,
  ) => Promise<{ out: string; err: string; status: number }>;
}

/** Three minutes after everything happened. Times are shown in UTC. */
export function sctl(uid = 0): Sctl {
  process.env['TZ'] = 'UTC';
  const manager = fakeManager();
  const client = directClient(manager, uid);
  return {
    manager,
    client,
    async run(words, more = {}) {
      const { context, out, err } = keptContext({
        env: { SYSMASTER_LOGS: '/nonexistent' },
        nowUs: () => NOON.realUs + 185_000_000,
        monotonicUs: () => NOON.monotonicUs + 185_000_000,
        uid,
        ...more,
      });
      const status = await main(
        typeof words === 'string' ? words.split(' ').filter((word) => word !== '') : words,
        context,
        client,
      );
      return { out: out(), err: err(), status };
    },
  };
}
