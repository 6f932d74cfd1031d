/** What a subscriber asked for, and events in the form in which they are sent. */
import { globber } from './glob.ts';
import type { ManagerEvent } from './manager.ts';

export interface Subscription {
  /** Empty: all kinds. */
  readonly kinds: ReadonlySet<string>;
  /** For events that concern a unit. */
  readonly unit: (name: string) => boolean;
  /** Units that it names; patterns left out. */
  readonly names: ReadonlySet<string>;
}

export const subscription = (kinds: readonly string[], units: readonly string[]): Subscription => ({
  kinds: new Set(kinds),
  unit: globber(units),
  names: new Set(
    units.filter((name) => !/[*?[]/.test(name.replace(/\\./g, ''))).map((name) => name.replace(/\\(.)/g, '$1')),
  ),
});

function unitOf(event: ManagerEvent): string | undefined {
  switch (event.event) {
    case 'unit':
      return event.unit.name;
    case 'job-new':
    case 'job-removed':
      return event.job.unit;
    case 'note':
      return event.unit === '' ? undefined : event.unit;
    case 'reloaded':
    case 'system':
      return undefined;
  }
}

/** Does the subscriber want it? */
export function fits(wanted: Subscription, event: ManagerEvent): boolean {
  if (wanted.kinds.size > 0 && !wanted.kinds.has(event.event)) return false;
  const unit = unitOf(event);
  return unit === undefined || wanted.unit(unit);
}

/** The event as io.sysmaster.Events has it. */
export function eventReply(event: ManagerEvent): Readonly<Record<string, unknown>> {
  const { at } = event;
  switch (event.event) {
    case 'unit':
      return { event: 'unit', at, unit: { ...event.unit, was: event.was, result: event.result, gone: event.gone } };
    case 'job-new':
      return { event: 'job-new', at, job: { id: event.job.id, unit: event.job.unit, type: event.job.type } };
    case 'job-removed':
      return { event: 'job-removed', at, job: event.job };
    case 'reloaded':
      return { event: 'reloaded', at };
    case 'system':
      return { event: 'system', at, system: event.state };
    case 'note':
      return { event: 'note', at, note: { unit: event.unit, text: event.text } };
  }
}
