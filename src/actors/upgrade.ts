/**
 * The actor `upgrade`: before core leaves for another version, that one loads the checkpoint beside it, as a child of init.
 *
 *   idle -check-> checking -exited | spawn-failed | deadline | effect-failed-> idle
 *
 * Whoever asks while it is checking hears the same answer. Only if the new core could go on does the present one leave.
 */
import type { ChangeAnswer } from '../api/manager.ts';
import type { Ended, Host } from '../host/ports.ts';
import type { ActorHost, ActorKind, Effect, EffectCall, Json, Logic } from '../supervisor/index.ts';
import { endWords } from './causes.ts';
import { part, tagOf } from './names.ts';

export const UPGRADE = 'upgrade';
/** How long the new core may take to look at the checkpoint, in ms. */
const CHECK_MS = 30_000;
/** As much of its words as a client is told. */
const WORDS_MAX = 500;
const SIGKILL = 9;
/** Under which init keeps a checkpoint that the disk had no room for (src/host/node). */
const IN_MEMORY = ['state:a', 'state:b'] as const;

interface Checking {
  /** Number of the check; 0: none so far. */
  readonly run: number;
  /** Changes that wait for it; none: it is not checking. */
  readonly keys: readonly string[];
  readonly serial: number | null;
}

const arm: Effect = { type: 'armDeadline', params: { name: 'check', ms: CHECK_MS } };
const disarm: Effect = { type: 'disarmDeadline', params: { name: 'check' } };

export const upgradeLogic: Logic<Checking> = {
  name: UPGRADE,
  version: 1,
  initial: () => ({ snapshot: { run: 0, keys: [], serial: null }, effects: [] }),
  step(snapshot, event) {
    const { run, keys, serial } = snapshot;
    if (event.type === 'check') {
      const all = [...keys, String(event['key'])];
      if (keys.length > 0) return { snapshot: { ...snapshot, keys: all }, effects: [] };
      const effects = [{ type: 'spawnCheck', params: { run: run + 1 } }, arm];
      return { snapshot: { run: run + 1, keys: all, serial: null }, effects };
    }
    const mine = event['run'] === run || event.type === 'deadline' || event.type === 'effect-failed';
    if (keys.length === 0 || !mine) return { snapshot, effects: [] };
    const over = (ended: Json, why: string, more: readonly Effect[] = []) => ({
      snapshot: { run, keys: [], serial: null },
      effects: [disarm, ...more, { type: 'judge', params: { keys, ended, why } }],
    });
    switch (event.type) {
      case 'forked':
        return { snapshot: { ...snapshot, serial: Number(event['serial']) }, effects: [] };
      case 'exited':
        return over((event['ended'] ?? null) as Json, '');
      case 'spawn-failed':
        // With a process its exit follows, and says more.
        return serial === null
          ? over(null, `it cannot be started: errno ${String(event['errno'])}`)
          : { snapshot, effects: [] };
      case 'effect-failed':
        return over(null, String(event['why']));
      case 'deadline':
        return over(
          null,
          `it has not answered within ${CHECK_MS / 1000} s`,
          serial === null ? [] : [{ type: 'killCheck', params: { serial } }],
        );
      default:
        return { snapshot, effects: [] };
    }
  },
  save: (snapshot) => snapshot as unknown as Json,
  load: (saved) => saved as unknown as Checking,
};

/** Where the new core says why not. */
const wordsOf = (host: Host): string => `${host.facts.runDirectory}/upgrade.check`;

function spawnCheck(host: Host, actors: ActorHost, call: EffectCall, run: number): void {
  // As init started this core; the files behind these words may be another version's by now.
  const words = (host.files.readText('/proc/self/cmdline') ?? '').split('\0').filter((word) => word !== '');
  const [path] = words;
  if (path === undefined) throw new Error('what this core was started as cannot be read');
  const inMemory = IN_MEMORY.every((name) => host.sockets.stored(name));
  const known = actors.list('').filter((id) => actors.read(id) === undefined);
  const directory = inMemory ? 'fds' : `${host.facts.runDirectory}/state`;
  const output = { file: { path: wordsOf(host), append: false, truncate: true } };
  host.process.spawn(
    call.id,
    tagOf(`@${UPGRADE}`, 'control', run),
    {
      version: 1,
      unit: 'upgrade',
      path,
      argv: [...words, '--check-checkpoint', directory, ...known],
      environment: Object.entries(host.facts.environment).map(([name, value]) => `${name}=${value}`),
      stdout: output,
      stderr: output,
      ignoreSigpipe: true,
      ...(inMemory ? { listenFds: [1, 2] } : {}),
    },
    inMemory ? IN_MEMORY : [],
  );
}

interface Judgement {
  readonly keys: readonly string[];
  readonly ended: Ended | null;
  readonly why: string;
}

function judge(host: Host, call: EffectCall, { keys, ended, why }: Judgement): void {
  const well = ended !== null && 'exited' in ended && ended.exited === 0;
  const said = (host.files.readText(wordsOf(host)) ?? '').trim().slice(0, WORDS_MAX);
  const words = why !== '' ? why : said !== '' ? said : `it ended with ${endWords(ended)}`;
  const answer: ChangeAnswer = well
    ? { result: { what: 'daemon-reexec' } }
    : {
        error: {
          error: 'Failed',
          unit: '',
          why: `the new core cannot go on from the checkpoint: ${words}`,
          todo: 'the present one stays; install a version that can',
        },
      };
  if (!well) host.log.log('error', { why: words }, 'the new core cannot go on from the checkpoint; this one stays');
  for (const key of keys) call.post('manager', { type: 'carried-out', key, answer });
  if (well) call.post('manager', { type: 'leave', cores: host.hello.cores });
}

export function upgradeKind(host: Host, actors: () => ActorHost): ActorKind {
  return {
    logic: upgradeLogic,
    blindEffects: true,
    effects: {
      spawnCheck: { kind: 'once', run: (call, { run }: { run: number }) => spawnCheck(host, actors(), call, run) },
      killCheck: {
        kind: 'once',
        run: (call, { serial }: { serial: number }) =>
          host.process.kill(part(call.id, 1), { process: { child: serial } }, SIGKILL),
      },
      judge: { kind: 'idempotent', run: (call, judgement: Judgement) => judge(host, call, judgement) },
    },
  };
}
