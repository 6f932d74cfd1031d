/** Graphs as no person writes them, given to the whole core: an answer that says what is the matter, and core as it was. */
import { expect, test } from 'vitest';
import { createSim } from '../../src/host/sim/index.ts';
import type { ActorHost } from '../../src/supervisor/index.ts';
import { type Answered, bootCore, type Call, Clients, jobsNow, simOptions, type Wish } from './machine.ts';

const name = (number: number): string => `u${String(number).padStart(5, '0')}.target`;
const units = (count: number, lines: (number: number) => string): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, number) => [name(number), `[Unit]\nDefaultDependencies=no\n${lines(number)}`]),
  );

/** What clients are answered, one after the other. */
function asked(files: Record<string, string>, wishes: readonly (Wish | Call)[]): [ActorHost, (Answered | undefined)[]] {
  const sim = createSim(simOptions({ units: files }));
  const clients = new Clients(sim, wishes);
  let core: ActorHost | undefined;
  sim.boot((host) => {
    core = bootCore(host);
  });
  sim.run(60_000);
  expect(sim.deaths).toBe(0);
  return [core as ActorHost, wishes.map((_, index) => clients.answer(index))];
}

const start = (atMs: number, unit: string): Wish => ({ atMs, verb: 'start', units: [unit] });
const ask = (atMs: number, method: string, parameters: Record<string, unknown>): Call => ({
  atMs,
  method,
  parameters,
  asks: true,
});

interface Planned {
  readonly plan?: {
    readonly jobs: readonly { readonly unit: string; readonly reasons: readonly unknown[] }[];
    readonly cuts: readonly {
      readonly edge: { readonly from: string; readonly to: string };
      readonly ring: readonly string[];
    }[];
  };
}

test('a chain of ten thousand is planned from its beginning, each job with its reasons, and what nobody can start is refused', () => {
  const COUNT = 10_000;
  const files = units(COUNT, (n) => (n === 0 ? '' : `Requires=${name(n - 1)}\nAfter=${name(n - 1)}\n`));
  const [core, [planned, refused, state]] = asked(
    { ...files, 'broken.target': `[Unit]\nRequires=${name(COUNT - 1)} absent.target\n` },
    [
      ask(10, 'Jobs.Plan', { verb: 'start', units: [name(COUNT - 1)] }),
      start(20, 'broken.target'),
      ask(30, 'Manager.Get', {}),
    ],
  );
  const plan = (planned?.parameters as Planned | undefined)?.plan;
  expect(plan?.jobs.map(({ unit }) => unit)).toEqual(Array.from({ length: COUNT }, (_, number) => name(number)));
  expect(plan?.jobs.every(({ reasons }) => reasons.length > 0 && reasons.length <= 32)).toBe(true);
  expect(JSON.stringify(refused)).toContain('absent.target');
  expect(refused?.parameters?.outcomes?.[0]?.refusal?.error).toBe('NoSuchUnit');
  expect(state?.parameters).toBeDefined();
  expect(jobsNow(core)).toEqual([]);
});

test('a knot of five thousand is told as one ring with the one ordering that is not honoured', () => {
  const COUNT = 5_000;
  const files = units(COUNT, (n) => `Wants=${name((n + 1) % COUNT)}\nAfter=${name((n + 1) % COUNT)} ${name(n)}\n`);
  const [core, [planned, cycles]] = asked(files, [
    ask(10, 'Jobs.Plan', { verb: 'start', units: [name(0)] }),
    ask(20, 'Insight.Cycles', { units: [name(0)] }),
  ]);
  const plan = (planned?.parameters as Planned | undefined)?.plan;
  expect(plan?.jobs).toHaveLength(COUNT);
  expect(plan?.cuts.map(({ edge, ring }) => [edge.from, edge.to, ring.length])).toEqual([
    [name(COUNT - 1), name(0), COUNT],
  ]);
  const told = cycles?.parameters as { cycles: { members: string[]; cuts: { from: string; to: string }[] }[] };
  expect(told.cycles.map(({ members }) => members.length)).toEqual([COUNT]);
  expect(told.cycles[0]?.cuts).toMatchObject([{ from: name(COUNT - 1), to: name(0) }]);
  expect(jobsNow(core)).toEqual([]);
});

test.each([
  ['is not there', {}],
  ['needs what is not there', { 'reboot.target': '[Unit]\nDefaultDependencies=no\nRequires=absent.service\n' }],
  ['is not one', { 'reboot.target': '[Unit]\nDefaultDependencies=no\nRequires=a.target b.target\n' }],
])('an ending whose target %s does not wait for it', (_, files) => {
  const fight = { 'a.target': '[Unit]\nConflicts=b.target\n', 'b.target': '[Unit]\n' };
  const [core] = asked({ ...fight, ...files }, [
    { atMs: 20, method: 'Manager.Shutdown', parameters: { verb: 'reboot', force: 0, status: 0, argument: '' } },
  ]);
  expect(core.read<{ value: unknown }>('manager')?.value).toBe('ending');
});
