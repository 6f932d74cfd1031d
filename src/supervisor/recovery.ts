/**
 * Recovery: from a checkpoint, init's hello and the black box to a ledger that can go on. A protocol, each step its own function.
 *
 *   read      the state port's image and records; nothing in safe mode
 *   verify    form, boot, epoch: a checkpoint of another boot, or older than what init has seen, is history, not state
 *   replay    operations onto an empty ledger; an older form of images and records is brought to the present one first
 *   future    what a newer core has saved is refused as a whole: its parts may mean something else together
 *   load      each actor from its saved form, through the migrations of its kind; one that cannot be loaded is set aside, alone; one
 *             that has none lies dormant
 *   suspects  what the black box names is handled alone; what it names twice is set aside
 *   salvage   where the state is not used: what it says, as far as it can be read, for those who only want to know what there was
 *
 * What follows is the host's (host.ts): complete the static tree, `reconcile` by the layer above, arm the deadlines, issue the
 * effects of the last commit again, `ready`. Nothing is started here, so dying in here at any point and starting again is harmless.
 */
import type { BlackBox, Hello, Host, StatePort } from '../host/ports.ts';
import { type ActorId, type ActorKinds, blackBoxName, type HostReport, type Json, type Logic } from './actor.ts';
import { FORMAT, isSupervisor, Ledger, type PendingEffect } from './ledger.ts';
import { messageOf } from './message.ts';
import { canMigrate, type Migrations, migrate } from './migrate.ts';

/** Phases of the black box (native/link/src/frame.rs). */
export const PHASE = { idle: 0, step: 1, effect: 2, recovery: 3, compaction: 4 } as const;

/** One event or effect that is known to kill, by its number and the black-box name of its actor. */
export interface Suspect {
  readonly seq: number;
  readonly actor: string;
  /** Of what core died the last time: `a hang`, `signal 6`, `status 1`. */
  readonly how: string;
}

/** What the black box says about the checkpoint at hand. Names are black-box names. */
export interface Suspects {
  /** Events are handled one to a turn until this one is behind us; 0: no suspicion. */
  readonly aloneUntil: number;
  /** The event that has taken core down twice, to be set aside with its actor. */
  readonly setAside: Suspect | undefined;
  /** The actor and event number whose effects have taken core down twice. */
  readonly badEffect: Suspect | undefined;
  /** The recovery step that has taken core down twice. */
  readonly badRecovery: string | undefined;
  /** Writing an image has taken core down twice. */
  readonly badCompaction: boolean;
}

/** Why a start is fresh of which nobody need be told. */
export const NO_CHECKPOINT = 'there is no checkpoint';
export const NOT_BEGUN = 'the last core had not begun';

const INNOCENT: Suspects = {
  aloneUntil: 0,
  setAside: undefined,
  badEffect: undefined,
  badRecovery: undefined,
  badCompaction: false,
};

/** The answer of {@link recover}. `fresh`: there is no state, and the epoch is new. */
export interface Recovered {
  readonly ledger: Ledger;
  readonly mode: 'restored' | 'fresh';
  /** Why it is fresh; empty when restored. */
  readonly why: string;
  readonly suspects: Suspects;
  /** Restored: what was wrong with the checkpoint nevertheless. */
  readonly note?: string;
  /** Of a state of this boot that is not used: the saved forms of its actors, to be believed as little as any rumour. */
  readonly earlier: ReadonlyMap<ActorId, Json>;
}

type Report = (level: HostReport['level'], what: string, actor: ActorId | undefined, why: string) => void;

/** The whole protocol. Never throws for what stands in the checkpoint. */
export function recover(host: Host, kinds: ActorKinds, report: Report, migrations: Migrations = {}): Recovered {
  const { hello, init } = host;
  const mark = (step: string) => init.mark(0, PHASE.recovery, step);
  const badRecovery = twiceInRecovery(hello.deaths);
  /** There was something, and it is not used: never in silence. */
  const refused = (why: string) => report('warning', 'checkpoint-refused', undefined, why);

  const anew = (why: string): Recovered => {
    mark('salvage');
    const earlier = badRecovery === 'salvage' ? NOTHING : salvage(host, kinds, migrations);
    return { ...fresh(kinds, hello, why), earlier };
  };

  mark('read');
  const source = read(host.state, hello, badRecovery);
  if ('unusable' in source) {
    if (source.refused) refused(source.unusable);
    return anew(source.unusable);
  }
  if (source.note !== undefined) report('warning', 'checkpoint-note', undefined, source.note);

  mark('verify');
  const header = verify(source.image, hello, host.facts.bootId, migrations);
  if ('unusable' in header) {
    refused(header.unusable);
    return anew(header.unusable);
  }

  mark('replay');
  const ledger = new Ledger(kinds, header.epoch);
  const fault = replay(ledger, header.ops, source.records, header.format, migrations) ?? fromTheFuture(ledger);
  if (fault !== undefined) {
    refused(fault);
    return anew(fault);
  }
  if (ledger.nodes.size === 0) return { ledger, mode: 'fresh', why: NOT_BEGUN, suspects: INNOCENT, earlier: NOTHING };

  loadActors(ledger, badRecovery, migrations, report, mark);
  addDormant(ledger);
  mark('suspects');
  const pending = ledger.pending.map(({ id, actor }) => ({ seq: id.seq, actor: blackBoxName(actor) }));
  const roots = [...ledger.nodes].filter(([, { parent }]) => parent === null).map(([id]) => id);
  const own = new Set(roots.flatMap((root) => ledger.childrenOf(root)).map(blackBoxName));
  const suspects = suspectsOf(hello.deaths, ledger.seq, pending, own);
  const { note } = source;
  return {
    ...{ ledger, mode: 'restored', why: '', suspects, earlier: NOTHING },
    ...(note === undefined ? {} : { note }),
  };
}

interface Source {
  readonly image: string;
  readonly records: readonly string[];
  readonly note: string | undefined;
}

/** `refused`: there may be a checkpoint. */
interface Nothing {
  readonly unusable: string;
  readonly refused: boolean;
}

function read(state: StatePort, hello: Hello, badRecovery: string | undefined): Source | Nothing {
  if (hello.safeMode) return { unusable: 'init asks for safe mode', refused: true };
  if (badRecovery !== undefined && !badRecovery.startsWith('load:')) {
    return { unusable: `the recovery step ${badRecovery} has taken core down twice`, refused: true };
  }
  try {
    const { image, records, note } = state.load();
    if (image !== undefined) return { image, records, note };
    return { unusable: note ?? NO_CHECKPOINT, refused: note !== undefined };
  } catch (error) {
    return { unusable: `the checkpoint cannot be read: ${messageOf(error)}`, refused: true };
  }
}

interface Header {
  readonly epoch: number;
  readonly ops: readonly unknown[];
  /** In which form the image was written, and the records behind it are. */
  readonly format: number;
}

/** The image's header, and whether it is this boot's and the newest. An older form comes back as the present one. */
export function verify(
  image: string,
  hello: Hello,
  bootId: string,
  migrations: Migrations = {},
): Header | { readonly unusable: string } {
  let parsed: { format?: unknown; boot?: unknown; epoch?: unknown; ops?: unknown };
  try {
    parsed = JSON.parse(image);
  } catch (error) {
    return { unusable: `the image is not JSON: ${messageOf(error)}` };
  }
  const format = parsed?.format;
  if (typeof format !== 'number' || format > FORMAT || (format < FORMAT && !canMigrate(migrations, 'image', format)))
    return { unusable: `the image has form ${JSON.stringify(format)}, this core reads ${FORMAT}` };
  try {
    parsed = migrate(migrations, 'image', parsed as Json, format, FORMAT) as typeof parsed;
  } catch (error) {
    return { unusable: messageOf(error) };
  }
  const { boot, epoch, ops } = parsed;
  if (boot !== bootId) return { unusable: 'the checkpoint is of another boot' };
  if (typeof epoch !== 'number' || !Array.isArray(ops)) return { unusable: 'the image has no epoch or no operations' };
  if (epoch < hello.epoch)
    return { unusable: `the image is of epoch ${epoch}, but init has seen effects of ${hello.epoch}` };
  return { epoch, ops, format };
}

/** Undefined, or what was wrong: then nothing of it is believed, since later records build on it. */
export function replay(
  ledger: Ledger,
  imageOps: readonly unknown[],
  records: readonly string[],
  format: number = FORMAT,
  migrations: Migrations = {},
): string | undefined {
  let at = 'the image';
  try {
    ledger.apply(imageOps);
    for (const [index, record] of records.entries()) {
      at = `record ${index + 1} of ${records.length}`;
      ledger.apply(migrate(migrations, 'record', JSON.parse(record), format, FORMAT) as readonly unknown[]);
    }
    return undefined;
  } catch (error) {
    return `${at} cannot be read: ${messageOf(error)}`;
  }
}

/** Undefined, or which actor was saved by a core that is newer than this one. */
function fromTheFuture(ledger: Ledger): string | undefined {
  for (const { id, kind, saved } of ledger.actors.values()) {
    if (kind === undefined || saved === undefined || saved.version <= kind.logic.version) continue;
    return `${id} was saved as version ${saved.version} of ${kind.logic.name}, this core reads ${kind.logic.version}: a newer core has written it`;
  }
  return undefined;
}

function fresh(kinds: ActorKinds, hello: Hello, why: string): Recovered {
  return {
    ...{ ledger: new Ledger(kinds, hello.epoch + 1), mode: 'fresh', why },
    ...{ suspects: INNOCENT, earlier: NOTHING },
  };
}

const NOTHING: ReadonlyMap<ActorId, Json> = new Map();

/** What stands in a state that is not used; empty where it cannot be read, is of another boot, or is what init's first core found. */
function salvage({ state, hello, facts }: Host, kinds: ActorKinds, migrations: Migrations): ReadonlyMap<ActorId, Json> {
  if (hello.cores === 0) return NOTHING;
  try {
    const { image, records } = state.load();
    if (image === undefined) return NOTHING;
    const header = verify(image, { ...hello, epoch: 0 }, facts.bootId, migrations);
    if ('unusable' in header) return NOTHING;
    const ledger = new Ledger(kinds, header.epoch);
    if (replay(ledger, header.ops, records, header.format, migrations) !== undefined) return NOTHING;
    return new Map(
      [...ledger.actors].flatMap(([id, { saved }]) => (saved === undefined ? [] : [[id, plainForm(saved.form)]])),
    );
  } catch {
    return NOTHING; // that it cannot be used has been said already
  }
}

/** A form may still be in pages while records are read. */
const plainForm = (form: Json): Json => JSON.parse(JSON.stringify(form)) as Json;

/** Also loads the snapshots that go with pending effects. A broken actor keeps its saved form, for a core that can read it. */
function loadActors(
  ledger: Ledger,
  badRecovery: string | undefined,
  migrations: Migrations,
  report: Report,
  mark: (step: string) => void,
): void {
  for (const cell of ledger.actors.values()) {
    const name = `load:${blackBoxName(cell.id).slice(0, 35)}`;
    mark(name);
    const { saved, kind } = cell;
    if (name === badRecovery) cell.broken ??= 'loading it has taken core down twice';
    if (saved === undefined) cell.broken ??= 'it was saved without a form';
    if (kind === undefined) cell.broken ??= `there is no kind of actor named ${cell.kindName}`;
    try {
      if (cell.broken === undefined && saved !== undefined && kind !== undefined) {
        cell.snapshot = loadForm(kind.logic, cell.kindName, saved, migrations);
        cell.saved = undefined;
      }
    } catch (error) {
      cell.broken = messageOf(error);
    }
    if (cell.broken !== undefined)
      report('error', 'actor-set-aside', cell.id, `its snapshot cannot be used: ${cell.broken}`);
  }
  // Many effects may come from one state.
  const loaded = new Map<unknown, unknown>();
  ledger.pending = ledger.pending.map((effect) => {
    if (ledger.kinds[effect.kindName]?.blindEffects === true) return { ...effect, saved: undefined };
    if (!loaded.has(effect.saved)) loaded.set(effect.saved, snapshotFor(ledger, effect, migrations));
    return { ...effect, snapshot: effect.saved === undefined ? undefined : loaded.get(effect.saved) };
  });
}

/** Who is in the tree, and has neither a form nor failed to begin, has heard nothing yet. */
function addDormant(ledger: Ledger): void {
  for (const [id, node] of ledger.nodes) {
    if (isSupervisor(node) || node.phase === 'quarantined' || ledger.actors.has(id)) continue;
    ledger.addDormant(node.spec);
  }
}

/** The registry's steps first; where it has none for this version the logic is asked itself. */
function loadForm<S>(
  logic: Logic<S>,
  kindName: string,
  { version, form }: { readonly version: number; readonly form: Json },
  migrations: Migrations,
): S {
  if (version >= logic.version || !canMigrate(migrations, kindName, version)) return logic.load(form, version);
  return logic.load(migrate(migrations, kindName, form, version, logic.version), logic.version);
}

function snapshotFor(ledger: Ledger, { actor, kindName, saved }: PendingEffect, migrations: Migrations): unknown {
  const cell = ledger.actors.get(actor);
  const logic = ledger.kinds[kindName]?.logic;
  try {
    if (saved !== undefined && logic !== undefined) return loadForm(logic, kindName, saved, migrations);
  } catch {
    // Reported with the actor itself: its form is the same.
  }
  return cell?.snapshot;
}

/** A death that nobody outside can have caused: not a plain SIGKILL, except init's own for a hang. */
const fromInside = (death: BlackBox) =>
  death.hung || death.ended === null || !('killed' in death.ended && death.ended.killed === 9);

/**
 * What the last deaths (newest first) say about a checkpoint whose last event is `seq` and whose last commit has `pending`.
 *
 * A death in a step counts while its event is not committed; one in an effect while the effect is pending. Two such deaths are
 * of the same cause if actor and event number agree. Where both came from inside, the actor is enough: the number may differ,
 * since inputs can be offered in another order, but the newer one was handled alone and so is exact. `own`: black-box names of the
 * actors right below the root, whose loss would be everybody's.
 */
export function suspectsOf(
  deaths: readonly BlackBox[],
  seq: number,
  pending: readonly { readonly seq: number; readonly actor: string }[],
  own: ReadonlySet<string> = new Set(),
): Suspects {
  const steps = deaths.filter((death) => death.phase === PHASE.step && death.seq > seq);
  const effects = deaths.filter(
    (death) => death.phase === PHASE.effect && pending.some((e) => e.seq === death.seq && e.actor === death.actor),
  );
  const compactions = deaths.filter((death) => death.phase === PHASE.compaction);
  const step = twice(steps, own);
  const effect = twice(effects, own);
  return {
    aloneUntil: Math.max(0, ...steps.map((death) => death.seq)),
    setAside: step && suspect(step),
    badEffect: effect && suspect(effect),
    badRecovery: twiceInRecovery(deaths),
    badCompaction: compactions.length >= 2,
  };
}

const suspect = (death: BlackBox): Suspect => ({ seq: death.seq, actor: death.actor, how: howOf(death) });

function howOf({ hung, ended }: BlackBox): string {
  if (hung) return 'a hang';
  if (ended === null) return 'an end that nobody saw';
  if ('exited' in ended) return `status ${ended.exited}`;
  return `signal ${'killed' in ended ? ended.killed : ended.dumped}`;
}

/**
 * The newest death, if older ones agree with it: one is enough, unless it would cost one of core's `own` actors and all of them were
 * plain SIGKILLs. Those may be the kernel's for want of memory, but also somebody's who kills core in a loop and hits one long
 * effect twice; then all three deaths that init remembers have to agree.
 */
function twice(deaths: readonly BlackBox[], own: ReadonlySet<string>): BlackBox | undefined {
  const [newest, ...older] = deaths;
  if (newest === undefined) return undefined;
  const agreeing = older.filter(
    (old) => old.actor === newest.actor && (old.seq === newest.seq || (fromInside(old) && fromInside(newest))),
  );
  const enough = own.has(newest.actor) && ![newest, ...agreeing].some(fromInside) ? 2 : 1;
  return agreeing.length >= enough ? newest : undefined;
}

/** The recovery step in which the last two deaths happened. */
function twiceInRecovery(deaths: readonly BlackBox[]): string | undefined {
  const [newest, older] = deaths;
  const both = newest?.phase === PHASE.recovery && older?.phase === PHASE.recovery;
  return both && newest.actor === older.actor && fromInside(newest) && fromInside(older) ? newest.actor : undefined;
}
