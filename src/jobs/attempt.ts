/**
 * What happens when a job is let run: ask the unit, wait for it, or be over at once.
 *
 * Source: systemctl(1); systemd.unit(5), BindsTo= (beside After= the other must be active).
 */
import type { JobGraph, JobResult, JobType, UnitStates } from './types.ts';
import { isDown, isUp } from './verbs.ts';

/** The verbs of a unit machine. */
export interface Ask {
  readonly verb: 'start' | 'stop' | 'reload';
  /** The stop phase of a restart. */
  readonly restarting: boolean;
}

export type Attempt =
  | { readonly say: 'run'; readonly ask: Ask | undefined }
  /** The unit is on its way elsewhere; try again when it changes. */
  | { readonly say: 'wait' }
  | { readonly say: 'end'; readonly result: JobResult; readonly why: string };

const end = (result: JobResult, why: string): Attempt => ({ say: 'end', result, why });
const ask = (verb: Ask['verb'], restarting = false): Attempt => ({ say: 'run', ask: { verb, restarting } });
const UNASKED: Attempt = { say: 'run', ask: undefined };

export function attempt(type: JobType, unit: string, graph: JobGraph, states: UnitStates): Attempt {
  const active = states.active(unit);
  const facts = graph.facts(unit);
  const wait = (): Attempt =>
    states.isSetAside?.(unit) === true
      ? end('failed', `its machine is quarantined; sctl reset-failed ${unit} releases it`)
      : { say: 'wait' };
  switch (type) {
    case 'start': {
      if (isUp(active)) return end('done', `${unit} is ${active} already`);
      if (active === 'deactivating' || active === 'maintenance') return wait();
      if (facts?.loadState !== 'loaded') return end('failed', `${unit} is not loaded`);
      const missing = unboundTo(unit, graph, states);
      if (missing !== undefined) return end('dependency', `${unit} is bound to ${missing}, which is not active`);
      return facts.canStart ? ask('start') : UNASKED;
    }
    case 'verify-active':
      if (isUp(active)) return end('done', `${unit} is ${active}`);
      return active === 'activating' ? wait() : end('skipped', `${unit} is not active but ${active}`);
    case 'stop':
    case 'restart':
      if (isDown(active)) return end('done', `${unit} is ${active} already`);
      return facts?.canStop === false ? UNASKED : ask('stop', type === 'restart');
    case 'reload':
      if (active === 'reloading' || active === 'activating') return wait();
      if (active !== 'active') return end('invalid', `${unit} cannot be reloaded, it is ${active}`);
      if (facts?.canReload !== true) return end('skipped', `${unit} cannot be reloaded`);
      return facts.reloadsItself === false ? end('done', `${unit} only passes reloads on`) : ask('reload');
    case 'nop':
      return end('done', 'nothing to do');
  }
}

/** A unit that this one is bound to, is ordered after, and that is not active. */
function unboundTo(unit: string, graph: JobGraph, states: UnitStates): string | undefined {
  const bound = graph.edges(unit, 'BindsTo');
  if (bound.length === 0) return undefined;
  const after = new Set(graph.edges(unit, 'After').map((edge) => edge.to));
  return bound.find(({ to }) => after.has(to) && !isUp(states.active(to)))?.to;
}
