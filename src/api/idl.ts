/**
 * Varlink's interface language, and values checked against it (https://varlink.org/Interface-Definition).
 *
 * Read once at start; every call's parameters and every reply pass {@link faultOf}. A fault names the member by its
 * path, so that `org.varlink.service.InvalidParameter` can say which one.
 */

export type IdlType =
  | { readonly kind: 'bool' | 'int' | 'float' | 'string' | 'object' | 'any' }
  | { readonly kind: 'enum'; readonly words: readonly string[] }
  | { readonly kind: 'struct'; readonly fields: readonly IdlField[] }
  | { readonly kind: 'array' | 'dict' | 'nullable'; readonly of: IdlType }
  | { readonly kind: 'named'; readonly name: string };

export interface IdlField {
  readonly name: string;
  readonly type: IdlType;
}

export interface IdlMethod {
  readonly name: string;
  readonly input: readonly IdlField[];
  readonly output: readonly IdlField[];
}

export interface Interface {
  readonly name: string;
  /** The text as it was read: what GetInterfaceDescription answers. */
  readonly text: string;
  readonly types: ReadonlyMap<string, IdlType>;
  readonly methods: ReadonlyMap<string, IdlMethod>;
  readonly errors: ReadonlyMap<string, readonly IdlField[]>;
}

/** A text that is not an interface; `line` counts from 1. */
export class IdlError extends Error {
  readonly line: number;
  constructor(line: number, why: string) {
    super(`line ${line}: ${why}`);
    this.name = 'IdlError';
    this.line = line;
  }
}

const TOKEN = /[ \t\r\n]+|#[^\n]*|->|\[\]|\[string\]|[A-Za-z][A-Za-z0-9_.-]*|[?(),:]/y;
const BASIC = new Set(['bool', 'int', 'float', 'string', 'object', 'any']);
const MEMBER = /^[A-Z][A-Za-z0-9]*$/;
const FIELD = /^[A-Za-z](_?[A-Za-z0-9])*$/;
const INTERFACE = /^[A-Za-z](-*[A-Za-z0-9])*(\.[A-Za-z0-9](-*[A-Za-z0-9])*)+$/;

interface Token {
  readonly text: string;
  readonly line: number;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  let line = 1;
  for (let at = 0; at < text.length; ) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) throw new IdlError(line, `unexpected ${JSON.stringify(text[at])}`);
    const word = match[0];
    if (!/^[\s#]/.test(word)) found.push({ text: word, line });
    line += word.split('\n').length - 1;
    at += word.length;
  }
  return found;
}

class Reader {
  private readonly tokens: readonly Token[];
  private at = 0;

  constructor(text: string) {
    this.tokens = tokens(text);
  }

  peek(): string {
    return this.tokens[this.at]?.text ?? '';
  }

  fail(why: string): never {
    throw new IdlError(this.tokens[Math.min(this.at, this.tokens.length - 1)]?.line ?? 1, why);
  }

  take(): string {
    const token = this.tokens[this.at];
    if (token === undefined) this.fail('the text ends too early');
    this.at += 1;
    return token.text;
  }

  expect(word: string): void {
    if (this.peek() !== word) this.fail(`expected ${word}, found ${this.peek() || 'the end'}`);
    this.at += 1;
  }

  name(form: RegExp, what: string): string {
    if (!form.test(this.peek())) this.fail(`${this.peek() || 'the end'} is not ${what}`);
    return this.take();
  }

  type(): IdlType {
    switch (this.peek()) {
      case '?': {
        this.take();
        if (this.peek() === '?') this.fail('a type is nullable once');
        return { kind: 'nullable', of: this.type() };
      }
      case '[]':
        this.take();
        return { kind: 'array', of: this.type() };
      case '[string]':
        this.take();
        return { kind: 'dict', of: this.type() };
      case '(':
        return this.braces();
      default: {
        const word = this.peek();
        if (BASIC.has(word)) {
          this.take();
          return { kind: word as 'bool' };
        }
        return { kind: 'named', name: this.name(MEMBER, 'a type') };
      }
    }
  }

  /** `(a: T, b: T)` is a struct, `(a, b)` an enum; `()` an empty struct. */
  braces(): IdlType {
    this.expect('(');
    const fields: IdlField[] = [];
    const words: string[] = [];
    while (this.peek() !== ')') {
      if (fields.length + words.length > 0) this.expect(',');
      const name = this.name(FIELD, 'a field name');
      if (fields.some((field) => field.name === name) || words.includes(name)) this.fail(`${name} is there twice`);
      if (this.peek() === ':') {
        if (words.length > 0) this.fail('an enum has no types');
        this.take();
        fields.push({ name, type: this.type() });
      } else {
        if (fields.length > 0) this.fail(`${name} has no type`);
        words.push(name);
      }
    }
    this.expect(')');
    return words.length > 0 ? { kind: 'enum', words } : { kind: 'struct', fields };
  }

  fields(): readonly IdlField[] {
    const type = this.braces();
    return type.kind === 'struct' ? type.fields : this.fail('expected (name: type, …)');
  }
}

function namedIn(type: IdlType): string[] {
  switch (type.kind) {
    case 'named':
      return [type.name];
    case 'array':
    case 'dict':
    case 'nullable':
      return namedIn(type.of);
    case 'struct':
      return type.fields.flatMap((field) => namedIn(field.type));
    default:
      return [];
  }
}

/** Read a .varlink text. Throws IdlError. */
export function parseInterface(text: string): Interface {
  const reader = new Reader(text);
  reader.expect('interface');
  const name = reader.name(INTERFACE, 'an interface name');
  const types = new Map<string, IdlType>();
  const methods = new Map<string, IdlMethod>();
  const errors = new Map<string, readonly IdlField[]>();
  while (reader.peek() !== '') {
    const keyword = reader.name(/^(type|method|error)$/, 'type, method or error');
    const member = reader.name(MEMBER, 'a name that begins with a capital');
    if (types.has(member) || methods.has(member) || errors.has(member)) reader.fail(`${member} is there twice`);
    if (keyword === 'type') types.set(member, reader.braces());
    else if (keyword === 'error') errors.set(member, reader.fields());
    else {
      const input = reader.fields();
      reader.expect('->');
      methods.set(member, { name: member, input, output: reader.fields() });
    }
  }
  const structs = [...methods.values()].flatMap((method) => [method.input, method.output]).concat([...errors.values()]);
  const used = [
    ...[...types.values()].flatMap(namedIn),
    ...structs.flatMap((fields) => namedIn({ kind: 'struct', fields })),
  ];
  for (const type of used) if (!types.has(type)) throw new IdlError(1, `type ${type} is not defined`);
  return { name, text, types, methods, errors };
}

/** What is wrong with a value: where (`units.0.name`; empty: the value itself) and why. */
export interface Fault {
  readonly path: string;
  readonly why: string;
}

const kindOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

function typeFault(at: Interface, type: IdlType, value: unknown, path: string): Fault | undefined {
  const wrong = (wanted: string): Fault => ({
    path,
    why: `expected ${wanted}, found ${value === undefined ? 'nothing' : kindOf(value)}`,
  });
  switch (type.kind) {
    case 'any':
      return value === undefined ? wrong('a value') : undefined;
    case 'bool':
      return typeof value === 'boolean' ? undefined : wrong('bool');
    case 'int':
      return Number.isSafeInteger(value) ? undefined : wrong('int');
    case 'float':
      return typeof value === 'number' && Number.isFinite(value) ? undefined : wrong('float');
    case 'string':
      return typeof value === 'string' ? undefined : wrong('string');
    case 'object':
      return kindOf(value) === 'object' ? undefined : wrong('object');
    case 'enum':
      return typeof value === 'string' && type.words.includes(value)
        ? undefined
        : wrong(`one of ${type.words.join(', ')}`);
    case 'nullable':
      return value === undefined || value === null ? undefined : typeFault(at, type.of, value, path);
    case 'named': {
      const named = at.types.get(type.name);
      return named === undefined ? wrong(type.name) : typeFault(at, named, value, path);
    }
    case 'array':
      if (!Array.isArray(value)) return wrong('array');
      return firstFault(value.entries(), (index, item) => typeFault(at, type.of, item, join(path, String(index))));
    case 'dict':
      if (kindOf(value) !== 'object') return wrong('object');
      return firstFault(Object.entries(value as object), (key, item) => typeFault(at, type.of, item, join(path, key)));
    case 'struct':
      return kindOf(value) === 'object'
        ? faultOf(at, type.fields, value as Record<string, unknown>, path)
        : wrong('object');
  }
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

function firstFault<K>(
  entries: Iterable<[K, unknown]>,
  check: (key: K, item: unknown) => Fault | undefined,
): Fault | undefined {
  for (const [key, item] of entries) {
    const fault = check(key, item);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** The first fault of an object against fields: a missing, unknown or wrong member. Undefined: it fits. */
export function faultOf(
  at: Interface,
  fields: readonly IdlField[],
  value: Readonly<Record<string, unknown>>,
  path = '',
): Fault | undefined {
  for (const field of fields) {
    const fault = typeFault(at, field.type, value[field.name], join(path, field.name));
    if (fault !== undefined) return fault;
  }
  for (const key of Object.keys(value)) {
    if (value[key] !== undefined && !fields.some((field) => field.name === key))
      return { path: join(path, key), why: 'no such member' };
  }
  return undefined;
}
