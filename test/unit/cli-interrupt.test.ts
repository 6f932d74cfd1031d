/** What somebody is told who interrupts a command that waits for jobs. */
import { expect, test } from 'vitest';
import type { Call } from '../../src/cli/command.ts';
import { interruptWords, whileWaiting } from '../../src/cli/progress.ts';
import type { Job } from '../../src/cli/wire.ts';

const job = (id: number, unit: string): Job => ({
  id,
  unit,
  type: 'start',
  state: 'running',
  mode: 'replace',
  by: '',
  created: { realUs: 0, monotonicUs: 0 },
  waits: [],
});

test('the jobs of the units that were asked for are named, and how to see and to cancel them', () => {
  const jobs = [job(1, 'a.service'), job(2, 'b.service'), job(3, 'other.service')];
  expect(interruptWords('sctl', jobs, ['a.service', 'b.service'])).toBe(
    'Interrupted; job 1 (start a.service), job 2 (start b.service) go on in the background.\nSee them: sctl list-jobs; sctl why 1. Cancel them: sctl cancel 1 2.',
  );
  expect(interruptWords('systemctl', jobs, ['a.service'])).toContain('Cancel it: systemctl cancel 1.');
});

test('of many jobs a few are named, of none it is said, and where core does not answer the way to see them is', () => {
  const many = Array.from({ length: 50 }, (_, id) => job(id, `u${id}.service`));
  const words = interruptWords('sctl', many, []);
  expect(words).toContain('job 7 (start u7.service) and 42 more go on');
  expect(words).toContain('sctl cancel 0 1 2 3 4 5 6 7 ….');
  expect(interruptWords('sctl', many, ['gone.service'])).toBe('Interrupted; none of its jobs is left.');
  expect(interruptWords('sctl', undefined, [])).toContain('goes on in the background: sctl list-jobs shows it');
});

test('a core that does not answer keeps nobody, and what was registered is taken back when the wait is over', async () => {
  const told: string[] = [];
  let interrupt = async () => {};
  let registered = 0;
  const call = {
    quiet: false,
    json: false,
    client: { path: '/nonexistent/api.sock' },
    context: {
      terminal: false,
      name: 'sctl',
      env: {},
      err: (text: string) => void told.push(text),
      monotonicUs: () => 0,
      pause: async () => {},
      onInterrupt: (does: () => Promise<void>) => {
        interrupt = does;
        registered += 1;
        return () => {
          registered -= 1;
        };
      },
    },
  } as unknown as Call;
  await whileWaiting(call, ['a.service'], async () => {
    expect(registered).toBe(1);
    await interrupt();
  });
  expect(told.join('')).toMatch(/^Interrupted; what was asked for goes on in the background/);
  expect(registered).toBe(0);
});
