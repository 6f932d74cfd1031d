/**
 * How rows of the table are written down.
 */
import type { Checker, Directive, Draft, Mutable, Parser, Status } from './draft.ts';
import { boolean, integer, mode, oneOf, path, signal, size, span, text, unsigned, verbatim } from './parsers.ts';

/** Options of a row; most have none. */
export interface Row {
  readonly status?: Status;
  readonly since?: number;
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

const renamed = (row: Row) =>
  row.renamedTo === undefined ? {} : { renamedTo: row.renamedTo, ...(row.obsolete === true ? { obsolete: true } : {}) };

/** Rows of one section whose settings `pick` finds in the draft. */
export function section<S extends object>(name: string, pick: (draft: Draft) => Mutable<S> | undefined) {
  return {
    /** `Key=` is parsed and stored in the field of the same name, or in `field`. */
    set<K extends keyof S & string>(key: string, field: K, parser: Parser<S[K]>, row: Row = {}): Directive {
      return {
        section: name,
        key,
        status: row.status ?? 'honoured',
        since: row.since ?? 0,
        form: row.form ?? FORMS.get(parser) ?? 'STRING',
        ...renamed(row),
        apply(draft, value, ctx) {
          const target = pick(draft);
          if (target === undefined) return;
          const parsed = parser(value, ctx, target[field]);
          if (parsed !== undefined) target[field] = parsed;
        },
      };
    },
    /** `Key=` does what `apply` says. */
    does(
      key: string,
      apply: (target: Mutable<S>, value: string, ctx: Parameters<Directive['apply']>[2], draft: Draft) => void,
      row: Row = {},
    ): Directive {
      return {
        section: name,
        key,
        status: row.status ?? 'honoured',
        since: row.since ?? 0,
        form: row.form ?? 'STRING',
        ...renamed(row),
        apply(draft, value, ctx) {
          const target = pick(draft);
          if (target !== undefined) apply(target, value, ctx, draft);
        },
      };
    },
  };
}

/** Keys that are known by name and checked by `parser`, and have no effect yet. */
export function known(sectionName: string, keys: string, parser: Checker = verbatim, row: Row = {}): Directive[] {
  return keys
    .split(/\s+/)
    .filter((key) => key !== '')
    .map((key) => ({
      section: sectionName,
      key,
      status: row.status ?? 'unsupported',
      since: row.since ?? 0,
      form: row.form ?? FORMS.get(parser) ?? 'STRING',
      ...renamed(row),
      apply(_draft: Draft, value: string, ctx: Parameters<Directive['apply']>[2]) {
        parser(value, ctx, [] as never); // the lists among them add to what is there
      },
    }));
}

export { boolean, integer, mode, oneOf, signal, size, span, text, unsigned };
