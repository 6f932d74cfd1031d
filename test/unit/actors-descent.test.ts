import { expect, test } from 'vitest';
import { descendants } from '../../src/actors/descent.ts';
import type { Host } from '../../src/host/ports.ts';

/** pid → its parent and its environment. */
type Table = Readonly<Record<number, readonly [parent: number, environment: string]>>;

const hostWith = (init: number, table: Table) =>
  ({
    hello: { pid: init },
    files: {
      list: () => Object.keys(table).concat('self', 'meminfo'),
      readText: (path: string) => table[Number(path.split('/')[2])]?.[1],
    },
    process: {
      inspect(pid: number) {
        const row = table[pid];
        return row === undefined ? undefined : { ppid: row[0], startTime: pid * 10, group: '', comm: '' };
      },
    },
  }) as unknown as Host;

const mark = 'A=1\0INVOCATION_ID=abc\0';

test('processes of an invocation are found through their environment, daemons and grandchildren too', () => {
  const host = hostWith(50, {
    1: [0, ''],
    50: [1, ''],
    51: [50, mark],
    52: [51, mark],
    53: [50, mark],
    54: [50, 'A=1\0'],
  });
  expect(descendants(host, 'abc').map(({ pid }) => pid)).toEqual([51, 52, 53]);
});

test('those of another system on the same machine, with the same units, are not', () => {
  const host = hostWith(50, { 1: [0, ''], 49: [1, mark], 50: [1, ''], 51: [50, mark] });
  expect(descendants(host, 'abc')).toEqual([{ pid: 51, startTime: 510 }]);
});
