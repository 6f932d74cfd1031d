/**
 * Units that set nothing: what each type has before its files are read, and what stands for one that cannot be read.
 *
 * The defaults of a type are made once; their lists and sets are shared by all of its units, and frozen.
 */
import type { Draft, Mutable } from './directives/draft.ts';
import {
  defaultAutomount,
  defaultMount,
  defaultPath,
  defaultScope,
  defaultSlice,
  defaultSwap,
  defaultTimer,
} from './directives/others.ts';
import { defaultService } from './directives/service.ts';
import { defaultSocket } from './directives/socket.ts';
import { defaultInstall, defaultUnit } from './directives/unit.ts';
import type { Finding, LoadState, Unit, UnitType } from './types.ts';

/** systemd.unit(5), IgnoreOnIsolate=. */
const IGNORE_ON_ISOLATE: ReadonlySet<UnitType> = new Set(['slice', 'scope', 'device', 'swap', 'mount', 'automount']);
/** How long a job waits for a device to appear (systemd-system.conf(5), DefaultTimeoutStartSec=). */
const DEVICE_TIMEOUT_MS = 90_000;

type Sections = Pick<
  Draft,
  'unit' | 'install' | 'service' | 'socket' | 'slice' | 'scope' | 'timer' | 'path' | 'mount' | 'automount' | 'swap'
>;

const BLANKS = new Map<UnitType, Sections>();

function blankOf(type: UnitType): Sections {
  let blank = BLANKS.get(type);
  if (blank === undefined) {
    blank = sections(type);
    for (const section of Object.values(blank)) for (const value of Object.values(section)) freeze(value);
    BLANKS.set(type, blank);
  }
  return blank;
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
}

function sections(type: UnitType): Sections {
  const unit = defaultUnit();
  unit.IgnoreOnIsolate = IGNORE_ON_ISOLATE.has(type);
  if (type === 'device') unit.JobRunningTimeoutSec = DEVICE_TIMEOUT_MS;
  const common = { unit, install: defaultInstall() };
  switch (type) {
    case 'service':
      return { ...common, service: defaultService() };
    case 'socket':
      return { ...common, socket: defaultSocket() };
    case 'slice':
      return { ...common, slice: defaultSlice() };
    case 'scope':
      return { ...common, scope: defaultScope() };
    case 'timer':
      return { ...common, timer: defaultTimer() };
    case 'path':
      return { ...common, path: defaultPath() };
    case 'mount':
      return { ...common, mount: defaultMount() };
    case 'automount':
      return { ...common, automount: defaultAutomount() };
    case 'swap':
      return { ...common, swap: defaultSwap() };
    case 'target':
    case 'device':
      return common;
  }
}

/** A unit of a type that sets nothing. */
export function newDraft(type: UnitType): Draft {
  const { unit, install, service, socket, slice, scope, timer, path, mount, automount, swap } = blankOf(type);
  const draft: Draft = {
    unit: { ...unit },
    install: { ...install },
    conditions: [],
    edges: [],
    given: new Set(),
  };
  if (service !== undefined) draft.service = { ...service };
  if (socket !== undefined) draft.socket = { ...socket };
  if (slice !== undefined) draft.slice = { ...slice };
  if (scope !== undefined) draft.scope = { ...scope };
  if (timer !== undefined) draft.timer = { ...timer };
  if (path !== undefined) draft.path = { ...path };
  if (mount !== undefined) draft.mount = { ...mount };
  if (automount !== undefined) draft.automount = { ...automount };
  if (swap !== undefined) draft.swap = { ...swap };
  return draft;
}

/** Put the section of its own type into a unit. */
export function putOwnSection(unit: Mutable<Unit>, draft: Draft): void {
  const { service, socket, slice, scope, timer, path, mount, automount, swap } = draft;
  if (service !== undefined) unit.service = service;
  if (socket !== undefined) unit.socket = socket;
  if (slice !== undefined) unit.slice = slice;
  if (scope !== undefined) unit.scope = scope;
  if (timer !== undefined) unit.timer = timer;
  if (path !== undefined) unit.path = path;
  if (mount !== undefined) unit.mount = mount;
  if (automount !== undefined) unit.automount = automount;
  if (swap !== undefined) unit.swap = swap;
}

/** A unit of which nothing could be read: masked, not found, in error, or only named by others (a stub). */
export function emptyUnit(
  name: string,
  type: UnitType,
  names: readonly string[],
  loadState: LoadState,
  findings: readonly Finding[],
  state = '',
): Unit {
  const draft = newDraft(type);
  draft.unit.Description = name;
  const unit: Mutable<Unit> = {
    name,
    type,
    names: [...names].sort(),
    loadState,
    fragmentPath: '',
    dropInPaths: [],
    unitFileState: state,
    unit: draft.unit,
    install: draft.install,
    conditions: [],
    edges: [],
    findings,
    raw: {},
  };
  putOwnSection(unit, draft);
  return unit;
}
