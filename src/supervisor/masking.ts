/**
 * Secrets are left out of what may be passed on.
 *
 * By name, since nothing else is known of a value: assignments `NAME=value` below a key that speaks of an environment lose
 * their values, and every text below a key that speaks of a credential, a password, a secret or a token is gone. The same input
 * gives the same output, so that what was equal stays equal.
 */
import type { Json } from './actor.ts';

/** What stands in place of a secret. */
export const MASK = '***';
const ENVIRONMENT = /environment/i;
const SECRET = /credential|passw|secret|token|passphrase/i;
/** Names of units are no secrets, whatever they are of: systemd-ask-password-wall.service. */
const UNIT = /\.(?:service|socket|target|path|timer|mount|automount|swap|slice|scope|device)$/;

/** `--password=x`, `token: x`, `://user:password@host`: what a command line or a log line gives away by its own words. */
const SPOKEN = /((?:passw(?:or)?d|passphrase|secret|token|api[-_]?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s"',;]+)/gi;
const IN_ADDRESS = /(:\/\/[^/\s:@]*:)[^/\s@]+@/g;

/** A text whose own words say that a secret follows, without it. */
export const maskedText = (text: string): string =>
  // Both need one of these, and most texts have neither.
  text.includes('=') || text.includes(':') ? text.replace(SPOKEN, `$1${MASK}`).replace(IN_ADDRESS, `$1${MASK}@`) : text;

type KeyKind = 'environment' | 'secret' | 'plain';
/** Keys are few and come again and again: how they were judged, up to so many of them. */
const judged = new Map<string, KeyKind>();
const JUDGED_MAX = 1024;

function kindOf(key: string): KeyKind {
  const known = judged.get(key);
  if (known !== undefined) return known;
  const isName = UNIT.test(key);
  const kind = !isName && ENVIRONMENT.test(key) ? 'environment' : !isName && SECRET.test(key) ? 'secret' : 'plain';
  if (judged.size < JUDGED_MAX) judged.set(key, kind);
  return kind;
}

/** `NAME=value` without the value; a name alone stays. */
const withoutValue = (text: string): string => {
  const at = text.indexOf('=');
  return at < 0 ? text : `${text.slice(0, at + 1)}${MASK}`;
};

function eachText(value: Json, change: (text: string) => string): Json {
  if (typeof value === 'string') return change(value);
  if (typeof value !== 'object' || value === null) return value;
  if (isArray(value)) return value.map((one) => eachText(one, change));
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, one === undefined ? one : eachText(one, change)]),
  );
}

const isArray = (value: Json): value is readonly Json[] => Array.isArray(value);

/** A map of names to values is as much an environment as a list of assignments. */
const environment = (value: Json): Json =>
  typeof value === 'object' && value !== null && !isArray(value)
    ? Object.fromEntries(Object.keys(value).map((name) => [name, MASK]))
    : eachText(value, withoutValue);

/** A copy without secrets. Masking twice changes nothing more. */
export function masked(value: Json): Json {
  if (typeof value === 'string') return maskedText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (isArray(value)) return value.map(masked);
  const setsEnvironment = value['what'] === 'environment';
  const copy: Record<string, Json | undefined> = {};
  for (const [key, one] of Object.entries(value)) {
    // No name of ours, and assigning it would change what the copy is.
    if (key === '__proto__') continue;
    const kind = kindOf(key);
    if (one === undefined) copy[key] = one;
    else if (kind === 'environment' || (setsEnvironment && key === 'set')) copy[key] = environment(one);
    else copy[key] = kind === 'secret' ? eachText(one, () => MASK) : masked(one);
  }
  return copy;
}
