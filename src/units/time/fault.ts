/** What is wrong with a time that a person wrote; a finding is made of it where the place is known. */
export interface TimeFault {
  readonly fault: {
    readonly why: string;
    readonly todo: string;
    /** The first character that does not fit, in UTF-16 units from the start of the text. */
    readonly offset: number;
    /** What systemd's programs call it: EINVAL `Invalid argument`, ERANGE `Numerical result out of range`, ENOBUFS `No buffer space available`. */
    readonly errno: 'EINVAL' | 'ERANGE' | 'ENOBUFS';
  };
}

export type Parsed<T> = { readonly value: T } | TimeFault;

/** A piece of what was written, for a sentence: quoted, cut, control characters as `\x0a`. */
export function piece(text: string, length: number): string {
  let out = '';
  for (const char of text.slice(0, length)) {
    const code = char.charCodeAt(0);
    out += code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, '0')}` : char;
  }
  return `'${out}'`;
}

/** Thrown inside a parser and caught at its entry: what it reads is nested, and the first fault ends it. */
export class BadTime extends Error {
  readonly at: TimeFault;

  constructor(why: string, todo: string, offset: number, errno: TimeFault['fault']['errno'] = 'EINVAL') {
    super(why);
    this.at = { fault: { why, todo, offset, errno } };
  }
}

/** Run a parser that throws {@link BadTime}; anything else thrown goes on. */
export function caught<T>(parse: () => T): Parsed<T> {
  try {
    return { value: parse() };
  } catch (error) {
    if (error instanceof BadTime) return error.at;
    throw error;
  }
}
