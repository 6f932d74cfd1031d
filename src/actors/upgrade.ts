/**
 * The actor `upgrade`: before core leaves for another version, that one loads the checkpoint beside it, as a child of init.
 *
 *   idle -check-> checking -exited | spawn-failed | deadline | effect-failed-> idle
 *                    '-(it could go on) go-> leaving -came-up-> idle
 *
 * Init is replaced by itself; who asked for that waits here until the init that has taken over says so, or the present one refuses.
 *
 * Whoever asks while it is checking hears the same answer. Only if the new core could go on does the present one leave, and only
 * the core that is in charge then answers: the new one that it is, or the one before, back again, why it had to come back.
 */
import type { ChangeAnswer } from '../api/manager.ts';
import { type Ended, type Host, HostError } from '../host/ports.ts';
import type { ActorEvent, ActorHost, ActorKind, Effect, EffectCall, Json, Logic } from '../supervisor/index.ts';
import { endWords } from './causes.ts';
import { part, tagOf } from './names.ts';

export const UPGRADE = 'upgrade';
/** How long the new core may take to look at the checkpoint, in ms. */
const CHECK_MS = 30_000;
/** How long init may take to look at the new one and to become it, in ms: longer than its own time limit for that. */
const INIT_MS = 30_000;
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
  /** Who waits for the core after this one of init's cores; absent or null: nobody. */
  readonly leaving?: { readonly keys: readonly string[]; readonly cores: number } | null;
  /** Who waits for another init. */
  readonly init?: readonly string[];
}

const arm: Effect = { type: 'armDeadline', params: { name: 'check', ms: CHECK_MS } };
const disarm: Effect = { type: 'disarmDeadline', params: { name: 'check' } };

export const upgradeLogic: Logic<Checking> = {
  name: UPGRADE,
  version: 1,
  initial: () => ({ snapshot: { run: 0, keys: [], serial: null }, effects: [] }),
  step(snapshot, event) {
    const { run, keys, serial, leaving = null } = snapshot;
    if (event.type === 'go') {
      const waits = [...(leaving?.keys ?? []), ...(event['keys'] as readonly string[])];
      const cores = Number(event['cores']);
      const leave: Effect = { type: 'post', params: { to: 'manager', event: { type: 'leave', cores } } };
      return { snapshot: { ...snapshot, leaving: { keys: waits, cores } }, effects: [leave] };
    }
    if (event.type === 'came-up') {
      if (leaving === null || Number(event['cores']) <= leaving.cores) return { snapshot, effects: [] };
      const why = event['why'] ?? null;
      return {
        snapshot: { ...snapshot, leaving: null },
        effects: [{ type: 'answer', params: { keys: leaving.keys, why: why as Json } }],
      };
    }
    if (event.type === 'check') {
      const all = [...keys, String(event['key'])];
      if (keys.length > 0) return { snapshot: { ...snapshot, keys: all }, effects: [] };
      const effects = [{ type: 'spawnCheck', params: { run: run + 1 } }, arm];
      return { snapshot: { ...snapshot, run: run + 1, keys: all, serial: null }, effects };
    }
    if (event.type === 'replace-init') {
      const waits = [...(snapshot.init ?? []), String(event['key'])];
      const replace: Effect = { type: 'replaceInit', params: { path: String(event['path']) } };
      return {
        snapshot: { ...snapshot, init: waits },
        effects: [{ type: 'armDeadline', params: { name: 'init', ms: INIT_MS } }, replace],
      };
    }
    const ofInit = initOver(event);
    if (ofInit !== undefined) {
      if ((snapshot.init ?? []).length === 0) return { snapshot, effects: [] };
      const params = { keys: snapshot.init ?? [], why: ofInit };
      return {
        snapshot: { ...snapshot, init: [] },
        effects: [
          { type: 'disarmDeadline', params: { name: 'init' } },
          { type: 'answerInit', params },
        ],
      };
    }
    const mine = event['run'] === run || event.type === 'deadline' || event.type === 'effect-failed';
    if (keys.length === 0 || !mine) return { snapshot, effects: [] };
    const over = (ended: Json, why: string, more: readonly Effect[] = []) => ({
      snapshot: { ...snapshot, keys: [], serial: null },
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

/** What an event says of the new init: empty, it has taken over; else why not; undefined: nothing. */
function initOver(event: ActorEvent): string | undefined {
  if (event.type === 'init-replaced') return '';
  if (event.type === 'init-refused') return String(event['why']);
  if (event.type === 'deadline' && event['name'] === 'init')
    return `init has not said within ${INIT_MS / 1000} s what has become of it`;
  return undefined;
}

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
  // Whatever stands there is neither followed nor written into: it may have another name, or be somebody else's.
  host.files.removeTree(wordsOf(host));
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

/** What it has written; whoever asked is answered also where that cannot be read. */
function saidBy(host: Host): string {
  try {
    return (host.files.readText(wordsOf(host)) ?? '').trim().slice(0, WORDS_MAX);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return `what it said cannot be read: ${error.message}`;
  }
}

function judge(host: Host, call: EffectCall, { keys, ended, why }: Judgement): void {
  const well = ended !== null && 'exited' in ended && ended.exited === 0;
  if (well) return call.post(UPGRADE, { type: 'go', keys, cores: host.hello.cores });
  const words = why || saidBy(host) || `it ended with ${endWords(ended)}`;
  host.log.log('error', { why: words }, 'the new core cannot go on from the checkpoint; this one stays');
  const todo = 'the present one stays; install a version that can';
  tell(call, keys, failure(`the new core cannot go on from the checkpoint: ${words}`, todo));
}

const failure = (why: string, todo: string): ChangeAnswer => ({ error: { error: 'Failed', unit: '', why, todo } });

function tell(call: EffectCall, keys: readonly string[], answer: ChangeAnswer): void {
  for (const key of keys) call.post('manager', { type: 'carried-out', key, answer });
}

/**
 * What a core that comes up tells the actor.
 *
 * @param returned this is the version before, kept aside, and the new one never was in charge
 */
export function cameUp(host: Host, returned: boolean): ActorEvent {
  const { cores, deaths } = host.hello;
  const [death] = deaths;
  const how = death === undefined ? '' : death.hung ? 'it hung' : `it ended with ${endWords(death.ended)}`;
  return { type: 'came-up', cores, why: returned ? how : null };
}

function answer(host: Host, call: EffectCall, { keys, why }: { keys: readonly string[]; why: string | null }): void {
  if (why === null) return tell(call, keys, { result: { what: 'daemon-reexec' } });
  host.log.log('error', { why }, 'the new core did not come to be ready; the one before is back');
  const todo = `the one before is back, with all its state; see ${host.facts.runDirectory}/core.stderr`;
  tell(call, keys, failure(`the new core did not come to be ready: ${why}`, todo));
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
      answer: {
        kind: 'idempotent',
        run: (call, params: { keys: readonly string[]; why: string | null }) => answer(host, call, params),
      },
      replaceInit: {
        kind: 'idempotent',
        run: (_call, { path }: { path: string }) => host.init.reexecInit(path),
      },
      answerInit: {
        kind: 'idempotent',
        run: (call, { keys, why }: { keys: readonly string[]; why: string }) =>
          tell(
            call,
            keys,
            why === ''
              ? { result: { what: 'init-reexec' } }
              : failure(`init was not replaced: ${why}`, 'see what init says, on the console'),
          ),
      },
      judge: { kind: 'idempotent', run: (call, judgement: Judgement) => judge(host, call, judgement) },
    },
  };
}
