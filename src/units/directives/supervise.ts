/**
 * [X-Supervisor], in targets and slices: what is done when one of their members fails. Our own; systemd passes over sections
 * that begin with X-. Meaning: docs/guide/supervision.md.
 */
import { parseInteger } from '../syntax/scalar.ts';
import type { MemberSupervision, Span } from '../types.ts';
import { section } from './build.ts';
import type { Context, Directive, Draft, Mutable, Parser } from './draft.ts';
import { oneOf, span, unitName } from './parsers.ts';
import { EMERGENCY_ACTIONS } from './unit.ts';

/** Failures that are remembered of one group at most. */
const INTENSITY_MAX = 1000;

const STARTABLE = ['service', 'socket', 'target', 'mount', 'automount', 'swap', 'timer', 'path'];

const intensity: Parser<number> = (value, ctx) => {
  const parsed = parseInteger(value, 0, INTENSITY_MAX);
  if (parsed === undefined) ctx.fault('not an intensity', `use 0 to ${INTENSITY_MAX}`);
  return parsed;
};

const period: Parser<Span> = (value, ctx, current) => {
  const parsed = span(value, ctx, current);
  if (parsed !== 0) return parsed;
  ctx.fault('a period of no length', 'use for example 10s');
  return undefined;
};

/** An action of FailureAction=, `stop`, or a unit to start. */
const onEscalate: Parser<string> = (value, ctx, current) => {
  if (value === 'stop' || EMERGENCY_ACTIONS.includes(value)) return value;
  if (!value.includes('.')) return oneOf('what may be done', ['stop', ...EMERGENCY_ACTIONS])(value, ctx, current);
  const unit = unitName(...STARTABLE)(value, ctx, current);
  // So that it is in memory when it is wanted; and what is given up is down before it comes.
  if (unit !== undefined) ctx.edge('Before', unit);
  return unit;
};

/** The first key makes the section; its place is that of the supervision. */
function supervision(draft: Draft): Mutable<MemberSupervision> {
  draft.unit.Supervisor ??= {
    Strategy: 'one_for_one',
    Intensity: 3,
    Period: 60_000,
    OnEscalate: 'stop',
    at: { file: '', line: 0, column: 0 },
  };
  return draft.unit.Supervisor as Mutable<MemberSupervision>;
}

const own = section<Draft>('X-Supervisor', (draft) => draft as Mutable<Draft>);

function row<K extends Exclude<keyof MemberSupervision, 'at'>>(
  key: K,
  parser: Parser<MemberSupervision[K]>,
  form: string,
): Directive {
  return own.does(
    key,
    (draft, value, ctx: Context) => {
      const before = draft.unit.Supervisor;
      const parsed = parser(value, ctx, (before?.[key] ?? '') as MemberSupervision[K]);
      if (parsed === undefined) return;
      const settings = supervision(draft);
      settings[key] = parsed;
      if (before === undefined) settings.at = ctx.condition('Supervisor', false, value).at; // what knows the place of an assignment
    },
    { form },
  );
}

export const supervisorDirectives: readonly Directive[] = [
  row(
    'Strategy',
    oneOf('a strategy', ['one_for_one', 'one_for_all', 'rest_for_one']),
    'one_for_one|one_for_all|rest_for_one',
  ),
  row('Intensity', intensity, 'UNSIGNED'),
  row('Period', period, 'SECONDS'),
  row('OnEscalate', onEscalate, 'ACTION|UNIT'),
];
