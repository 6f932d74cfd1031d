/**
 * The reader: text of a unit file in, assignments with their places out.
 *
 * Source: systemd.syntax(7). A line ends at LF, CR, CRLF or NUL. A line that ends in an odd number of backslashes
 * goes on in the next one, comment lines between them left out. Reading never fails: what cannot be understood is a
 * finding and is left out, and the rest of the file counts.
 */
import { quoted } from './finding.ts';
import type { At, Finding } from './types.ts';

/** Longest logical line, as in systemd. */
export const LINE_LENGTH_MAX = 1024 * 1024;
/** Files beyond this are refused as a whole. */
export const FILE_LENGTH_MAX = 16 * 1024 * 1024;
/** Faults reported for one file; the rest is counted. */
const FINDINGS_MAX = 200;

/** A stretch of a value that stands on one physical line. */
interface Segment {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

export interface Assignment {
  readonly section: string;
  readonly key: string;
  /** Continuation lines joined by a space, white space at both ends gone. */
  readonly value: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where the value's physical lines start; one entry for a value on one line. */
  readonly segments: readonly Segment[];
}

export interface UnitText {
  readonly assignments: readonly Assignment[];
  /** Section headers in order of appearance, each once, with the place of the first. */
  readonly sections: readonly { readonly name: string; readonly at: At }[];
  readonly findings: readonly Finding[];
  /** A section header or a line that systemd gives up the file for: a main file is not loaded, of a drop-in the rest does not count. */
  readonly broken: boolean;
  /** Assignments behind that place: they do not count, but what is wrong with them is worth telling. */
  readonly beyond: readonly Assignment[];
}

/** The place of a character of an assignment's value; without an offset, of its key. */
export function placeOf(assignment: Assignment, offset?: number): At {
  const { file, line, column, segments } = assignment;
  if (offset === undefined) return { file, line, column };
  let best = segments[0] ?? { offset: 0, line, column };
  for (const segment of segments) if (segment.offset <= offset) best = segment;
  return { file, line: best.line, column: best.column + (offset - best.offset) };
}

const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 10 || code === 13;

/** Read a unit file. `text` may hold anything; U+FFFD stands for bytes that were not UTF-8. */
export function readUnitText(text: string, file: string): UnitText {
  const assignments: Assignment[] = [];
  const beyond: Assignment[] = [];
  const sections: { name: string; at: At }[] = [];
  const findings: Finding[] = [];
  let dropped = 0;
  const report = (
    severity: Finding['severity'],
    line: number,
    column: number,
    what: string,
    why: string,
    todo: string,
  ) => {
    if (findings.length >= FINDINGS_MAX) dropped += 1;
    else findings.push({ severity, at: { file, line, column }, what, why, todo });
  };

  if (text.length > FILE_LENGTH_MAX) {
    report('error', 0, 0, 'unit file', `longer than ${FILE_LENGTH_MAX} characters`, 'split it');
    return { assignments, sections, findings, broken: true, beyond };
  }

  let section: string | undefined;
  let lineNumber = 0;
  let position = 0;
  let sawNul = false;
  let broken = false;
  // The logical line that is being put together, and where its pieces stand.
  let pending: string | undefined;
  let pieces: Segment[] = [];
  let skipping = false;

  if (text.charCodeAt(0) === 0xfeff) {
    position = 1;
    report('note', 1, 1, 'byte order mark', 'not needed in UTF-8', 'remove it');
  }

  const isClean = !text.includes('\ufffd');
  /** The logical line that stands from `from` to `to`; of one that is a line of the file, by itself, `segments` is its number. */
  const take = (logical: string, from: number, to: number, segments: readonly Segment[] | number) => {
    let start = from;
    let end = to;
    while (start < end && isBlank(logical.charCodeAt(start))) start += 1;
    while (end > start && isBlank(logical.charCodeAt(end - 1))) end -= 1;
    if (start === end) return;
    const at = locate(segments, start - from);
    const fault = isClean ? -1 : logical.slice(start, end).indexOf('\ufffd');
    if (fault >= 0) {
      const bad = locate(segments, start - from + fault);
      report(
        'warning',
        bad.line,
        bad.column,
        quoted('line', logical.slice(start, end)),
        'not valid UTF-8, the line is left out',
        'save the file as UTF-8',
      );
      return;
    }
    if (logical[start] === '[') {
      if (logical[end - 1] !== ']') {
        report(
          'error',
          at.line,
          at.column,
          logical.slice(start, Math.min(end, start + 60)),
          'a section header without its closing bracket',
          'write [Name]',
        );
        broken = true;
        section = logical.slice(start + 1, end); // what was meant, as far as the faults below it go
        return;
      }
      section = logical.slice(start + 1, end - 1);
      const name = section;
      if (!sections.some((known) => known.name === name))
        sections.push({ name, at: { file, line: at.line, column: at.column } });
      return;
    }
    let equals = start;
    while (equals < end && logical.charCodeAt(equals) !== 61) equals += 1;
    if (equals === end) {
      report(
        'error',
        at.line,
        at.column,
        quotedLine(logical.slice(start, end)),
        "neither a section, nor a comment, nor an assignment: there is no '='",
        'write Key=value, or # for a comment',
      );
      return;
    }
    let keyEnd = equals;
    while (keyEnd > start && isBlank(logical.charCodeAt(keyEnd - 1))) keyEnd -= 1;
    if (keyEnd === start) {
      report(
        'error',
        at.line,
        at.column,
        quotedLine(logical.slice(start, end)),
        "there is no key before the '='",
        'write Key=value',
      );
      return;
    }
    let valueStart = equals + 1;
    while (valueStart < end && isBlank(logical.charCodeAt(valueStart))) valueStart += 1;
    const key = logical.slice(start, keyEnd);
    const value = logical.slice(valueStart, end);
    if (section === undefined) {
      report(
        'warning',
        at.line,
        at.column,
        quoted(key, value),
        'an assignment outside of any section is left out',
        'put it below a [Section] line',
      );
      return;
    }
    (broken ? beyond : assignments).push({
      section,
      key,
      value,
      file,
      line: at.line,
      column: at.column,
      segments: shift(segments, valueStart - from),
    });
  };

  const onlyNewlines = !text.includes('\r') && !text.includes('\0');
  while (position < text.length) {
    lineNumber += 1;
    let end = onlyNewlines ? text.indexOf('\n', position) : position;
    if (end < 0) end = text.length;
    let code = end < text.length ? text.charCodeAt(end) : 0;
    while (end < text.length && code !== 10 && code !== 13 && code !== 0) {
      end += 1;
      code = text.charCodeAt(end);
    }
    const lineStart = position;
    position = end + 1;
    if (end < text.length) {
      if (code === 0 && !sawNul) {
        sawNul = true;
        report(
          'warning',
          lineNumber,
          end - lineStart + 1,
          'NUL byte',
          'not allowed in a unit file; it ends the line',
          'remove it',
        );
      }
      const next = text.charCodeAt(position);
      if ((code === 13 && next === 10) || (code === 10 && next === 13)) position += 1;
    }

    let first = lineStart;
    while (first < end && isBlank(text.charCodeAt(first))) first += 1;
    const lead = first < end ? text.charCodeAt(first) : 0;
    if (lead === 35 || lead === 59) continue; // comments, also between continued lines

    const length = (pending?.length ?? 0) + (end - lineStart);
    if (length > LINE_LENGTH_MAX) {
      if (!skipping)
        report(
          'error',
          lineNumber,
          1,
          'line',
          `longer than ${LINE_LENGTH_MAX} characters, left out`,
          'split it into several assignments',
        );
      skipping = true;
      broken = true;
      pending = '';
      pieces = [];
      if (!endsInBackslash(text, lineStart, end)) {
        skipping = false;
        pending = undefined;
      }
      continue;
    }

    const goesOn = endsInBackslash(text, lineStart, end);
    if (pending === undefined && !goesOn) {
      take(text, lineStart, end, lineNumber);
      continue;
    }
    pieces.push({ offset: pending?.length ?? 0, line: lineNumber, column: 1 });
    if (goesOn) pending = `${pending ?? ''}${text.slice(lineStart, end - 1)} `;
    else {
      const logical = `${pending}${text.slice(lineStart, end)}`;
      if (!skipping) take(logical, 0, logical.length, pieces);
      pending = undefined;
      pieces = [];
      skipping = false;
    }
  }
  if (pending !== undefined && !skipping) {
    const last = pieces[pieces.length - 1];
    if (last !== undefined)
      report('warning', last.line, 1, 'continuation', 'the file ends after a backslash', 'remove the backslash');
    take(pending, 0, pending.length, pieces);
  }
  if (dropped > 0)
    findings.push({
      severity: 'warning',
      at: { file, line: 0, column: 0 },
      what: 'unit file',
      why: `${dropped} more faults are not shown`,
      todo: 'mend the first ones',
    });
  return { assignments, sections, findings, broken, beyond };
}

/** An odd number of backslashes at the end: the line goes on. */
function endsInBackslash(text: string, start: number, end: number): boolean {
  let count = 0;
  while (end - 1 - count >= start && text.charCodeAt(end - 1 - count) === 92) count += 1;
  return count % 2 === 1;
}

function locate(
  segments: readonly Segment[] | number,
  offset: number,
): { readonly line: number; readonly column: number } {
  if (typeof segments === 'number') return { line: segments, column: 1 + offset };
  let best = segments[0] ?? { offset: 0, line: 0, column: 1 };
  for (const segment of segments) if (segment.offset <= offset) best = segment;
  return { line: best.line, column: best.column + offset - best.offset };
}

/** The segments of a value that starts at `start` of the logical line. */
function shift(segments: readonly Segment[] | number, start: number): readonly Segment[] {
  if (typeof segments === 'number') return [{ offset: 0, line: segments, column: 1 + start }];
  const out: Segment[] = [];
  for (const segment of segments) {
    if (segment.offset <= start) {
      out.length = 0;
      out.push({ offset: 0, line: segment.line, column: segment.column + start - segment.offset });
    } else out.push({ ...segment, offset: segment.offset - start });
  }
  return out;
}

function quotedLine(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
