/** io.sysmaster.Manager. */
import { isVariableAssignment, isVariableName } from '../../units/syntax/environment.ts';
import type { Finding } from '../../units/types.ts';
import { type Change, type ChangeResult, ManagerError, type ShutdownVerb } from '../manager.ts';
import { managerProperties } from '../properties/manager.ts';
import type { CallContext, Handled } from '../session.ts';
import { findingReply } from './wire.ts';

const SHUTDOWN: ReadonlySet<string> = new Set<ShutdownVerb>([
  'poweroff',
  'reboot',
  'halt',
  'kexec',
  'exit',
  'soft-reboot',
]);

const bad = (unit: string, why: string, todo: string): never => {
  throw new ManagerError({ error: 'BadRequest', unit, why, todo });
};

type Repeatable = { readonly requestId?: string | null };

/** A change whose answer says only that it is done. */
const plain = (change: Change, requestId: string | null | undefined): Handled => ({
  change,
  requestId: requestId ?? undefined,
  form: () => ({}),
});

export const manager = {
  Get: (_: unknown, { manager }: CallContext): Handled => ({ reply: { manager: manager.manager() } }),
  Properties: (_: unknown, { manager }: CallContext): Handled => ({
    reply: { properties: managerProperties(manager.manager()) },
  }),
  Supervisors: ({ id }: { id?: string | null }, { manager }: CallContext): Handled => ({
    reply: { tree: manager.supervisors(id ?? undefined) },
  }),
  Findings: ({ unit }: { unit?: string | null }, { manager }: CallContext): Handled => {
    const of = (name: string): { unit: string; finding: Finding }[] =>
      manager.unit(name).unit.findings.map((finding) => ({ unit: name, finding }));
    const findings =
      typeof unit === 'string' ? of(unit) : [...manager.findings(), ...manager.units().flatMap(({ name }) => of(name))];
    return { reply: { findings: findings.map((found) => ({ unit: found.unit, ...findingReply(found.finding) })) } };
  },
  Reload: ({ dryRun, requestId }: { dryRun?: boolean | null } & Repeatable): Handled => ({
    change: { what: 'daemon-reload', ...(dryRun === true ? { dryRun } : {}) },
    requestId: requestId ?? undefined,
    form: ({ findings, changes }: Extract<ChangeResult, { what: 'daemon-reload' }>) => ({ findings, changes }),
  }),
  ReexecCore: ({ requestId }: Repeatable): Handled => plain({ what: 'daemon-reexec' }, requestId),
  ReexecInit: ({ path, requestId }: { path?: string | null } & Repeatable): Handled =>
    plain({ what: 'init-reexec', path: path ?? '' }, requestId),
  Shutdown: (
    asked: { verb: string; force?: number | null; status?: number | null; argument?: string | null } & Repeatable,
  ): Handled => {
    if (!SHUTDOWN.has(asked.verb)) bad('', `${asked.verb} is not an end`, `use one of ${[...SHUTDOWN].join(', ')}`);
    const force = asked.force ?? 0;
    if (force !== 0 && force !== 1 && force !== 2) return bad('', `force ${force}`, 'use 0, 1 or 2');
    const status = asked.status ?? 0;
    if (status < 0 || status > 255) bad('', `exit status ${status}`, 'use 0 to 255');
    return plain(
      { what: 'shutdown', verb: asked.verb as ShutdownVerb, force, status, argument: asked.argument ?? '' },
      asked.requestId,
    );
  },
  SetEnvironment: ({ set, unset, requestId }: { set: string[]; unset: string[] } & Repeatable): Handled => {
    const wrong =
      set.find((entry) => !isVariableAssignment(entry)) ??
      unset.find((name) => !isVariableName(name) && !isVariableAssignment(name));
    if (wrong !== undefined)
      bad('', `${JSON.stringify(wrong.slice(0, 80))} is not an environment assignment`, 'use NAME=value');
    return plain({ what: 'environment', set, unset }, requestId);
  },
};
