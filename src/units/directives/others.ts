/**
 * [Timer], [Path], [Mount], [Automount], [Swap], [Slice] and [Scope].
 * Source: the manual pages systemd.timer(5) to systemd.scope(5).
 *
 * Timers, mounts, automounts and swaps are read in full; their types are not run yet, and the status of their rows
 * says so. When a type gets its machine its rows turn to `honoured`, and nothing else changes here.
 */

import { simplifyPath } from '../names.ts';
import { pathFault } from '../syntax/path.ts';
import { parseInteger } from '../syntax/scalar.ts';
import { parseCalendar } from '../time/calendar.ts';
import type {
  AutomountSection,
  MountSection,
  PathKind,
  PathSection,
  ScopeSection,
  SliceSection,
  SwapSection,
  TimerBase,
  TimerSection,
} from '../types.ts';
import { known, section } from './build.ts';
import { cgroupDirectives } from './cgroup.ts';
import type { Directive, Mutable, Parser } from './draft.ts';
import { defaultExec, execDirectives, scopeKillDirectives } from './exec.ts';
import { boolean, mode, oneOf, path, span, text, timeout, unitName, unsigned } from './parsers.ts';

const NOT_YET = { status: 'unsupported' } as const;
const TRIGGERED = [
  'service',
  'socket',
  'target',
  'mount',
  'automount',
  'swap',
  'slice',
  'scope',
  'path',
  'timer',
  'device',
];

/** The unit to trigger: the first one counts. */
const triggered: Parser<string> = (value, ctx, current) => {
  if (current === '') return unitName(...TRIGGERED)(value, ctx, current);
  ctx.fault(`there is a unit to trigger already, ${current}`, 'keep one of the two');
  return undefined;
};

export function defaultTimer(): Mutable<TimerSection> {
  return {
    monotonic: [],
    OnCalendar: [],
    AccuracySec: 60_000,
    RandomizedDelaySec: 0,
    FixedRandomDelay: false,
    OnClockChange: false,
    OnTimezoneChange: false,
    Persistent: false,
    WakeSystem: false,
    RemainAfterElapse: true,
    Unit: '',
  };
}

const timer = section<TimerSection>('Timer', (draft) => draft.timer);
const BASES: readonly TimerBase[] = [
  'OnActiveSec',
  'OnBootSec',
  'OnStartupSec',
  'OnUnitActiveSec',
  'OnUnitInactiveSec',
];

/** An empty assignment of any timer key empties all of them. */
function emptyTimers(target: Mutable<TimerSection>): void {
  target.monotonic = [];
  target.OnCalendar = [];
}

export const timerDirectives: readonly Directive[] = [
  ...BASES.map((base) =>
    timer.does(
      base,
      (target, value, ctx) => {
        if (value === '') {
          emptyTimers(target);
          return;
        }
        const expanded = ctx.expand(value);
        const parsed = expanded === undefined ? undefined : span(expanded, ctx, 0);
        if (parsed !== undefined) target.monotonic = [...target.monotonic, { base, span: parsed }];
      },
      { ...NOT_YET, form: 'SECONDS' },
    ),
  ),
  timer.does(
    'OnCalendar',
    (target, value, ctx) => {
      if (value === '') {
        emptyTimers(target);
        return;
      }
      const expanded = ctx.expand(value);
      if (expanded === undefined) return;
      const parsed = parseCalendar(expanded, ctx.zones);
      // Where specifiers were resolved, offsets are those of another text.
      if ('fault' in parsed)
        ctx.fault(parsed.fault.why, parsed.fault.todo, expanded === value ? parsed.fault.offset : undefined);
      else target.OnCalendar = [...target.OnCalendar, expanded];
    },
    { ...NOT_YET, form: 'CALENDAR' },
  ),
  ...known('Timer', 'DeferReactivation', boolean), // newer than 252
  timer.set('AccuracySec', 'AccuracySec', span, NOT_YET),
  timer.set('RandomizedDelaySec', 'RandomizedDelaySec', span, NOT_YET),
  timer.set('FixedRandomDelay', 'FixedRandomDelay', boolean, { ...NOT_YET }),
  timer.set('OnClockChange', 'OnClockChange', boolean, { ...NOT_YET }),
  timer.set('OnTimezoneChange', 'OnTimezoneChange', boolean, { ...NOT_YET }),
  timer.set('Persistent', 'Persistent', boolean, NOT_YET),
  timer.set('WakeSystem', 'WakeSystem', boolean, NOT_YET),
  timer.set('RemainAfterElapse', 'RemainAfterElapse', boolean, NOT_YET),
  timer.set('Unit', 'Unit', triggered, { ...NOT_YET, form: 'UNIT' }),
];

export function defaultPath(): Mutable<PathSection> {
  return {
    specs: [],
    Unit: '',
    MakeDirectory: false,
    DirectoryMode: 0o755,
    TriggerLimitIntervalSec: 2000,
    TriggerLimitBurst: 200,
  };
}

const pathUnit = section<PathSection>('Path', (draft) => draft.path);
const PATH_KINDS: readonly PathKind[] = [
  'PathExists',
  'PathExistsGlob',
  'PathChanged',
  'PathModified',
  'DirectoryNotEmpty',
];

export const pathDirectives: readonly Directive[] = [
  ...PATH_KINDS.map((kind) =>
    pathUnit.does(
      kind,
      (target, value, ctx) => {
        if (value === '') {
          target.specs = [];
          return;
        }
        const expanded = ctx.expand(value);
        if (expanded === undefined) return;
        const fault = pathFault(expanded);
        if (fault !== undefined) ctx.fault(fault, 'give an absolute path without ..');
        else target.specs = [...target.specs, { kind, path: simplifyPath(expanded) }];
      },
      { form: 'PATH' },
    ),
  ),
  pathUnit.set('Unit', 'Unit', triggered, { form: 'UNIT' }),
  pathUnit.set('MakeDirectory', 'MakeDirectory', boolean),
  pathUnit.set('DirectoryMode', 'DirectoryMode', mode),
  pathUnit.set('TriggerLimitIntervalSec', 'TriggerLimitIntervalSec', span),
  pathUnit.set('TriggerLimitBurst', 'TriggerLimitBurst', unsigned),
];

export function defaultMount(): Mutable<MountSection> {
  return {
    ...defaultExec(),
    What: '',
    Where: '',
    Type: '',
    Options: '',
    SloppyOptions: false,
    LazyUnmount: false,
    ReadWriteOnly: false,
    ForceUnmount: false,
    DirectoryMode: 0o755,
    TimeoutSec: 90_000,
  };
}

const mount = section<MountSection>('Mount', (draft) => draft.mount);

export const mountDirectives: readonly Directive[] = [
  mount.set('What', 'What', text, NOT_YET),
  mount.set('Where', 'Where', path, { ...NOT_YET, form: 'PATH' }),
  mount.set('Type', 'Type', text, NOT_YET),
  mount.set('Options', 'Options', text, NOT_YET),
  mount.set('SloppyOptions', 'SloppyOptions', boolean, NOT_YET),
  mount.set('LazyUnmount', 'LazyUnmount', boolean, NOT_YET),
  mount.set('ReadWriteOnly', 'ReadWriteOnly', boolean, NOT_YET),
  mount.set('ForceUnmount', 'ForceUnmount', boolean, NOT_YET),
  mount.set('DirectoryMode', 'DirectoryMode', mode, NOT_YET),
  mount.set('TimeoutSec', 'TimeoutSec', timeout, { ...NOT_YET, form: 'SECONDS' }),
  ...execDirectives('Mount', (draft) => draft.mount),
  ...cgroupDirectives(
    'Mount',
    (draft) => draft.mount,
    (draft) => draft.mount,
  ),
];

export function defaultAutomount(): Mutable<AutomountSection> {
  return { Where: '', ExtraOptions: '', DirectoryMode: 0o755, TimeoutIdleSec: 'infinity' };
}

const automount = section<AutomountSection>('Automount', (draft) => draft.automount);

export const automountDirectives: readonly Directive[] = [
  automount.set('Where', 'Where', path, { ...NOT_YET, form: 'PATH' }),
  automount.set('ExtraOptions', 'ExtraOptions', text, { ...NOT_YET }),
  automount.set('DirectoryMode', 'DirectoryMode', mode, NOT_YET),
  automount.set('TimeoutIdleSec', 'TimeoutIdleSec', timeout, { ...NOT_YET, form: 'SECONDS' }),
];

export function defaultSwap(): Mutable<SwapSection> {
  return { ...defaultExec(), What: '', Priority: undefined, Options: '', TimeoutSec: 90_000 };
}

const swap = section<SwapSection>('Swap', (draft) => draft.swap);
const priority: Parser<number | undefined> = (value, ctx) => {
  if (value === '') return undefined;
  const parsed = parseInteger(value, -1, 32_767);
  if (parsed === undefined) ctx.fault('not a swap priority', 'use -1 to 32767');
  return parsed;
};

export const swapDirectives: readonly Directive[] = [
  swap.set('What', 'What', path, { ...NOT_YET, form: 'PATH' }),
  swap.set('Priority', 'Priority', priority, { ...NOT_YET, form: 'INTEGER' }),
  swap.set('Options', 'Options', text, NOT_YET),
  swap.set('TimeoutSec', 'TimeoutSec', timeout, { ...NOT_YET, form: 'SECONDS' }),
  ...execDirectives('Swap', (draft) => draft.swap),
  ...cgroupDirectives(
    'Swap',
    (draft) => draft.swap,
    (draft) => draft.swap,
  ),
];

export function defaultSlice(): Mutable<SliceSection> {
  return { Slice: '', CgroupAttributes: [] };
}

export const sliceDirectives: readonly Directive[] = [...cgroupDirectives('Slice', (draft) => draft.slice)];

export function defaultScope(): Mutable<ScopeSection> {
  return {
    Slice: '',
    CgroupAttributes: [],
    KillMode: 'control-group',
    KillSignal: 15,
    SendSIGKILL: true,
    SendSIGHUP: false,
    FinalKillSignal: 9,
    TimeoutStopSec: 90_000,
    RuntimeMaxSec: 'infinity',
  };
}

const scope = section<ScopeSection>('Scope', (draft) => draft.scope);

export const scopeDirectives: readonly Directive[] = [
  scope.set('TimeoutStopSec', 'TimeoutStopSec', timeout, { form: 'SECONDS' }),
  scope.set('RuntimeMaxSec', 'RuntimeMaxSec', span),
  ...scopeKillDirectives('Scope', (draft) => draft.scope),
  ...known('Scope', 'RestartKillSignal WatchdogSignal', undefined, { form: 'SIGNAL' }),
  ...known('Scope', 'RuntimeRandomizedExtraSec', span),
  ...known('Scope', 'OOMPolicy', oneOf('an OOM policy', ['continue', 'stop', 'kill'])),
  ...cgroupDirectives('Scope', (draft) => draft.scope),
];
