/**
 * Findings: what a person should know about a unit file, as data; the sentence is made here and nowhere else.
 */
import type { At, Finding } from './types.ts';

/** How much of a value is quoted in a finding. */
const QUOTED_LENGTH = 100;

/** `file:line:column: what: why; what to do`, without the parts that are not known. */
export function sentence(finding: Finding): string {
  const at = finding.at === undefined ? '' : `${place(finding.at)}: `;
  const todo = finding.todo === '' ? '' : `; ${finding.todo}`;
  return `${at}${finding.what}: ${finding.why}${todo}`;
}

/** `file:line:column`; a line of 0 is the file as a whole. */
export function place(at: At): string {
  return at.line === 0 ? at.file : `${at.file}:${at.line}:${at.column}`;
}

/** A finding about a whole file, or about no file at all (`file` empty). */
export function about(severity: Finding['severity'], file: string, what: string, why: string, todo: string): Finding {
  return { severity, at: file === '' ? undefined : { file, line: 0, column: 0 }, what, why, todo };
}

/** `Key=value` as a person would recognise it: control characters shown, long values cut. */
export function quoted(key: string, value: string): string {
  const text = `${key}=${value}`;
  const short = text.length > QUOTED_LENGTH ? `${text.slice(0, QUOTED_LENGTH)}…` : text;
  let out = '';
  for (const char of short) {
    const code = char.codePointAt(0) ?? 0;
    out += code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, '0')}` : char;
  }
  return out;
}

/**
 * The candidate that is nearest to `word`, if any is near enough to be meant: at most a third of the letters differ.
 * Case counts half, since a wrong case is the commonest slip.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 0.5;
  const lower = word.toLowerCase();
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const distance = candidate.toLowerCase() === lower ? 0.5 : editDistance(word, candidate, limit);
    if (distance < bestDistance || (distance === bestDistance && best !== undefined && candidate < best)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance, given up beyond `limit`. Words are cut at 64 letters, so the work is bounded. */
function editDistance(left: string, right: string, limit: number): number {
  const a = left.slice(0, 64);
  const b = right.slice(0, 64);
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const cost = a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1;
      const value = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost);
      next.push(value);
      if (value < least) least = value;
    }
    if (least > limit) return limit + 1;
    row = next;
  }
  return row[b.length] ?? limit + 1;
}
