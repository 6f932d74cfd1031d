import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LINE_LENGTH_MAX, placeOf, readUnitText } from '../../src/units/reader.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/units/utf8.ts';

const read = (text: string) => readUnitText(text, '/u/a.service');
const pairs = (text: string) => read(text).assignments.map(({ section, key, value }) => `${section}.${key}=${value}`);
const why = (text: string) =>
  read(text).findings.map((finding) => `${finding.at?.line}:${finding.at?.column} ${finding.why}`);

describe('the reader', () => {
  test('gives assignments with section, key and value, white space around them gone', () => {
    expect(pairs('[Unit]\nDescription = a b \n  After=c\n[Service]\nExecStart=/bin/x = y\n')).toEqual([
      'Unit.Description=a b',
      'Unit.After=c',
      'Service.ExecStart=/bin/x = y',
    ]);
  });

  test('keeps repeated keys and empty values in order', () => {
    expect(pairs('[Service]\nA=1\nA=\nA=2\n')).toEqual(['Service.A=1', 'Service.A=', 'Service.A=2']);
  });

  test('leaves comments and blank lines out', () => {
    expect(pairs('# a\n; b\n\n[Unit]\n  # c\nA=1 # no comment\n')).toEqual(['Unit.A=1 # no comment']);
  });

  test('joins continued lines by a space, comments between them left out', () => {
    expect(pairs('[Unit]\nA=1 \\\n# c\n  2 \\\n;d\n3\nB=4\n')).toEqual(['Unit.A=1    2  3', 'Unit.B=4']);
  });

  test('does not continue after an even number of backslashes', () => {
    expect(pairs('[Unit]\nA=1\\\\\nB=2\n')).toEqual(['Unit.A=1\\\\', 'Unit.B=2']);
  });

  test('takes a line that is continued at the end of the file', () => {
    expect(pairs('[Unit]\nA=1\\')).toEqual(['Unit.A=1']);
    expect(why('[Unit]\nA=1\\')).toEqual(['2:1 the file ends after a backslash']);
  });

  test('takes CRLF, CR and NUL as line ends, and says so of NUL', () => {
    expect(pairs('[Unit]\r\nA=1\r\nB=2\rC=3\0D=4')).toEqual(['Unit.A=1', 'Unit.B=2', 'Unit.C=3', 'Unit.D=4']);
    expect(why('[Unit]\r\nA=1\0B=2\n')).toEqual(['2:4 not allowed in a unit file; it ends the line']);
  });

  test('takes a byte order mark, and says so', () => {
    expect(pairs('\ufeff[Unit]\nA=1\n')).toEqual(['Unit.A=1']);
    expect(why('\ufeff[Unit]\n')).toEqual(['1:1 not needed in UTF-8']);
  });

  test('leaves out a line that is not UTF-8, and says where', () => {
    const { text } = decodeUtf8([...encodeUtf8('[Unit]\nA=ok\nB=x'), 0xff, ...encodeUtf8('y\nC=ok\n')]);
    expect(pairs(text)).toEqual(['Unit.A=ok', 'Unit.C=ok']);
    expect(why(text)).toEqual(['3:4 not valid UTF-8, the line is left out']);
  });

  test('reports every fault of a file, each with its place', () => {
    expect(why('A=1\n[Unit]\nnonsense\n  =x\nB=1\n')).toEqual([
      '1:1 an assignment outside of any section is left out',
      "3:1 neither a section, nor a comment, nor an assignment: there is no '='",
      "4:3 there is no key before the '='",
    ]);
  });

  test('gives a file up at a header without its bracket, as systemd does, and goes on looking for faults', () => {
    const text = read('[Unit]\nA=1\n[Service\nB=2\nnonsense\n[Install]\nC=3\n');
    expect(text.broken).toBe(true);
    expect(text.assignments.map((one) => one.key)).toEqual(['A']);
    expect(text.findings.map((finding) => finding.at?.line)).toEqual([3, 5]);
  });

  test('leaves out a line that is too long, and lives on', () => {
    const text = read(`[Unit]\nA=${'x'.repeat(LINE_LENGTH_MAX)}\nB=2\n`);
    expect(text.findings.map((finding) => finding.severity)).toEqual(['error']);
    expect(text.findings[0]?.why).toContain('longer than');
  });

  test('knows the place of every character of a value, also over continued lines', () => {
    const assignment = read('[Service]\nExecStart=/bin/echo \\\n   one \\\n two\n').assignments[0];
    if (assignment === undefined) throw new Error('no assignment');
    expect(placeOf(assignment)).toEqual({ file: '/u/a.service', line: 2, column: 1 });
    expect(placeOf(assignment, 0)).toEqual({ file: '/u/a.service', line: 2, column: 11 });
    expect(placeOf(assignment, assignment.value.indexOf('one'))).toEqual({ file: '/u/a.service', line: 3, column: 4 });
    expect(placeOf(assignment, assignment.value.indexOf('two'))).toEqual({ file: '/u/a.service', line: 4, column: 2 });
  });

  test('never throws, and every place it names is in the text', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '[',
        ']',
        '=',
        '\\',
        '\n',
        '\r',
        '\0',
        '#',
        ';',
        ' ',
        '\ufeff',
        '\ufffd',
        '[Unit]\n',
        'A=1\n',
        '\\\n',
      ),
      fc.string({ unit: 'binary', maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (parts) => {
        const text = parts.join('');
        const lines = text.split(/\r\n|\n\r|\n|\r|\0/).length;
        const result = read(text);
        for (const finding of result.findings) if ((finding.at?.line ?? 0) > lines) return false;
        return result.assignments.every((one) => one.line >= 1 && one.line <= lines && one.key !== '');
      }),
      { numRuns: 2000 },
    );
  });

  test('reads any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        read(decodeUtf8(bytes).text);
      }),
      { numRuns: 1000 },
    );
  });

  test('reads back what is written', () => {
    const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,10}$/);
    const value = fc.stringMatching(/^([!-[\]-~]([ -[\]-~]{0,20}[!-[\]-~])?)?$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(word, value), { maxLength: 10 }), (list) => {
        const text = `[Unit]\n${list.map(([key, text]) => `${key}=${text}\n`).join('')}`;
        expect(pairs(text)).toEqual(list.map(([key, text]) => `Unit.${key}=${text}`));
      }),
    );
  });
});

describe('UTF-8', () => {
  test('round trips, and agrees with the engine on what is valid', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => decodeUtf8(encodeUtf8(text)).text === text));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        let valid = true;
        try {
          new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
        } catch {
          valid = false;
        }
        return decodeUtf8(bytes).valid === valid;
      }),
      { numRuns: 3000 },
    );
  });
});
