/** io.sysmaster.Units: what changes units and unit files. */
import { type ChangeResult, type KillWhom, ManagerError, type UnitFileVerb } from '../manager.ts';
import type { Handled } from '../session.ts';
import { unitName } from './wire.ts';

type Maybe<T> = T | null | undefined;
type Result<What extends ChangeResult['what']> = Extract<ChangeResult, { readonly what: What }>;

const FILE_VERBS: ReadonlySet<string> = new Set<UnitFileVerb>([
  'enable',
  'disable',
  'reenable',
  'mask',
  'unmask',
  'preset',
  'preset-all',
  'link',
  'revert',
  'add-wants',
  'add-requires',
  'set-default',
]);
const PRESET_MODES: ReadonlySet<string> = new Set(['full', 'enable-only', 'disable-only']);

const bad = (unit: string, why: string, todo: string): never => {
  throw new ManagerError({ error: 'BadRequest', unit, why, todo });
};

interface ChangeFiles {
  readonly verb: string;
  readonly names: readonly string[];
  readonly runtime?: Maybe<boolean>;
  readonly force?: Maybe<boolean>;
  readonly presetMode?: Maybe<string>;
  readonly target?: Maybe<string>;
  readonly reload?: Maybe<boolean>;
  readonly dryRun?: Maybe<boolean>;
  readonly requestId?: Maybe<string>;
}

/** `enable`, `link` and `mask` take paths as well. */
const checkName = (name: string): string => {
  if (!name.includes('/')) return unitName(name);
  if (!name.startsWith('/')) bad(name, 'not an absolute path', 'give the whole path');
  unitName(name.slice(name.lastIndexOf('/') + 1));
  return name;
};

export const unitChanges = {
  Kill: (asked: {
    name: string;
    whom?: Maybe<KillWhom>;
    signal: number;
    dryRun?: Maybe<boolean>;
    requestId?: Maybe<string>;
  }): Handled => {
    if (asked.signal < 1 || asked.signal > 64) bad(asked.name, `signal ${asked.signal}`, 'use 1 to 64');
    return {
      change: {
        what: 'kill',
        unit: unitName(asked.name),
        whom: asked.whom ?? 'all',
        signal: asked.signal,
        ...(asked.dryRun === true ? { dryRun: true } : {}),
      },
      requestId: asked.requestId ?? undefined,
      form: ({ signalled }: Result<'kill'>) => ({ signalled }),
    };
  },
  ResetFailed: ({ names, requestId }: { names?: Maybe<string[]>; requestId?: Maybe<string> }): Handled => ({
    change: { what: 'reset-failed', units: names === undefined || names === null ? 'all' : names.map(unitName) },
    requestId: requestId ?? undefined,
    form: ({ units }: Result<'reset-failed'>) => ({ units }),
  }),
  ChangeFiles: (asked: ChangeFiles): Handled => {
    if (!FILE_VERBS.has(asked.verb))
      bad('', `${asked.verb} is not a verb for unit files`, `use one of ${[...FILE_VERBS].join(', ')}`);
    const verb = asked.verb as UnitFileVerb;
    const presetMode = asked.presetMode ?? 'full';
    if (!PRESET_MODES.has(presetMode))
      bad('', `preset mode ${presetMode}`, `use one of ${[...PRESET_MODES].join(', ')}`);
    if (asked.names.length === 0 && verb !== 'preset-all') bad('', `${verb} of nothing`, 'name a unit');
    return {
      change: {
        what: 'unit-files',
        verb,
        names: asked.names.map(checkName),
        runtime: asked.runtime ?? false,
        force: asked.force ?? false,
        presetMode: presetMode as 'full',
        target: asked.target === undefined || asked.target === null ? '' : unitName(asked.target),
        reload: asked.reload ?? true,
        ...(asked.dryRun === true ? { dryRun: true } : {}),
      },
      requestId: asked.requestId ?? undefined,
      form: ({ steps, carriesInstallInfo, findings }: Result<'unit-files'>) => ({
        steps,
        carriesInstallInfo,
        findings,
      }),
    };
  },
};
