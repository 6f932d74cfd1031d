/** Whose end a unit looks after: the service that names it in OnFailure= or OnSuccess=, for `$MONITOR_*` (systemd.exec(5)). */
import type { Result } from '../machines/protocol.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import type { UnitSnapshot } from '../machines/view.ts';
import type { DependencyKind } from '../units/types.ts';

/** How that service has ended. */
export interface Monitored {
  readonly unit: string;
  readonly service: Result;
  readonly ended: ServiceContext['mainEnded'];
}

/** Undefined: none does, or several, of which nobody could say which one is meant. */
export function monitoredOf(
  others: (unit: string, kind: DependencyKind) => readonly string[],
  snapshotOf: (unit: string) => UnitSnapshot | undefined,
  unit: string,
): Monitored | undefined {
  const named = new Set([...others(unit, 'OnFailureOf'), ...others(unit, 'OnSuccessOf')]);
  const [only] = named;
  if (only === undefined || named.size > 1 || !only.endsWith('.service')) return undefined;
  const context = snapshotOf(only)?.context as ServiceContext | undefined;
  return context === undefined ? undefined : { unit: only, service: context.result, ended: context.mainEnded };
}
