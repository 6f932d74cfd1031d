/** Core's values in the form of the interfaces, where the two differ. */
import type { Refusal } from '../../jobs/types.ts';
import { isUnitName } from '../../units/names.ts';
import type { Edge, Finding } from '../../units/types.ts';
import { ManagerError, type UnitSummary, type UnitView } from '../manager.ts';
import type { Reply } from '../session.ts';

/** A finding; file is empty where there is no place. */
export const findingReply = ({ severity, at, what, why, todo }: Finding): Reply => ({
  severity,
  file: at?.file ?? '',
  line: at?.line ?? 0,
  column: at?.column ?? 0,
  what,
  why,
  todo,
});

export const refusalReply = ({ refused, error, unit, todo, details }: Refusal): Reply => ({
  error,
  unit,
  why: refused,
  todo,
  ...(details === undefined ? {} : { details }),
});

export const edgeReply = ({ from, kind, to, origin }: Edge): Reply => ({ from, kind, to, origin });

/** What is known of a name that is not in memory. */
export const unknownUnit = (name: string): UnitSummary => ({
  name,
  load: 'not-found',
  active: 'inactive',
  sub: 'dead',
  description: name,
  job: undefined,
  following: undefined,
});

/** The summary of a whole view. */
export const summaryOf = ({ unit, state }: UnitView): UnitSummary => ({
  name: unit.name,
  load: unit.loadState,
  active: state.active,
  sub: state.sub,
  description: unit.unit.Description === '' ? unit.name : unit.unit.Description,
  job: state.job,
  following: state.following,
});

/** Refuses what cannot be the name of a unit. */
export function unitName(name: string): string {
  if (isUnitName(name)) return name;
  throw new ManagerError({
    error: 'BadRequest',
    unit: name.slice(0, 300),
    why: 'not a valid unit name',
    todo: 'use NAME.service or another type; sctl escape makes names of paths',
  });
}
