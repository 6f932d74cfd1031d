/** Errors of Node and of the addon, as {@link HostError}. */
import { HostError } from '../ports.ts';

/** An error with a code, as Node and the addon throw them. */
export function codeOf(cause: unknown): string | undefined {
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' ? cause.code : undefined;
}

/** What was thrown, as a HostError about `about`; an error without an errno is a mistake of ours and stays as it is. */
export function hostError(cause: unknown, about: string): unknown {
  if (cause instanceof HostError) return cause;
  const code = codeOf(cause);
  return code === undefined ? cause : new HostError(code, about, cause);
}

/** Run it; errors come out as HostError. */
export function attempt<T>(about: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw hostError(cause, about);
  }
}

/** Run it; the errors named give undefined, all others are thrown as HostError. */
export function unless<T>(codes: readonly string[], about: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (cause) {
    if (codes.includes(codeOf(cause) ?? '')) return undefined;
    throw hostError(cause, about);
  }
}
