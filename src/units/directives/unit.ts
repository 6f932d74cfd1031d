/** [Unit] and [Install]. Source: systemd.unit(5). */
import { mayAlias, parseName, simplifyPath } from '../names.ts';
import { pathFault } from '../syntax/path.ts';
import { parseBoolean, parseInteger } from '../syntax/scalar.ts';
import { plainWords, splitWords } from '../syntax/words.ts';
import type { DependencyKind, InstallSection, UnitSection } from '../types.ts';
import { known, section } from './build.ts';
import type { Context, Directive, Mutable, Parser } from './draft.ts';
import { boolean, installNames, oneOf, path, span, text, timeout, unitNames, unsigned, words } from './parsers.ts';

export function defaultUnit(): Mutable<UnitSection> {
  return {
    Description: '',
    Documentation: [],
    DefaultDependencies: true,
    AllowIsolate: false,
    IgnoreOnIsolate: false,
    StopWhenUnneeded: false,
    RefuseManualStart: false,
    RefuseManualStop: false,
    CollectMode: 'inactive',
    OnFailureJobMode: 'replace',
    OnSuccessJobMode: 'fail',
    JobTimeoutSec: 'infinity',
    JobRunningTimeoutSec: 'infinity',
    JobTimeoutAction: 'none',
    JobTimeoutRebootArgument: '',
    StartLimitIntervalSec: 10_000,
    StartLimitBurst: 5,
    StartLimitAction: 'none',
    FailureAction: 'none',
    SuccessAction: 'none',
    FailureActionExitStatus: undefined,
    SuccessActionExitStatus: undefined,
    RebootArgument: '',
    SourcePath: '',
    RequiresMountsFor: [],
  };
}

export function defaultInstall(): Mutable<InstallSection> {
  return { Alias: [], WantedBy: [], RequiredBy: [], UpheldBy: [], Also: [], DefaultInstance: '' };
}

/** Conditions of systemd.unit(5), without their prefix. */
export const CONDITIONS = [
  'PathExists',
  'PathExistsGlob',
  'PathIsDirectory',
  'PathIsSymbolicLink',
  'PathIsMountPoint',
  'PathIsReadWrite',
  'PathIsEncrypted',
  'DirectoryNotEmpty',
  'FileNotEmpty',
  'FileIsExecutable',
  'NeedsUpdate',
  'FirstBoot',
  'Architecture',
  'Firmware',
  'Virtualization',
  'Host',
  'KernelCommandLine',
  'KernelVersion',
  'Credential',
  'Security',
  'Capability',
  'ACPower',
  'Memory',
  'CPUFeature',
  'CPUs',
  'Environment',
  'User',
  'Group',
  'ControlGroupController',
  'OSRelease',
  'MemoryPressure',
  'CPUPressure',
  'IOPressure',
] as const;

/** Their arguments are paths, which must be absolute. */
const PATH_CONDITIONS: ReadonlySet<string> = new Set([
  'PathExists',
  'PathExistsGlob',
  'PathIsDirectory',
  'PathIsSymbolicLink',
  'PathIsMountPoint',
  'PathIsReadWrite',
  'PathIsEncrypted',
  'DirectoryNotEmpty',
  'FileNotEmpty',
  'FileIsExecutable',
  'NeedsUpdate',
]);

/** Keys that make edges, with the edges they make. Older spellings come with their newer ones. */
const EDGES: readonly (readonly [key: string, kind: DependencyKind, renamedTo?: string])[] = [
  ['Requires', 'Requires'],
  ['Requisite', 'Requisite'],
  ['Wants', 'Wants'],
  ['BindsTo', 'BindsTo'],
  ['BindTo', 'BindsTo', 'BindsTo'],
  ['Upholds', 'Upholds'],
  ['Conflicts', 'Conflicts'],
  ['Before', 'Before'],
  ['After', 'After'],
  ['OnSuccess', 'OnSuccess'],
  ['OnFailure', 'OnFailure'],
  ['PropagatesReloadTo', 'PropagatesReloadTo'],
  ['PropagateReloadTo', 'PropagatesReloadTo', 'PropagatesReloadTo'],
  ['ReloadPropagatedFrom', 'ReloadPropagatedFrom'],
  ['PropagateReloadFrom', 'ReloadPropagatedFrom', 'ReloadPropagatedFrom'],
  ['PropagatesStopTo', 'PropagatesStopTo'],
  ['StopPropagatedFrom', 'StopPropagatedFrom'],
  ['PartOf', 'PartOf'],
  ['JoinsNamespaceOf', 'JoinsNamespaceOf'],
  ['RequiresOverridable', 'Requires', 'Requires'],
  ['RequisiteOverridable', 'Requisite', 'Requisite'],
];

const unit = section<UnitSection>('Unit', (draft) => draft.unit);

export const EMERGENCY_ACTIONS = [
  'none',
  'reboot',
  'reboot-force',
  'reboot-immediate',
  'poweroff',
  'poweroff-force',
  'poweroff-immediate',
  'exit',
  'exit-force',
  'soft-reboot',
  'soft-reboot-force',
  'kexec',
  'kexec-force',
  'halt',
  'halt-force',
  'halt-immediate',
];
export const emergencyAction: Parser<string> = oneOf('an action', EMERGENCY_ACTIONS);

/** What reboot(2) may be given: printable ASCII, as much as the kernel takes. */
export const rebootArgument: Parser<string> = (value, ctx) => {
  const expanded = ctx.expand(value);
  if (expanded === undefined || /^[ -~]{0,127}$/.test(expanded)) return expanded;
  ctx.fault('not an argument for reboot', 'use up to 127 printable ASCII characters');
  return undefined;
};

const jobMode: Parser<string> = oneOf('a job mode', [
  'fail',
  'replace',
  'replace-irreversibly',
  'isolate',
  'flush',
  'ignore-dependencies',
  'ignore-requirements',
]);

const documentation = words((word) =>
  /^(https?:\/\/.|file:\/.|info:.|man:.)/.test(word)
    ? undefined
    : 'not a reference of http:, https:, file:, info: or man:',
);

const exitStatus: Parser<number | undefined> = (value, ctx) => {
  if (value === '') return undefined;
  const status = parseInteger(value, 0, 255);
  if (status === undefined) ctx.fault('not an exit status', 'use 0 to 255');
  return status;
};

const mountPaths: Parser<readonly string[]> = (value, ctx, current) => {
  const split = splitWords(value, { quotes: true });
  if ('fault' in split) {
    ctx.fault(split.fault, 'mend the quoting (systemd.syntax(7))', split.offset);
    return undefined;
  }
  const out = [...current];
  for (const word of split.words) {
    const expanded = ctx.expand(word.text, word.offset);
    if (expanded === undefined) continue;
    const fault = pathFault(expanded);
    if (fault !== undefined) ctx.fault(`${expanded}: ${fault}`, 'give absolute paths without ..', word.offset);
    else out.push(simplifyPath(expanded));
  }
  return out;
};

/** A dependency list; systemd has no way to empty one, so an empty value says that it does nothing. */
function edgeList(kind: DependencyKind) {
  return (_target: unknown, value: string, ctx: Context) => {
    if (value === '') {
      ctx.note('a list of dependencies cannot be emptied', 'override the whole unit file to drop one');
      return;
    }
    unitNames(value, ctx, (name, offset) => ctx.edge(kind, name, offset));
  };
}

function conditionRow(kind: string, assert: boolean): Directive {
  const key = `${assert ? 'Assert' : 'Condition'}${kind}`;
  return unit.does(
    key,
    (_target, value, ctx, draft) => {
      if (value === '') {
        draft.conditions = [];
        return;
      }
      const condition = ctx.condition(kind, assert, value);
      const expanded = ctx.expand(condition.argument);
      if (expanded === undefined) return;
      if (expanded === '' && kind !== 'KernelCommandLine') {
        ctx.fault('a condition without an argument', 'give one');
        return;
      }
      if (PATH_CONDITIONS.has(kind) && pathFault(expanded) !== undefined) {
        ctx.fault(`${expanded}: ${pathFault(expanded)}`, 'give an absolute path without ..');
        return;
      }
      if ((kind === 'FirstBoot' || kind === 'ACPower') && parseBoolean(expanded) === undefined) {
        ctx.fault('not a boolean', 'use yes or no');
        return;
      }
      draft.conditions = [
        ...draft.conditions,
        { ...condition, argument: PATH_CONDITIONS.has(kind) ? simplifyPath(expanded) : expanded },
      ];
    },
    { form: 'CONDITION' },
  );
}

export const unitDirectives: readonly Directive[] = [
  unit.set('Description', 'Description', text),
  unit.set('Documentation', 'Documentation', documentation, { form: 'URL...' }),
  unit.set('SourcePath', 'SourcePath', path),
  ...EDGES.map(([key, kind, renamedTo]) =>
    unit.does(key, edgeList(kind), {
      form: 'UNIT...',
      ...(renamedTo === undefined ? {} : { renamedTo, obsolete: key.endsWith('Overridable') }),
    }),
  ),
  ...known('Unit', 'WantsMountsFor', (value, ctx) => mountPaths(value, ctx, []), { form: 'PATH...' }), // newer than 252
  ...known('Unit', 'SurviveFinalKillSignal', boolean),
  unit.set('RequiresMountsFor', 'RequiresMountsFor', mountPaths, { form: 'PATH...' }),
  unit.set('StopWhenUnneeded', 'StopWhenUnneeded', boolean),
  unit.set('RefuseManualStart', 'RefuseManualStart', boolean),
  unit.set('RefuseManualStop', 'RefuseManualStop', boolean),
  unit.set('AllowIsolate', 'AllowIsolate', boolean),
  unit.set('DefaultDependencies', 'DefaultDependencies', boolean),
  unit.set('OnSuccessJobMode', 'OnSuccessJobMode', jobMode),
  unit.set('OnFailureJobMode', 'OnFailureJobMode', jobMode),
  unit.does(
    'OnFailureIsolate',
    (target, value, ctx) => {
      const isolate = boolean(value, ctx, false);
      if (isolate !== undefined) target.OnFailureJobMode = isolate ? 'isolate' : 'replace';
    },
    { form: 'BOOLEAN', renamedTo: 'OnFailureJobMode' },
  ),
  unit.set('IgnoreOnIsolate', 'IgnoreOnIsolate', boolean),
  unit.does(
    'JobTimeoutSec',
    (target, value, ctx, draft) => {
      const parsed = timeout(value, ctx, target.JobTimeoutSec);
      if (parsed === undefined) return;
      target.JobTimeoutSec = parsed;
      // The narrower limit follows the wider one until it is given itself.
      if (!draft.given.has('JobRunningTimeoutSec')) target.JobRunningTimeoutSec = parsed;
    },
    { form: 'SECONDS' },
  ),
  unit.does(
    'JobRunningTimeoutSec',
    (target, value, ctx, draft) => {
      const parsed = timeout(value, ctx, target.JobRunningTimeoutSec);
      if (parsed === undefined) return;
      target.JobRunningTimeoutSec = parsed;
      draft.given.add('JobRunningTimeoutSec');
    },
    { form: 'SECONDS' },
  ),
  unit.set('JobTimeoutAction', 'JobTimeoutAction', emergencyAction),
  unit.set('JobTimeoutRebootArgument', 'JobTimeoutRebootArgument', rebootArgument, { form: 'STRING' }),
  unit.set('StartLimitIntervalSec', 'StartLimitIntervalSec', span),
  unit.set('StartLimitInterval', 'StartLimitIntervalSec', span, { renamedTo: 'StartLimitIntervalSec' }),
  unit.set('StartLimitBurst', 'StartLimitBurst', unsigned),
  unit.set('StartLimitAction', 'StartLimitAction', emergencyAction),
  unit.set('FailureAction', 'FailureAction', emergencyAction),
  unit.set('SuccessAction', 'SuccessAction', emergencyAction),
  unit.does(
    'FailureActionExitStatus',
    (target, value, ctx) => {
      const parsed = value === '' ? undefined : exitStatus(value, ctx, 0);
      if (value === '' || parsed !== undefined) target.FailureActionExitStatus = parsed;
    },
    { form: 'STATUS' },
  ),
  unit.does(
    'SuccessActionExitStatus',
    (target, value, ctx) => {
      const parsed = value === '' ? undefined : exitStatus(value, ctx, 0);
      if (value === '' || parsed !== undefined) target.SuccessActionExitStatus = parsed;
    },
    { form: 'STATUS' },
  ),
  unit.set('RebootArgument', 'RebootArgument', rebootArgument, { form: 'STRING' }),
  unit.set('CollectMode', 'CollectMode', oneOf('a collect mode', ['inactive', 'inactive-or-failed']), {
    form: 'inactive|inactive-or-failed',
  }),
  ...CONDITIONS.flatMap((kind) => [conditionRow(kind, false), conditionRow(kind, true)]),
];

const install = section<InstallSection>('Install', (draft) => draft.install);

export const installDirectives: readonly Directive[] = [
  install.does(
    'Alias',
    (target, value, ctx) => {
      if (mayAlias(ctx.name.type)) target.Alias = installNames(value, ctx, target.Alias) ?? target.Alias;
      else ctx.fault(`.${ctx.name.type} units have no aliases`, 'remove it');
    },
    { form: 'NAME...' },
  ),
  install.set('WantedBy', 'WantedBy', installNames, { form: 'UNIT...' }),
  install.set('RequiredBy', 'RequiredBy', installNames, { form: 'UNIT...' }),
  install.set('UpheldBy', 'UpheldBy', installNames, { form: 'UNIT...' }),
  install.set('Also', 'Also', installNames, { form: 'UNIT...' }),
  install.does(
    'DefaultInstance',
    (target, value, ctx) => {
      if (value === '') {
        target.DefaultInstance = '';
        return;
      }
      const expanded = ctx.expand(value);
      if (expanded === undefined) return;
      if (plainWords(expanded).length !== 1 || parseName(`a@${expanded}.service`)?.kind !== 'instance') {
        ctx.fault('not an instance name', 'use letters, digits and :-_.\\');
        return;
      }
      target.DefaultInstance = expanded;
    },
    { form: 'INSTANCE' },
  ),
];
