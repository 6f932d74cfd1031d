/** Varlink's interface language and the interfaces themselves. */
import { describe, expect, test } from 'vitest';
import { faultOf, type Interface, parseInterface } from '../../src/api/idl.ts';
import { interfaceNames, interfaceOf } from '../../src/api/interfaces/index.ts';
import { handlers } from '../../src/api/methods/index.ts';

describe('our interfaces', () => {
  const all = interfaceNames().map((name) => [name, interfaceOf(name) as Interface] as const);

  // Law 9 keeps files out of core's reach, so the text lives in a module; `vitest -u` writes the .varlink files from it.
  test.each(all)('%s stands in its .varlink file, word for word', async (asked, { name, text }) => {
    expect(name).toBe(asked);
    await expect(text).toMatchFileSnapshot(`../../src/api/interfaces/${name}.varlink`);
  });

  test('every method has a handler, and every handler a method', () => {
    const methods = all.flatMap(([, at]) => [...at.methods.keys()].map((method) => `${at.name}.${method}`));
    expect([...handlers.keys()].sort()).toEqual(methods.sort());
  });
});

describe('the language', () => {
  const parse = (body: string): Interface => parseInterface(`interface a.b\n${body}`);

  test('every type is read', () => {
    const at = parse(`
      # a comment
      type T (a: bool, b: int, c: float, d: string, e: object, f: ?[]string, g: [string]U, h: (x, y), i: (n: int), j: any)
      type U (one, two)
      method M(t: T) -> ()
      error E (why: string)`);
    expect([...at.types.keys()]).toEqual(['T', 'U']);
    const fits = (t: object) => faultOf(at, at.methods.get('M')!.input, { t });
    const good = { a: true, b: 1, c: 1.5, d: '', e: {}, f: null, g: { k: 'one' }, h: 'x', i: { n: 1 }, j: [] };
    expect(fits(good)).toBeUndefined();
    expect(fits({ ...good, f: ['a'] })).toBeUndefined();
    expect(fits({ ...good, f: undefined })).toBeUndefined();
    const faults: [object, string, string][] = [
      [{ a: 1 }, 't.a', 'expected bool, found number'],
      [{ b: 1.5 }, 't.b', 'expected int, found number'],
      [{ b: 2 ** 60 }, 't.b', 'expected int, found number'],
      [{ c: 'x' }, 't.c', 'expected float, found string'],
      [{ d: null }, 't.d', 'expected string, found null'],
      [{ e: [] }, 't.e', 'expected object, found array'],
      [{ f: [1] }, 't.f.0', 'expected string, found number'],
      [{ g: { k: 'three' } }, 't.g.k', 'expected one of one, two, found string'],
      [{ h: 'z' }, 't.h', 'expected one of x, y, found string'],
      [{ i: {} }, 't.i.n', 'expected int, found nothing'],
      [{ i: { n: 1, m: 2 } }, 't.i.m', 'no such member'],
      [{ j: undefined }, 't.j', 'expected a value, found nothing'],
    ];
    for (const [change, path, why] of faults) expect(fits({ ...good, ...change })).toEqual({ path, why });
  });

  test.each([
    ['method M() -> (', 'the end is not a field name'],
    ['method m() -> ()', 'm is not a name that begins with a capital'],
    ['type T (a: X)', 'type X is not defined'],
    ['type T (a: ??int)', 'nullable once'],
    ['type T (a: int, b)', 'b has no type'],
    ['type T (a, b: int)', 'an enum has no types'],
    ['type T (a: int, a: int)', 'a is there twice'],
    ['type T (a: int)\ntype T (a: int)', 'T is there twice'],
    ['error E (a)', 'expected (name: type'],
    ['thing T ()', 'thing is not type, method or error'],
    ['type T ($)', 'unexpected "$"'],
  ])('%s is refused with its line', (body, why) => {
    expect(() => parse(body)).toThrow(why);
    expect(() => parse(body)).toThrow(/^line \d+: /);
  });
});
