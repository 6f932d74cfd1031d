/**
 * sctl's words beside systemctl's, on one set of units under both: what is printed, in which order, and the exit status.
 *
 * A script that reads systemctl's output must be able to read ours, so most of it is the same byte for byte. What systemctl prints in the
 * order of a hash table is compared as a set, and what we do otherwise on purpose stands in docs/reference/differences.md.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ran } from '../integration/support/system.ts';
import { unitSet } from '../simulation/generate.ts';
import { blame, bootOf, chain, PROPERTIES, type Stamps, stampsOf, summary, text, took } from './analyze-peer.ts';
import { bootPair, type Pair, pairMissing, UNITS } from './peer-pair.ts';

const missing = pairMissing();
const service = (unit: string, text: string) => `[Unit]\nDefaultDependencies=no\n${unit}\n[Service]\n${text}\n`;
const target = (text: string) => `[Unit]\nDefaultDependencies=no\n${text}\n`;
const STAYS = 'ExecStart=/bin/sleep 1000';

/** Loaded, and never asked for: what is ordered before the default target. */
const RANDOM = unitSet(7, { units: 12, steady: true, whole: true, cycles: true, prefix: 'r' }).units;

const SET: Readonly<Record<string, string>> = {
  ...RANDOM,
  'default.target': target(`Wants=mark.service pa.target\nAfter=pa.target ${Object.keys(RANDOM).join(' ')}`),
  'pa.target': target(
    'Description=All of it\nWants=pb.service pc.service pd.target pg.service pmissing.service\nAfter=pb.service pc.service pg.service\nRequires=ph.service',
  ),
  'pb.service': `${service('Description=Stays up\nAfter=pc.service\nWants=pe.service', STAYS)}[Install]\nWantedBy=pa.target\n`,
  'pc.service': service('Description=Ran once, stays', 'Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true'),
  'pd.target': target('Wants=pe.service pf.service pa.target\nRequires=pb.service\nConflicts=pz.service'),
  'pe.service': service('Description=Fails\nAfter=pb.service', 'Type=oneshot\nExecStart=/bin/false'),
  'pf.service': service('Description=Ran\nBindsTo=pc.service\nAfter=pc.service', 'Type=oneshot\nExecStart=/bin/true'),
  'pg.service': service('PartOf=pa.target\nRequisite=pb.service\nAfter=pb.service', STAYS),
  'ph.service': service('Upholds=pb.service\nConditionPathExists=/nowhere', STAYS),
  'pi.service': service('Description=Bad', 'ExecStart=relative/path'),
  'pj@.service': service('Description=Instance %i', STAYS),
  'pk.service': service('Description=Slow', 'Type=oneshot\nExecStart=/bin/sleep 1000'),
  'pl.service': service('Description=Waits\nAfter=pk.service\nWants=pk.service', 'Type=oneshot\nExecStart=/bin/true'),
  'po.target': target('Description=Waits too\nAfter=pl.service\nRequires=pl.service'),
  'ps.socket': target('[Socket]\nListenStream=/run/ps.sock'),
  'ps.service': service('', STAYS),
  'pt.slice': target('Description=A slice'),
  'pu\\x2dv.service': service('Description=Escaped', STAYS),
};

let pair: Pair;
beforeAll(async () => {
  if (missing !== undefined) return;
  pair = await bootPair(SET);
  pair.theirs('systemctl', 'is-system-running', '--wait');
  await pair.ours('systemctl', 'is-system-running', '--wait');
  pair.theirs('ln', '-s', '/dev/null', `${UNITS}/pm.service`);
  pair.system.inside('ln', '-s', '/dev/null', `${UNITS}/pm.service`);
  for (const words of ['daemon-reload', 'start pj@one ps.socket pt.slice pu\\x2dv', 'start --no-block po.target'])
    await both(words);
}, 120_000);
afterAll(async () => {
  await pair?.stop();
}, 60_000);

interface Both {
  readonly theirs: Ran;
  readonly ours: Ran;
}

async function both(words: string): Promise<Both> {
  const args = words.split(' ');
  return { theirs: pair.theirs('systemctl', ...args), ours: await pair.ours('systemctl', ...args) };
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '');
/** As systemctl writes it, which does not say what closes a ring, nor how many rings end here. */
const unnamed = (text: string) =>
  text.replace(/^. ([ │]*)├─\S+ …\n(?=. \1[├└]─\S+ …$)/gmu, '').replace(/^. ([ │]*└─)\S+ …$/gmu, '  $1...');
const sorted = (text: string, separator = '\n') => text.trim().split(separator).sort();

describe.skipIf(missing !== undefined)(
  `sctl beside systemctl${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    test.each([
      'is-system-running',
      // Lists, for scripts and for people.
      'list-units p* --no-legend --plain --no-pager',
      'list-units p* --no-legend',
      'list-units p*',
      'list-units p* --all',
      'list-units p* --all --plain',
      'list-units --state=failed p*',
      'list-units --failed',
      'list-units --failed --plain --no-legend',
      'list-units --type=target --no-legend p*',
      'list-units --type=service,socket --no-legend p*',
      'list-units --type=service --type=socket --no-legend p*',
      'list-units --all --state=inactive p* --no-legend',
      'list-units --state=dead p* --no-legend',
      'list-units --state=not-found p* --no-legend',
      'list-units --state=running,listening p* --no-legend',
      'list-units --type=masked --all --no-legend p*',
      'list-units --type=nonsense',
      'list-units --type=help',
      'list-units --state=help',
      'list-units --state=nonsense',
      'list-units nosuch*',
      'list-units --no-legend nosuch*',
      'list-units p[bc].service --no-legend',
      'list-units pu\\x2d* --no-legend',
      'list-units --with-dependencies pd.target --all --no-legend',
      'list-units --with-dependencies --reverse pb.service --no-legend',
      'list-jobs nosuch*',
      'list-jobs --no-legend nosuch*',
      'list-unit-files p*',
      'list-unit-files --state=static --no-legend p*',
      // Trees that have no ring.
      'list-dependencies pb.service',
      'list-dependencies pb.service --all',
      'list-dependencies pb',
      'list-dependencies pb.service --after',
      'list-dependencies pb.service --before',
      'list-dependencies pa.target --after --all',
      'list-dependencies pb.service --before --after',
      'list-dependencies pb.service --after --before',
      'list-dependencies pb.service --reverse --after',
      'list-dependencies po.target pb.service',
      'list-dependencies po.target --all',
      'list-dependencies pa.target --plain',
      'list-dependencies pa.target --plain --all',
      'list-dependencies pb.service --plain --reverse --all',
      'list-dependencies --plain',
      // Words and exit codes.
      'is-active pb.service',
      'is-active pb.service pc pe.service pi.service pm.service pk.service nosuch',
      'is-active pe.service',
      'is-active pe.service pk.service',
      'is-active nosuch*',
      'is-active --quiet pe.service',
      'is-active --quiet pb.service',
      'is-failed pb.service',
      'is-failed pe.service pb.service',
      'is-failed pb.service pe.service',
      'is-failed nosuch',
      'is-failed --quiet pe.service',
      'is-enabled pb.service',
      'is-enabled pc.service',
      'is-enabled pm.service',
      'is-enabled pj@.service',
      'is-enabled pj@one.service',
      'is-enabled pc.service pb.service',
      'is-enabled --quiet pb.service',
      'is-enabled nosuch.service',
      'try-restart pm.service',
      'try-reload-or-restart pm.service',
      'status pm.service',
      'status nosuch.service',
      'cat pb.service pm.service pc.service',
      'cat nosuch.service',
      // Signals to nobody, and failures of what is not there.
      'kill pc.service',
      'kill --kill-whom=main pc.service',
      'kill --kill-whom=control pb.service',
      'kill --kill-whom=main ps.socket',
      'kill --kill-whom=control ps.socket',
      'kill --kill-whom=control pt.slice',
      'kill pt.slice',
      'kill pa.target',
      'kill nosuch.service',
      'kill nosuch*',
      'reset-failed nosuch.service pb.service',
      'reset-failed nosuch*',
      'show pb.service -p ActiveState,SubState,LoadState,Id,Names',
      'show pb.service -p SubState -p ActiveState',
      'show pb.service -p ActiveState --value',
      'show -P ActiveState pb.service pe.service',
      'show pb.service pe.service pk.service pm.service -p Id,ActiveState,SubState,LoadState',
      'show nosuch.service -p Id,LoadState,ActiveState,SubState',
      'show pb.service -p Nonsense',
      'show pb.service -p Nonsense,ActiveState --value',
      'show --failed p* -p Id',
      'show pe.service -p ExecMainStatus',
      'show pb.service pm.service nosuch.service pi.service pj@one.service -p LoadState,LoadError',
      // What is there for as long as the system is.
      'is-active -- -.slice system.slice init.scope -.mount',
      'show -p ActiveState,SubState,LoadState,CanStop -- init.scope -.mount',
      'start -- init.scope -.mount -.slice',
      'stop init.scope',
      'stop -- -.mount',
    ])('%s: the same', async (words) => {
      const { theirs, ours } = await both(words);
      expect(ours).toEqual(theirs);
    });

    test.each(['is-active p*', 'is-failed p*', 'is-active p* --all', 'show p* -P Id', 'show p* --type=service -P Id'])(
      '%s: a pattern stands for the same units',
      async (words) => {
        const { theirs, ours } = await both(words);
        expect(sorted(ours.stdout)).toEqual(sorted(theirs.stdout));
        expect(ours.status).toBe(theirs.status);
      },
    );

    test('list-units completes a name, which systemctl takes for a pattern', async () => {
      const { theirs, ours } = await both('list-units pb --no-legend');
      expect([theirs.stdout, ours.stdout]).toEqual(['', '  pb.service loaded active running Stays up\n']);
    });

    test('properties that are lists hold the same words', async () => {
      const names = 'Wants,After,Requires,WantedBy,Before,RequiredBy,ConsistsOf,RequisiteOf,Result,Type,FragmentPath';
      const { theirs, ours } = await both(`show pb.service -p ${names}`);
      const words = (text: string) => sorted(text).map((line) => sorted(line.replace('=', ' '), ' '));
      expect(words(ours.stdout)).toEqual(words(theirs.stdout));
    });

    test('a ring ends where systemctl ends it, and we name the unit', async () => {
      for (const words of ['pa.target', 'pa.target --all', 'pb.service --reverse', 'pb.service --reverse --all', '']) {
        const { theirs, ours } = await both(`list-dependencies ${words}`.trim());

        expect(unnamed(ours.stdout)).toBe(theirs.stdout);
      }
    });

    test.each(['', '--all', '--reverse', '--before --all', '--after --plain --all'])(
      'list-dependencies %s of units with dependencies of all kinds: the same trees',
      async (options) => {
        for (const unit of Object.keys(RANDOM)) {
          const { theirs, ours } = await both(`list-dependencies ${unit} ${options}`.trim());
          // Below the last one before a ring systemctl forgets a line.
          const places = (tree: string) => tree.replaceAll('│', ' ').replaceAll('├', '└');
          expect(places(unnamed(ours.stdout))).toBe(places(theirs.stdout));
        }
      },
    );

    test('list-jobs has the columns of systemctl; the numbers are our own', async () => {
      const { theirs, ours } = await both('list-jobs --no-legend --plain --no-pager');
      const rows = ({ stdout }: Ran) =>
        sorted(stdout)
          .map((line) => line.replace(/^\d+ +/, ''))
          .sort();
      expect(rows(ours)).toEqual(rows(theirs));
      expect(lines(ours.stdout).map((line) => Number(line.split(' ')[0]))).toEqual(
        lines(ours.stdout)
          .map((line) => Number(line.split(' ')[0]))
          .sort((a, b) => a - b),
      );
      const header = (await both('list-jobs')) as Both;
      expect(lines(header.ours.stdout)[0]).toBe(lines(header.theirs.stdout)[0]);
      expect(lines(header.ours.stdout).at(-1)).toBe(lines(header.theirs.stdout).at(-1));
    });

    test('list-jobs --before and --after tell the same pairs of jobs as systemctl', async () => {
      for (const option of ['--after', '--before']) {
        const { theirs, ours } = await both(`list-jobs ${option}`);
        const pairs = (text: string, inner: RegExp) => {
          let job = '';
          return lines(text)
            .flatMap((line) => {
              job = /^\d+ +(\S+)/.exec(line)?.[1] ?? job;
              const other = inner.exec(line)?.[1];
              return other === undefined ? [] : [`${job} ${other}`];
            })
            .sort();
        };
        const found = pairs(ours.stdout, /job \d+ \(\S+ ([^ )]+)\)/);
        expect(found).toEqual(pairs(theirs.stdout, /job \d+ \(([^/]+)\//));
        expect(found).toHaveLength(2);
      }
    });

    test('show knows a job by its number', async () => {
      const words = async (which: 'theirs' | 'ours') => {
        const { [which]: jobs } = await both('list-jobs --no-legend pl.service');
        const id = jobs.stdout.split(' ')[0] ?? '';
        const { [which]: shown } = await both(`show ${id} -p Unit,JobType,State`);
        return sorted(shown.stdout);
      };
      expect(await words('ours')).toEqual(await words('theirs'));
      expect((await both('show 99999')).ours.status).toBe(1);
    });

    test('status has the lines of systemctl, by their labels, and the same exit codes', async () => {
      for (const words of [
        'pb.service',
        'pe.service',
        'pa.target',
        'ps.socket',
        'ph.service',
        'pb nosuch pe',
        'pt.slice',
      ]) {
        const { theirs, ours } = await both(`status ${words}`);
        expect(ours.status).toBe(theirs.status);
        expect(ours.stderr).toBe(theirs.stderr);
        const facts = ({ stdout }: Ran) =>
          lines(stdout)
            .filter((line) => /^\S |^ +(Loaded|Active|Condition):/.test(line))
            .map((line) => line.replace(/ (since|at) .*/, ''));
        expect(facts(ours)).toEqual(facts(theirs));
        const labels = ({ stdout }: Ran) => [...stdout.matchAll(/^ *([A-Z][A-Za-z- ]+): /gm)].map(([, label]) => label);
        const optional = ['CGroup', 'CPU', 'Process']; // of groups without processes, and of the last moment of a process
        const mine = new Set(labels(ours));
        expect(labels(theirs).filter((label) => !mine.has(label) && !optional.includes(label as string))).toEqual([]);
      }
    });
  },
);

/** One of the two systems: its own words about its own boot. */
interface Side {
  readonly name: string;
  readonly ask: (program: 'systemctl' | 'systemd-analyze', words: string) => Promise<Ran>;
  /** Where the time 0 stands in its plots, and what a bar measures at least. */
  readonly zero: number;
  readonly narrowest: number;
}

const sides: readonly Side[] = [
  { name: 'systemd', ask: async (program, words) => pair.theirs(program, ...words.split(' ')), zero: 0, narrowest: 0 },
  {
    name: 'sysMaster',
    ask: async (program, words) => pair.ours(program, ...words.split(' ')),
    zero: 20,
    narrowest: 0.5,
  },
];

describe.skipIf(missing !== undefined)(
  `sctl analyze beside systemd-analyze${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    const factsOf = async ({ ask }: Side) => {
      const units = stampsOf((await ask('systemctl', `show --all -p ${PROPERTIES} *`)).stdout);
      const boot = bootOf(
        (await ask('systemctl', 'show -p UserspaceTimestampMonotonic,FinishTimestampMonotonic')).stdout,
      );
      const unit = (name: string) => units.find((one) => one.name === name) as Stamps;
      return { units, boot, unit };
    };

    test.each(sides)('time: $name tells the time from the start of userspace to the last job', async (side) => {
      const { boot, unit } = await factsOf(side);
      for (const words of ['time', ''])
        expect(
          (await side.ask('systemd-analyze', words === '' ? '--no-pager' : words)).stdout.trimEnd().split('\n'),
        ).toEqual(summary(boot, unit('default.target')));
    });

    test.each(sides)('blame: $name tells how long each unit was activating, the longest first', async (side) => {
      const { units } = await factsOf(side);
      const told = (await side.ask('systemd-analyze', 'blame')).stdout;
      const rows = lines(told).map((line) => line.trim());
      expect([...rows].sort()).toEqual([...blame(units)].sort());
      const times = rows.map((row) => took(units.find(({ name }) => row.endsWith(` ${name}`)) as Stamps));
      expect(times).toEqual([...times].sort((a, b) => b - a));
      expect(rows.some((row) => row.endsWith(' pc.service'))).toBe(true);
      expect(new Set(lines(told).map((line) => line.indexOf('s ')))).toHaveProperty('size', 1);
    });

    test.each(sides)('critical-chain: $name goes on with the unit that came up last', async (side) => {
      const { units, boot } = await factsOf(side);
      for (const name of ['default.target', 'pf.service', 'pb.service']) {
        const told = lines((await side.ask('systemd-analyze', `critical-chain ${name}`)).stdout);
        expect(told.slice(0, 2)).toEqual([
          'The time when unit became active or started is printed after the "@" character.',
          'The time the unit took to start is printed after the "+" character.',
        ]);
        expect(told[2]).toMatch(new RegExp(`^${name.replace('.', '\\.')}( |$)`));
        expect(told.slice(3)).toEqual(chain(name, units, boot));
      }
    });

    test('critical-chain --fuzz: the same tree, but for who came first', async () => {
      const [theirs, ours] = await Promise.all(
        sides.map(async ({ ask }) => {
          const told = lines((await ask('systemd-analyze', 'critical-chain --fuzz=1h pa.target')).stdout);
          return new Set(
            told
              .slice(2)
              .map((line) => /[a-z-]+\.[a-z]+/.exec(line)?.[0])
              .filter((name) => name !== undefined),
          );
        }),
      );
      expect(ours).toEqual(theirs);
    });

    test('a oneshot that does not stay has never been active', async () => {
      for (const side of sides) {
        const { unit } = await factsOf(side);
        expect(unit('pf.service')).toMatchObject({ activated: 0 });
        expect(unit('pf.service').deactivated).toBeGreaterThan(unit('pf.service').activating);
      }
    });

    test.each([
      'dot p*',
      'dot --order p*',
      'dot --require p*',
      'dot --from-pattern=pa* --to-pattern=pb*',
      'dot pa.target pb.service --order',
    ])('%s: the same edges in the same colours', async (words) => {
      const [theirs, ours] = await Promise.all(sides.map(({ ask }) => ask('systemd-analyze', words)));
      expect(sorted(ours!.stdout)).toEqual(sorted(theirs!.stdout));
      expect(ours!.stderr).toBe(theirs!.stderr);
    });

    test.each(sides)(
      'plot: in the picture of $name a second is a hundred pixels, and bars begin when units do',
      async (side) => {
        const { boot, unit } = await factsOf(side);
        const svg = (await side.ask('systemd-analyze', 'plot')).stdout;
        const all = lines(svg);
        for (const name of ['pc.service', 'pe.service', 'pb.service', 'pa.target']) {
          const one = unit(name);
          const label = all.findIndex((line) => line.includes(`>${name}<`) || line.includes(`>${name} (`));
          const found = all.slice(0, label).findLast((line) => line.includes('class="activating"')) ?? '';
          const of = (attribute: string) => Number(new RegExp(` ${attribute}="([0-9.]+)"`).exec(found)?.[1]);
          expect(of('x') - side.zero).toBeCloseTo((one.activating - boot.userspace) / 10_000, 0);
          expect(of('width')).toBeCloseTo(Math.max(side.narrowest, took(one) / 10_000), 0);
          if (took(one) >= 1000) expect(svg).toContain(`>${name} (${text(took(one))})</text>`);
        }
      },
    );
  },
);
