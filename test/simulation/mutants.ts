/**
 * Faults that are put into core on purpose, each of which the sample of `npm test` must find: or what it compares is not enough.
 *
 *   npm run test:crash -- --mutants [TEXT]       # those whose name has this text
 *
 * Each is made in a copy of the sources, below the build, and played there until one life differs.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { crashEverywhere } from './crash.ts';
import { lives } from './lives/index.ts';
import { sample } from './points.ts';
import { sampledIn, scenarioOf } from './real.ts';

/** A piece of a source, and what it is replaced by. */
interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const HOST = 'src/supervisor/host.ts';
const LEDGER = 'src/supervisor/ledger.ts';
const RECOVERY = 'src/actors/recovery.ts';

/** What a machine forgets that is loaded. */
const forgetting = (name: string, change: string): Mutant => ({
  name,
  file: 'src/supervisor/logic.ts',
  from: '  return saved.context;\n',
  to: `  return ((context: any) => ({ ...context, ...(${change}) }))(saved.context);\n`,
});
/** What the job engine forgets that is loaded. */
const unlearned = (part: string): Mutant => ({
  name: `the engine's ${part} are lost`,
  file: 'src/jobs/saved.ts',
  from: `Object.entries(${part} ?? {})`,
  to: 'Object.entries({})',
});

export const mutants: readonly Mutant[] = [
  {
    name: 'records are acknowledged before the commit: an exit is lost',
    file: HOST,
    from: '    const queue = this.#queue.settle();\n    if (!ledger.dirty',
    to: '    if (ledger.keys.lowWater > this.#ackedThrough) this.#host.process.ack((this.#ackedThrough = ledger.keys.lowWater));\n    const queue = this.#queue.settle();\n    if (!ledger.dirty',
  },
  {
    name: 'inputs are taken before the commit: a datagram is lost',
    file: HOST,
    from: '    this.#arrived.push({ key:',
    to: '    consume?.();\n    this.#arrived.push({ key:',
  },
  {
    name: 'effects are issued again under another number: a process is started twice',
    file: HOST,
    from: '      this.#runEffect(effect);\n    }\n    for (const effect of effects.filter(isBad))',
    to: '      this.#runEffect({ ...effect, id: { ...effect.id, index: effect.id.index + 50 } });\n    }\n    for (const effect of effects.filter(isBad))',
  },
  {
    name: 'effects are not issued again',
    file: HOST,
    from: '    const good = effects.filter((one) => !isBad(one));',
    to: '    const good = effects.filter((one) => !isBad(one) && false);',
  },
  {
    name: 'the last effect is not issued again',
    file: HOST,
    from: '    const good = effects.filter((one) => !isBad(one));',
    to: '    const good = effects.filter((one) => !isBad(one)).slice(0, -1);',
  },
  {
    name: 'the queue is lost',
    file: HOST,
    from: '    for (const post of queued) this.#queue.push({ post, durable: true });',
    to: '',
  },
  {
    name: 'the queue comes in another order',
    file: HOST,
    from: '    for (const post of queued) this.#queue.push({ post, durable: true });',
    to: '    for (const post of queued.toReversed()) this.#queue.push({ post, durable: true });',
  },
  {
    name: 'a deadline is forgotten',
    file: LEDGER,
    from: "      case 'd':\n        this.deadlines.arm(a, b, c);",
    to: "      case 'd':\n        if (!String(b).includes('atchdog')) this.deadlines.arm(a, b, c);",
  },
  {
    name: 'deadlines begin anew a little later',
    file: LEDGER,
    from: "      case 'd':\n        this.deadlines.arm(a, b, c);",
    to: "      case 'd':\n        this.deadlines.arm(a, b, c === 'infinity' ? c : c + 5);",
  },
  {
    name: 'a deadline that was disarmed fires all the same',
    file: LEDGER,
    from: '        this.deadlines.disarm(a, b);',
    to: '',
  },
  {
    name: 'inputs are not known again: a datagram that is committed is heard twice',
    file: HOST,
    from: 'const known = key !== undefined && this.#ledger.keys.has(key);',
    to: "const known = key !== undefined && !key.startsWith('notify') && this.#ledger.keys.has(key);",
  },
  {
    name: 'requests are not known again: one is carried out twice',
    file: HOST,
    from: 'const known = key !== undefined && this.#ledger.keys.has(key);',
    to: "const known = key !== undefined && !key.startsWith('request') && this.#ledger.keys.has(key);",
  },
  {
    name: 'a client that comes back is not answered',
    file: 'src/actors/manager-effects.ts',
    from: 'if (asker.core === host.hello.cores) tools.answered',
    to: 'if (asker.core === 0) tools.answered',
  },
  {
    name: 'a descriptor is lost that was passed and not taken',
    file: 'src/actors/inputs.ts',
    from: 'tools.kept.get(key) ?? leftBehind(tools, datagram, key);',
    to: 'tools.kept.get(key) ?? { names: [], id: undefined };',
  },
  {
    name: 'notify sockets are not listened to again',
    file: RECOVERY,
    from: 'for (const look of [hearAgain, watchGroup,',
    to: 'for (const look of [watchGroup,',
  },
  {
    name: 'control groups are not watched again',
    file: RECOVERY,
    from: 'for (const look of [hearAgain, watchGroup,',
    to: 'for (const look of [hearAgain,',
  },
  {
    name: 'PID files are not awaited again',
    file: RECOVERY,
    from: 'watchGroup, awaitPidFile, listenAgain]',
    to: 'watchGroup, listenAgain]',
  },
  {
    name: 'listeners are not watched again',
    file: RECOVERY,
    from: 'awaitPidFile, listenAgain]',
    to: 'awaitPidFile]',
  },
  {
    name: 'conditions that were being looked at are forgotten',
    file: RECOVERY,
    from: '.filter((job) => isChecking(view, job))',
    to: '.filter((job) => isChecking(view, job) && false)',
  },
  forgetting('the counter of restarts is lost', "'nRestarts' in context ? { nRestarts: 0 } : {}"),
  forgetting('the window of a start limit is lost', "'startLimit' in context ? { startLimit: null } : {}"),
  forgetting('how a main process ended is lost', "'mainEnded' in context ? { mainEnded: null } : {}"),
  forgetting(
    'the position in a list of commands is lost',
    'context.control ? { control: { ...context.control, index: 0 } } : {}',
  ),
  forgetting(
    'the times of changes are lost',
    "'downs' in context ? { since: { ...context.since, activeEnterMs: null } } : {}",
  ),
  unlearned('confirmations'),
  unlearned('plans'),
  unlearned('supervised'),
  unlearned('durations'),
];

/** The first life that differs, in words; undefined: none. */
function caught(): string | undefined {
  for (const [index, life] of lives.entries()) {
    try {
      crashEverywhere(scenarioOf(life, sampledIn(index)), [], sample(index));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}

const project = join(import.meta.dirname, '../..');

/** Make one, and have a process of its own look for it. */
async function tryOne({ name, file, from, to }: Mutant, at: number): Promise<boolean> {
  const copy = join(project, '.build/mutants', String(at));
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const part of ['src', 'test/simulation', 'package.json'])
    cpSync(join(project, part), join(copy, part), { recursive: true });
  const text = readFileSync(join(copy, file), 'utf8');
  if (!text.includes(from)) throw new Error(`${file} has no such piece any more: ${from}`);
  writeFileSync(
    join(copy, file),
    text.replace(from, () => to),
  );
  const child = spawn(process.execPath, [join(copy, 'test/simulation/mutants.ts')], {
    env: { ...process.env, SYSMASTER_MUTANT: 'try', SYSMASTER_ADDON: join(project, '.build/addon.node') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const code = await new Promise((resolve) => child.on('close', resolve));
  rmSync(copy, { recursive: true, force: true });
  if (code === 2) console.log(`caught  ${name}\n          ${said.trim().split('\n').slice(0, 2).join('\n          ')}`);
  else console.log(code === 0 ? `MISSED  ${name}` : `BROKEN  ${name}: ${said}`);
  return code === 2;
}

/** All whose name has this text; the exit status. */
export async function tryMutants(only: string): Promise<number> {
  const queue = mutants.filter(({ name }) => name.includes(only)).map((mutant, at) => [mutant, at] as const);
  const all = queue.length;
  let found = 0;
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) if (await tryOne(...next)) found += 1;
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  console.log(`${found} of ${all} caught`);
  return found === all ? 0 : 1;
}

if (process.env['SYSMASTER_MUTANT'] === 'try') {
  const fault = caught();
  if (fault !== undefined) console.log(fault);
  process.exitCode = fault === undefined ? 0 : 2;
}
