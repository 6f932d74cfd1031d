/**
 * [X-Machine], in services: which chart the unit follows, if not the built-in one. Our own; systemd passes over sections that begin
 * with X-. Meaning: docs/guide/machines.md.
 */
import { section } from './build.ts';
import type { Directive, Draft, Mutable } from './draft.ts';

const own = section<Draft>('X-Machine', (draft) => draft as Mutable<Draft>);

export const machineDirectives: readonly Directive[] = [
  own.does(
    'Machine',
    (draft, value, ctx) => {
      if (value === '') {
        delete draft.unit.Machine;
        return;
      }
      const { machines } = ctx.facts;
      // Without a manager nobody knows which there are.
      if (machines === undefined || machines.includes(value)) {
        draft.unit.Machine = value;
        return;
      }
      const known = machines.length === 0 ? 'there is none' : `there are ${machines.join(', ')}`;
      ctx.refuse(
        `no such machine plugin: ${known}`,
        `install ${value}.cjs, see docs/guide/machines.md, or remove the line`,
      );
    },
    { form: 'NAME' },
  ),
];
