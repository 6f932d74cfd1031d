/**
 * Trees with branches drawn: ├─ and └─.
 *
 * A chain may be ten thousand units deep, and every line stands behind the branches of all levels above it. So deep lines show those of
 * the nearest levels only, behind the level as a number: `…9999 │ │ └─name`.
 */

/** Levels that are drawn in full. */
const LEVELS = 32;
/** Levels that are drawn of a deeper line: those next to it. */
const NEAR = 8;

/** What stands before a line: its level, and the branches of the levels above it, as many as are ever drawn. */
export interface Indent {
  readonly level: number;
  readonly bars: string;
}

export const NO_INDENT: Indent = { level: 0, bars: '' };

/** Of the lines below one; `last`: nothing stands beside that one below it. */
export const deeper = ({ level, bars }: Indent, last: boolean): Indent => ({
  level: level + 1,
  bars: `${bars}${last ? '  ' : '│ '}`.slice(-2 * LEVELS),
});

/** The branches before a line. */
export const branchText = ({ level, bars }: Indent, last: boolean): string =>
  `${level <= LEVELS ? bars : `…${level} ${bars.slice(-2 * NEAR)}`}${last ? '└─' : '├─'}`;

/** A line per node, root first. */
export function branches<T>(root: T, label: (node: T) => string, below: (node: T) => readonly T[]): string[] {
  const lines = [label(root)];
  // Without recursion: a chain may be deeper than the stack.
  const open = [{ nodes: below(root), at: 0, indent: NO_INDENT }];
  for (let here = open.at(-1); here !== undefined; here = open.at(-1)) {
    const { nodes, at, indent } = here;
    const node = nodes[at];
    if (at >= nodes.length) {
      open.pop();
      continue;
    }
    const last = at === nodes.length - 1;
    here.at += 1;
    lines.push(`${branchText(indent, last)}${label(node as T)}`);
    open.push({ nodes: below(node as T), at: 0, indent: deeper(indent, last) });
  }
  return lines;
}
