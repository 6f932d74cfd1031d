import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  applyChanges,
  createUnitLoader,
  type InstallRequest,
  planInstall,
  rootedFiles,
  systemdPaths,
  unitFileState,
} from '../../src/units/index.ts';
import { testFacts } from '../unit/units-support.ts';
import { ask, has, linksBelow, makeTree, writableDisk } from './units-oracle.ts';

const there = has('systemctl');
const UNITS = '/usr/lib/systemd/system';
const service = (install: string) =>
  `[Service]\nExecStart=/bin/true\n${install === '' ? '' : `[Install]\n${install}\n`}`;

const TREE: Readonly<Record<string, string>> = {
  [`${UNITS}/multi-user.target`]: '[Unit]\nDescription=m\n',
  [`${UNITS}/graphical.target`]: '[Unit]\nDescription=g\n',
  [`${UNITS}/rescue.target`]: '[Unit]\nDescription=r\n[Install]\nAlias=kbrequest.target\n',
  [`${UNITS}/sockets.target`]: '[Unit]\nDescription=s\n',
  [`${UNITS}/getty.target`]: '[Unit]\nDescription=y\n',
  [`${UNITS}/default.target`]: '-> graphical.target',
  [`${UNITS}/plain.service`]: service('WantedBy=multi-user.target'),
  [`${UNITS}/full.service`]: service(
    'WantedBy=multi-user.target graphical.target\nRequiredBy=rescue.target\nAlias=other.service third.service\nAlso=full.socket',
  ),
  [`${UNITS}/full.socket`]: '[Socket]\nListenStream=/run/x\n[Install]\nWantedBy=sockets.target\n',
  [`${UNITS}/also.service`]: service('Also=plain.service missing.service'),
  [`${UNITS}/static.service`]: service(''),
  [`${UNITS}/tmpl@.service`]: service('WantedBy=multi-user.target'),
  [`${UNITS}/dflt@.service`]: service('WantedBy=getty.target\nDefaultInstance=tty1'),
  [`${UNITS}/spec@.service`]: service('WantedBy=app-%i.target getty.target\nAlias=spec-%i.service'),
  [`${UNITS}/talias@.service`]: service('Alias=other-t@.service'),
  [`${UNITS}/twant@.service`]: service('WantedBy=tmpl@.service'),
  [`${UNITS}/badalias.service`]: service('Alias=x.socket\nWantedBy=multi-user.target'),
  [`${UNITS}/masked.service`]: '-> /dev/null',
  [`${UNITS}/dropin.service`]: service(''),
  [`${UNITS}/dropin.service.d/10-install.conf`]: '[Install]\nWantedBy=multi-user.target\n',
  '/etc/systemd/system/own.service': service('WantedBy=multi-user.target'),
  '/etc/systemd/system/graphical.target.wants/plain.service': `-> ${UNITS}/plain.service`,
  '/opt/linked.service': service('WantedBy=multi-user.target'),
  '/usr/lib/systemd/system-preset/50-x.preset':
    'enable plain.service\ndisable full*\nenable dflt@.service tty3 tty4\n# comment\ndisable static.*\n',
  '/usr/lib/systemd/system-preset/99-y.preset': 'disable *\n',
  '/etc/systemd/system-preset/10-z.preset': 'enable also.service\n',
};

const roots: string[] = [];
function fresh(): string {
  const root = makeTree(TREE);
  roots.push(root);
  return root;
}
afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true, force: true });
});

const PRESETS = [
  '/etc/systemd/system-preset',
  '/run/systemd/system-preset',
  '/usr/local/lib/systemd/system-preset',
  '/usr/lib/systemd/system-preset',
  '/lib/systemd/system-preset',
];

/** Do the same on two copies of a tree: systemctl on one, a plan of ours on the other. */
function both(requests: readonly InstallRequest[]): {
  readonly theirs: string[];
  readonly ours: string[];
  readonly ok: boolean;
  readonly said: string;
} {
  const theirRoot = fresh();
  const ourRoot = fresh();
  let ok = true;
  let said = '';
  for (const request of requests) {
    const flags = [
      `--root=${theirRoot}`,
      ...(request.runtime === true ? ['--runtime'] : []),
      ...(request.force === true ? ['--force'] : []),
      ...(request.presetMode === undefined ? [] : [`--preset-mode=${request.presetMode}`]),
    ];
    const answer = ask('systemctl', [
      ...flags,
      request.verb,
      ...(request.target === undefined ? [] : [request.target]),
      ...request.units,
    ]);
    said += answer.stderr;
    const plan = planInstall(
      {
        files: rootedFiles(writableDisk(), ourRoot),
        facts: testFacts,
        paths: systemdPaths(),
        presetDirectories: PRESETS,
      },
      request,
    );
    applyChanges(rootedFiles(writableDisk(), ourRoot), plan.changes);
    ok &&= plan.ok;
  }
  return { theirs: linksBelow(theirRoot), ours: linksBelow(ourRoot), ok, said };
}

const CASES: readonly (readonly [string, readonly InstallRequest[]])[] = [
  ['a plain unit is enabled', [{ verb: 'enable', units: ['own.service'] }]],
  [
    'enabling again changes nothing',
    [
      { verb: 'enable', units: ['own.service'] },
      { verb: 'enable', units: ['own.service'] },
    ],
  ],
  ['aliases, requirements and Also= are followed', [{ verb: 'enable', units: ['full.service'] }]],
  [
    'all of it is undone by disable',
    [
      { verb: 'enable', units: ['full.service'] },
      { verb: 'disable', units: ['full.service'] },
    ],
  ],
  ['a unit is disabled by another of its links', [{ verb: 'disable', units: ['plain.service'] }]],
  ['--runtime goes to /run', [{ verb: 'enable', units: ['full.service'], runtime: true }]],
  [
    '--runtime disable leaves the persistent links',
    [
      { verb: 'enable', units: ['full.service'] },
      { verb: 'enable', units: ['full.service'], runtime: true },
      { verb: 'disable', units: ['full.service'], runtime: true },
    ],
  ],
  ['a unit without [Install] is left as it is', [{ verb: 'enable', units: ['static.service'] }]],
  ['Also= alone enables the others', [{ verb: 'enable', units: ['also.service'] }]],
  ['a template without an instance is not enabled', [{ verb: 'enable', units: ['tmpl@.service'] }]],
  ['an instance is enabled', [{ verb: 'enable', units: ['tmpl@one.service', 'tmpl@two.service'] }]],
  [
    'one instance is disabled',
    [
      { verb: 'enable', units: ['tmpl@one.service', 'tmpl@two.service'] },
      { verb: 'disable', units: ['tmpl@one.service'] },
    ],
  ],
  [
    'disabling a template disables its instances',
    [
      { verb: 'enable', units: ['tmpl@one.service', 'tmpl@two.service'] },
      { verb: 'disable', units: ['tmpl@.service'] },
    ],
  ],
  ['a template is enabled as its default instance', [{ verb: 'enable', units: ['dflt@.service'] }]],
  ['an instance need not be the default one', [{ verb: 'enable', units: ['dflt@tty2.service'] }]],
  ['specifiers in [Install] are those of the instance', [{ verb: 'enable', units: ['spec@web.service'] }]],
  ['a template is an alias of a template', [{ verb: 'enable', units: ['talias@.service'] }]],
  ['an instance of it gets an instance alias', [{ verb: 'enable', units: ['talias@x.service'] }]],
  ['a template may be wanted by a template', [{ verb: 'enable', units: ['twant@.service'] }]],
  ['[Install] may stand in a drop-in', [{ verb: 'enable', units: ['dropin.service'] }]],
  ['what is not there is not enabled', [{ verb: 'enable', units: ['nope.service'] }]],
  ['what is masked is not enabled', [{ verb: 'enable', units: ['masked.service'] }]],
  [
    'reenable makes the links anew',
    [
      { verb: 'enable', units: ['full.service'] },
      { verb: 'reenable', units: ['full.service'] },
    ],
  ],
  ['reenable drops links that [Install] no longer names', [{ verb: 'reenable', units: ['plain.service'] }]],
  [
    'mask and unmask',
    [
      { verb: 'mask', units: ['plain.service', 'full.socket'] },
      { verb: 'unmask', units: ['full.socket'] },
    ],
  ],
  ['mask --runtime', [{ verb: 'mask', units: ['plain.service'], runtime: true }]],
  [
    'unmask without --runtime',
    [
      { verb: 'mask', units: ['plain.service'], runtime: true },
      { verb: 'mask', units: ['full.socket'] },
      { verb: 'unmask', units: ['plain.service', 'full.socket'] },
    ],
  ],
  ['a file is in the way of a mask', [{ verb: 'mask', units: ['own.service'] }]],
  ['a name nobody has yet can be masked', [{ verb: 'mask', units: ['future.service'] }]],
  ['link makes a file elsewhere known', [{ verb: 'link', units: ['/opt/linked.service'] }]],
  ['enable of a path links it first', [{ verb: 'enable', units: ['/opt/linked.service'] }]],
  [
    'disable takes the link of a linked unit away',
    [
      { verb: 'enable', units: ['/opt/linked.service'] },
      { verb: 'disable', units: ['linked.service'] },
    ],
  ],
  ['add-wants', [{ verb: 'add-wants', target: 'multi-user.target', units: ['static.service', 'plain.service'] }]],
  ['add-requires', [{ verb: 'add-requires', target: 'multi-user.target', units: ['static.service'] }]],
  ['set-default', [{ verb: 'set-default', units: ['multi-user.target'] }]],
  ['preset enables', [{ verb: 'preset', units: ['plain.service', 'also.service'] }]],
  [
    'preset disables',
    [
      { verb: 'enable', units: ['full.service', 'own.service'] },
      { verb: 'preset', units: ['full.service', 'own.service'] },
    ],
  ],
  ['preset enables the instances it names', [{ verb: 'preset', units: ['dflt@.service'] }]],
  [
    'preset --preset-mode=enable-only',
    [
      { verb: 'enable', units: ['full.service'] },
      { verb: 'preset', units: ['full.service', 'plain.service'], presetMode: 'enable-only' },
    ],
  ],
  [
    'preset --preset-mode=disable-only',
    [
      { verb: 'enable', units: ['full.service'] },
      { verb: 'preset', units: ['full.service', 'plain.service'], presetMode: 'disable-only' },
    ],
  ],
  [
    'preset-all',
    [
      { verb: 'enable', units: ['full.service', 'own.service'] },
      { verb: 'preset-all', units: [] },
    ],
  ],
  [
    '--force replaces a link that points elsewhere',
    [
      { verb: 'mask', units: ['third.service'] },
      { verb: 'enable', units: ['full.service'], force: true },
    ],
  ],
  [
    'without --force it stays',
    [
      { verb: 'set-default', units: ['multi-user.target'] },
      { verb: 'mask', units: ['third.service'] },
    ],
  ],
];

describe.skipIf(!there)('links against systemctl --root', () => {
  test.each(CASES)('%s', (_name, requests) => {
    const { theirs, ours } = both(requests);
    expect(ours).toEqual(theirs);
  });

  test('is-enabled gives the same word for every unit, before and after', () => {
    const names = [
      'plain.service',
      'full.service',
      'full.socket',
      'other.service',
      'also.service',
      'static.service',
      'tmpl@.service',
      'tmpl@one.service',
      'tmpl@three.service',
      'dflt@.service',
      'dflt@tty1.service',
      'spec@web.service',
      'talias@.service',
      'masked.service',
      'dropin.service',
      'own.service',
      'linked.service',
      'default.target',
      'graphical.target',
      'nope.service',
      'rescue.target',
      'kbrequest.target',
      'future.service',
    ];
    const steps: readonly InstallRequest[] = [
      { verb: 'enable', units: ['full.service', 'tmpl@one.service', 'dflt@.service', '/opt/linked.service'] },
      { verb: 'enable', units: ['own.service'], runtime: true },
      { verb: 'mask', units: ['static.service'] },
      { verb: 'mask', units: ['also.service'], runtime: true },
      { verb: 'disable', units: ['linked.service'] },
      { verb: 'link', units: ['/opt/linked.service'] },
    ];
    const root = fresh();
    const compare = () => {
      const files = rootedFiles(writableDisk(), root);
      const loader = createUnitLoader({ files, facts: testFacts, paths: systemdPaths() });
      for (const name of names) {
        const theirs = ask('systemctl', [`--root=${root}`, 'is-enabled', name]).stdout.trim();
        const ours =
          loader.catalog().find(name).entry === undefined
            ? ''
            : unitFileState(loader.catalog(), systemdPaths(), name, loader.loadTemplate(name).install);
        expect(`${name} ${ours}`).toBe(`${name} ${theirs}`);
      }
    };
    compare();
    for (const step of steps) {
      const files = rootedFiles(writableDisk(), root);
      applyChanges(files, planInstall({ files, facts: testFacts, paths: systemdPaths() }, step).changes);
      compare();
    }
  });

  test('a refusal says what, why and what to do, and leaves the tree alone', () => {
    const root = fresh();
    const files = rootedFiles(writableDisk(), root);
    const before = linksBelow(root);
    const plan = planInstall(
      { files, facts: testFacts, paths: systemdPaths() },
      { verb: 'enable', units: ['masked.service', 'nope.service', 'not a name'] },
    );
    expect(plan.ok).toBe(false);
    expect(plan.findings.map((finding) => finding.why)).toEqual([
      `Unit file ${UNITS}/masked.service is masked`,
      'Unit file nope.service does not exist',
      'not the name of a unit',
    ]);
    expect(plan.changes).toEqual([]);
    expect(linksBelow(root)).toEqual(before);
    expect(fs.existsSync(path.join(root, 'etc/systemd/system/masked.service'))).toBe(false);
  });
});
