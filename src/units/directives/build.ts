/**
 * How rows of the table are written down.
 */

import { defaultOf } from './defaults.ts';
import type { Checker, Directive, Draft, Mutable, Parser, Status } from './draft.ts';
import { boolean, integer, mode, oneOf, path, signal, size, span, text, unsigned, verbatim } from './parsers.ts';
import { sinceOf } from './since.ts';

/** Options of a row; most have none. */
export interface Row {
  readonly status?: Status;
  readonly renamedTo?: string;
  readonly form?: string;
  /** systemd warns of the old name: so do we, where others are only noted. */
  readonly obsolete?: boolean;
}

/** What a value looks like, for the reference page and completion, by parser. */
const FORMS = new Map<unknown, string>([
  [boolean, 'BOOLEAN'],
  [mode, 'MODE'],
  [span, 'SECONDS'],
  [signal, 'SIGNAL'],
  [size, 'SIZE'],
  [unsigned, 'UNSIGNED'],
  [text, 'STRING'],
  [verbatim, 'STRING'],
  [path, 'PATH'],
]);

/** A row. What only readers of the table ask for is looked up when they do: core loads it at every start. */
class Line implements Directive {
  readonly section: string;
  readonly key: string;
  readonly status: Status;
  readonly form: string;
  readonly renamedTo: string | undefined;
  readonly obsolete: boolean;
  readonly apply: Directive['apply'];

  constructor(section: string, key: string, form: string, row: Row, standard: Status, apply: Directive['apply']) {
    this.section = section;
    this.key = key;
    this.status = row.status ?? standard;
    this.form = form;
    this.renamedTo = row.renamedTo;
    this.obsolete = row.obsolete ?? false;
    this.apply = apply;
  }

  get since(): number {
    return sinceOf(this.section, this.key);
  }

  get default(): string {
    return defaultOf(this.section, this.key, this.form);
  }
}

const formOf = (row: Row, parser: unknown): string => row.form ?? FORMS.get(parser) ?? 'STRING';

/** Rows of one section whose settings `pick` finds in the draft. */
export function section<S extends object>(name: string, pick: (draft: Draft) => Mutable<S> | undefined) {
  return {
    /** `Key=` is parsed and stored in the field of the same name, or in `field`. */
    set<K extends keyof S & string>(key: string, field: K, parser: Parser<S[K]>, row: Row = {}): Directive {
      return new Line(name, key, formOf(row, parser), row, 'honoured', (draft, value, ctx) => {
        const target = pick(draft);
        if (target === undefined) return;
        const parsed = parser(value, ctx, target[field]);
        if (parsed !== undefined) target[field] = parsed;
      });
    },
    /** `Key=` does what `apply` says. */
    does(
      key: string,
      apply: (target: Mutable<S>, value: string, ctx: Parameters<Directive['apply']>[2], draft: Draft) => void,
      row: Row = {},
    ): Directive {
      return new Line(name, key, formOf(row, undefined), row, 'honoured', (draft, value, ctx) => {
        const target = pick(draft);
        if (target !== undefined) apply(target, value, ctx, draft);
      });
    },
  };
}

/** Keys that are known by name and checked by `parser`, and have no effect yet. */
export function known(sectionName: string, keys: string, parser: Checker = verbatim, row: Row = {}): Directive[] {
  const form = formOf(row, parser);
  // The lists among the parsers add to what is there.
  const check: Directive['apply'] = (_draft, value, ctx) => void parser(value, ctx, [] as never);
  return keys
    .split(/\s+/)
    .filter((key) => key !== '')
    .map((key) => new Line(sectionName, key, form, row, 'unsupported', check));
}

export { boolean, integer, mode, oneOf, signal, size, span, text, unsigned };
