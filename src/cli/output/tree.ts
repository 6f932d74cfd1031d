/** Trees with branches drawn: ├─ and └─. */

/** A line per node, root first. */
export function branches<T>(root: T, label: (node: T) => string, below: (node: T) => readonly T[]): string[] {
  const lines = [label(root)];
  const walk = (node: T, indent: string): void => {
    const children = below(node);
    for (const [index, child] of children.entries()) {
      const last = index === children.length - 1;
      lines.push(`${indent}${last ? '└─' : '├─'}${label(child)}`);
      walk(child, `${indent}${last ? '  ' : '│ '}`);
    }
  };
  walk(root, '');
  return lines;
}
