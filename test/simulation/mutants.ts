/**
 * Faults that are put into core on purpose, each of which the sample of `npm test` must find: or what it compares is not enough. Found
 * they are by mutate.ts.
 */

/** A piece of a source, and what it is replaced by. */
export interface Mutant {
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
  from: 'fromParts(nextId, installed, cutKeys), ...rest };',
  to: `fromParts(nextId, installed, cutKeys), ...rest, ${part}: paged.EMPTY };`,
});
/** What a core that came back does not look at again. */
const overlooked = (what: string, look: string): Mutant => ({
  name: `${what} are not watched again`,
  file: 'src/actors/relist.ts',
  from: 'for (const look of LOOKS) tolerant',
  to: `for (const look of LOOKS) if (look !== ${look}) tolerant`,
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
    file: 'src/actors/manager.ts',
    from: "{ type: 'change', key, asker, by, change }",
    to: "{ type: 'change', key: repeats ? key + life : key, asker, by, change }",
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
    file: 'src/core.ts',
    from: '        hearAgain(host, actors);\n',
    to: '',
  },
  overlooked('control groups', 'watchGroup'),
  overlooked('PID files', 'awaitPidFile'),
  overlooked('listeners', 'listenAgain'),
  overlooked('paths', 'watchPathsAgain'),
  {
    name: 'stamps of watched paths are not noted: what changes without a core is not seen',
    file: 'src/machines/path-steps.ts',
    from: 'looking: false, stamps: stampsOf(turn.context.settings, (turn.event as PathsSeenEvent).seen) });',
    to: 'looking: false });',
  },
  {
    name: 'stamps of watched paths are not compared: what changes without a core is not seen',
    file: 'src/machines/path-context.ts',
    from: 'missed ? before !== now.stamp : ',
    to: '',
  },
  {
    name: 'a piece of an image is skipped: deadlines are lost',
    file: 'src/supervisor/image.ts',
    from: 'for (const [actor, name, at] of moment.deadlines)',
    to: "for (const [actor, name, at] of moment.deadlines.filter((one) => one[2] === 'infinity'))",
  },
  {
    name: 'what is committed while an image is made is not behind it',
    file: 'src/supervisor/journal.ts',
    from: '      this.#draft.records.push(record);\n',
    to: '',
  },
  {
    name: 'an image is of the present at each of its pieces',
    file: 'src/supervisor/image.ts',
    from: '    const snapshot = moment.snapshots[at];\n',
    to: '    const snapshot = cell.broken === undefined ? cell.snapshot : moment.snapshots[at];\n',
  },
  {
    name: 'conditions that were being looked at are forgotten',
    file: RECOVERY,
    from: '.filter((job) => isChecking(view, job))',
    to: '.filter((job) => isChecking(view, job) && false)',
  },
  {
    name: 'heirs that have ended are nobody: how a daemon ended is lost',
    file: 'src/actors/inputs.ts',
    from: 'guessHeir(host, membersOf(tools, unit), left)',
    to: 'guessHeir(host, membersOf(tools, unit), undefined)',
  },
  {
    name: 'heirs are not remembered until the PID file names one',
    file: 'src/core.ts',
    from: '?.heirs ?? [];',
    to: '?.heirs?.slice(100) ?? [];',
  },
  {
    name: 'what others of a unit said before an end comes after it',
    file: 'src/host/order.ts',
    from: 'if (pid !== ended?.pid && !isOthers()) continue;',
    to: 'if (pid !== ended?.pid) continue;',
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
