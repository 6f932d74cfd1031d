/** A control group with its processes, as a tree. */
import type { Group } from '../wire.ts';
import { cut } from './table.ts';

/** Processes shown of one group; the rest is counted. */
const MAX_PROCESSES = 256;

/** Lines below the group's own path. */
export function groupLines(group: Group, columns: number): string[] {
  const lines: string[] = [];
  const walk = ({ processes, children }: Group, indent: string): void => {
    // Pid 0: a process outside core's pid namespace.
    const known = processes.filter(({ pid }) => pid > 0);
    const shown = [...known].sort((a, b) => a.pid - b.pid).slice(0, MAX_PROCESSES);
    const width = Math.max(0, ...shown.map(({ pid }) => String(pid).length));
    const rows: { readonly text: string; readonly below: Group | undefined }[] = [
      ...shown.map(({ pid, command }) => ({ text: `${String(pid).padStart(width)} ${command}`, below: undefined })),
      ...(known.length > shown.length ? [{ text: `… and ${known.length - shown.length} more`, below: undefined }] : []),
      ...[...children]
        .sort((a, b) => (a.path < b.path ? -1 : 1))
        .map((child) => ({ text: child.path.slice(child.path.lastIndexOf('/') + 1), below: child })),
    ];
    for (const [index, { text, below }] of rows.entries()) {
      const last = index === rows.length - 1;
      const line = `${indent}${last ? '└─' : '├─'}${text}`;
      lines.push(Number.isFinite(columns) ? cut(line, Math.max(20, columns - 14)) : line);
      if (below !== undefined) walk(below, `${indent}${last ? '  ' : '│ '}`);
    }
  };
  walk(group, '');
  return lines;
}
