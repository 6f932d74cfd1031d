/** A finding as one sentence. */
import type { Finding } from '../wire.ts';
import type { Style } from './style.ts';

/** `file:line: what: why; what to do`. */
export function findingLine({ severity, file, line, what, why, todo }: Finding, style: Style): string {
  const colour = severity === 'error' ? style.red : severity === 'warning' ? style.yellow : style.grey;
  return `${file === '' ? '' : `${file}:${line}: `}${colour(what)}: ${why}${todo === '' ? '' : `; ${todo}`}`;
}
