/** The steps of the path chart: watching, triggering, and the life cycle. The chart (path.ts) says when. */
import { isDown } from '../jobs/verbs.ts';
import { admit, countStart, refuseStart, resetFailed, settle, triggerLimitOf } from './ends.ts';
import { due, keyOf, type PathContext, type PathSettings, stampsOf } from './path-context.ts';
import type {
  ActiveState,
  AdoptEvent,
  JobRefusedEvent,
  PathChangedEvent,
  PathEvent,
  PathsFailedEvent,
  PathsSeenEvent,
  Result,
  ServiceStateEvent,
  SettingsEvent,
} from './protocol.ts';
import { triggeredService } from './socket-context.ts';
import { arm, disarm, step, type Turn } from './turn.ts';

export type AnyPathEvent = PathEvent | SettingsEvent<PathSettings>;
type PathTurn = Turn<PathContext, AnyPathEvent>;
const act = step<PathContext, AnyPathEvent>;
const actWith = <Params>(decide: (turn: PathTurn, params: Params) => void) =>
  step<PathContext, AnyPathEvent, Params>(decide);

/** Longer than the helper waits for a file system: it answers as a rule, if only that there was no answer. */
const LOOKING_MS = 60_000;

/** Look at all of it, and tell of changes from then on. */
function watch(turn: PathTurn, make: boolean): void {
  const round = turn.context.round + 1;
  turn.set({ round, looking: true });
  arm(turn, 'looking', LOOKING_MS);
  turn.ask('watchPaths', { round, make });
}

/** Nothing is watched any more, and no answer counts. */
function unwatch(turn: PathTurn): void {
  disarm(turn);
  turn.set({ round: turn.context.round + 1, looking: false, stamps: {} });
  turn.ask('unwatchPaths', undefined);
}

function trigger(turn: PathTurn, path: string, why: string): void {
  const { settings, triggers, nTriggered } = turn.context;
  const window = admit(triggers, triggerLimitOf(settings), turn.event.atMs) ?? triggers;
  unwatch(turn);
  turn.set({ triggers: window, nTriggered: nTriggered + 1, triggeredBy: path });
  turn.ask('requestJob', { verb: 'start', unit: settings.Unit, mode: 'replace', why });
}

/** What the event tells to be due, and how it was told. */
export function dueBy(context: PathContext, event: { readonly type: string }): string | undefined {
  if (event.type === 'path-changed') return context.settings.specs[(event as PathChangedEvent).index]?.path;
  const { seen, missed } = event as PathsSeenEvent;
  return due(context, seen, missed);
}

/** Why the unit is started, for people: `/run/x exists`. */
function wordsOf({ settings }: PathContext, event: AnyPathEvent, path: string): string {
  const { specs } = settings;
  const at =
    event.type === 'path-changed'
      ? event.index
      : (event as PathsSeenEvent).seen.findIndex((seen) => seen.path === path);
  const kind = specs[at]?.kind;
  if (kind === 'PathExists' || kind === 'PathExistsGlob') return `${path} is there`;
  return kind === 'DirectoryNotEmpty' ? `${path} is not empty` : `${path} has changed`;
}

/** All of them, by the names the chart uses. */
export const actions = {
  enter: actWith<ActiveState>((turn, active) => turn.enter(active)),
  fail: actWith<Result>((turn, result) => turn.fail(result)),
  begin: act((turn) => {
    countStart(turn);
    turn.set({ result: 'success', triggeredBy: null, stamps: {} });
    watch(turn, turn.context.settings.MakeDirectory);
  }),
  /** It was up, though nobody remembers what it had seen. */
  takeUp: act((turn) => {
    turn.set({ result: 'success', stamps: {} });
    watch(turn, turn.context.settings.MakeDirectory);
  }),
  beFailed: act((turn) => turn.fail((turn.event as AdoptEvent).failed ?? 'resources')),
  refuseUnit: act((turn) => {
    turn.ask('refuse', { verb: 'start', result: 'failed', why: `${turn.context.settings.Unit} is not loaded` });
  }),
  refuseStart: act(refuseStart),
  refuseReload: act((turn) => turn.ask('refuse', { verb: 'reload', result: 'skipped', why: 'paths have no reload' })),
  watch: act((turn) => watch(turn, false)),
  unwatch: act(unwatch),
  noteSeen: act((turn) => {
    disarm(turn);
    turn.set({ looking: false, stamps: stampsOf(turn.context.settings, (turn.event as PathsSeenEvent).seen) });
  }),
  trigger: act((turn) => {
    const path = dueBy(turn.context, turn.event) as string;
    trigger(turn, path, wordsOf(turn.context, turn.event, path));
  }),
  noteUnit: act((turn) => {
    const service = triggeredService(turn.event as ServiceStateEvent);
    turn.set({ service });
    if (!service.pending && isDown(service.active)) turn.set({ triggeredBy: null });
  }),
  noteFault: act((turn) => {
    const { errno, detail } = turn.event as PathsFailedEvent;
    turn.fail('resources');
    turn.ask('log', { level: 'error', message: 'cannot watch its paths', errno, detail });
  }),
  noteRefusal: act((turn) => {
    turn.fail('resources');
    turn.ask('log', { level: 'error', message: 'its unit was refused', why: (turn.event as JobRefusedEvent).why });
  }),
  end: act((turn) => {
    unwatch(turn);
    settle(turn, { restarting: false, why: 'paths are not restarted', mainEnded: null });
  }),
  resetFailed: act(resetFailed),
  /** Of paths that stay, what was seen of them counts on. `watching`: they are watched, so the others have to be as well. */
  takeSettings: actWith<'watching' | 'as it is'>((turn, how) => {
    const { settings } = turn.event as SettingsEvent<PathSettings>;
    const before = turn.context.settings;
    const keys = new Set(settings.specs.map(keyOf));
    const stamps = Object.fromEntries(Object.entries(turn.context.stamps).filter(([key]) => keys.has(key)));
    turn.set({ settings, stamps });
    const changed = JSON.stringify(before.specs) !== JSON.stringify(settings.specs);
    if (changed && (how === 'watching' || turn.context.looking)) watch(turn, settings.MakeDirectory);
  }),
};
