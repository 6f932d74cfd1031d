/** A finding as one sentence. */
import type { Finding } from '../wire.ts';
import type { Style } from './style.ts';

/** `file:line:column: what: why; what to do`; a line of 0 is the file as a whole. */
export function findingLine({ severity, file, line, column, what, why, todo }: Finding, style: Style): string {
  const colour = severity === 'error' ? style.red : severity === 'warning' ? style.yellow : style.grey;
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return `${place === '' ? '' : `${place}: `}${colour(what)}: ${why}${todo === '' ? '' : `; ${todo}`}`;
}
