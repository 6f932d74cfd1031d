/** Random trees and random requests: systemctl --root on one copy, our plans on the other; links and states are the same. */
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
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

/** Cases that are compared; more by INSTALL_CASES=, others by INSTALL_SEED=. */
const COUNT = Number(process.env['INSTALL_CASES'] ?? 12);
const SEED = Number(process.env['INSTALL_SEED'] ?? 1);

function random(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const some = <T>(list: readonly T[], most: number): T[] =>
    list.length === 0 ? [] : [...new Set(Array.from({ length: Math.floor(next() * (most + 1)) }, () => pick(list)))];
  return { chance: (of: number) => next() < of, pick, some };
}

const VENDOR = '/usr/lib/systemd/system';
const ETC = '/etc/systemd/system';
const RUN = '/run/systemd/system';
const UNITS = ['a.service', 'b.service', 'c.socket', 't@.service', 'd@.service', 'e.timer', 'n.target'];
const INSTANCES = ['t@one.service', 't@two.service', 'd@x.service', 'd@dflt.service'];
const TARGETS = ['multi-user.target', 'graphical.target', 'n.target'];
const ALIASES = [
  'alias1.service',
  'alias2.service',
  'alias.socket',
  'talias@.service',
  'dalias@.service',
  'alias.timer',
  'other.target',
  'alias3.service',
];
const BODIES: Readonly<Record<string, string>> = {
  service: '[Service]\nExecStart=/bin/true\n',
  socket: '[Socket]\nListenStream=/run/x\n',
  timer: '[Timer]\nOnBootSec=1\n',
  target: '[Unit]\nDescription=t\n',
};

function caseOf(number: number) {
  const { chance, pick, some } = random(number * 7919 + SEED);
  const tree: Record<string, string> = {};
  for (const target of TARGETS) tree[`${VENDOR}/${target}`] = BODIES['target'] ?? '';
  tree[`${VENDOR}/default.target`] = '-> graphical.target';
  const install = (name: string): string => {
    const lines = [
      ...some(TARGETS, 2).map((target) => `WantedBy=${target}`),
      ...some(TARGETS, 1).map((target) => `RequiredBy=${target}`),
      // One unit each: which of two gets a name is a matter of the order of the directory to systemctl.
      ...some(
        ALIASES.filter((alias) => ALIASES.indexOf(alias) === [...UNITS, 'own.service'].indexOf(name)),
        1,
      ).map((alias) => `Alias=${alias}`),
      ...some(UNITS, 1).map((unit) => `Also=${unit}`),
    ];
    if (name.includes('@') && chance(0.5)) lines.push('DefaultInstance=dflt');
    if (name.includes('@') && chance(0.3)) lines.push('WantedBy=%j.target', 'Alias=al-%i.service');
    return lines.length === 0 || chance(0.15) ? '' : `[Install]\n${lines.join('\n')}\n`;
  };
  for (const name of UNITS) {
    const body = BODIES[name.slice(name.lastIndexOf('.') + 1)] ?? '';
    if (chance(0.9)) tree[`${pick([VENDOR, VENDOR, VENDOR, ETC])}/${name}`] = body + install(name);
    if (chance(0.08)) tree[`${VENDOR}/${name}`] = '-> /dev/null';
  }
  tree['/opt/own.service'] = `${BODIES['service']}${install('own.service')}`;
  for (const name of some([...UNITS, ...INSTANCES], 3)) {
    const file = `${VENDOR}/${name.replace(/@.*\./, '@.')}`;
    tree[`${pick([ETC, RUN])}/${pick(TARGETS)}.${pick(['wants', 'requires'])}/${name}`] = `-> ${file}`;
  }
  if (chance(0.2)) tree[`${ETC}/${pick(ALIASES.slice(0, 2))}`] = `-> ${VENDOR}/a.service`;
  if (chance(0.15)) tree[`${pick([ETC, RUN])}/${pick(['a.service', 'b.service', 'e.timer'])}`] = '-> /dev/null';
  if (chance(0.2))
    tree[`${ETC}/a.service.d/x.conf`] =
      `[Install]\n${pick(['WantedBy=n.target', 'Alias=alias1.service', 'WantedBy='])}\n`;
  const rules = some([...UNITS, ...INSTANCES, '*.service', 'a*', '*'], 4).map((name) =>
    chance(0.5) ? `enable ${name}${/@\./.test(name) && chance(0.5) ? ' one two' : ''}` : `disable ${name}`,
  );
  tree['/usr/lib/systemd/system-preset/50-x.preset'] = `${rules.join('\n')}\n`;
  const requests = Array.from({ length: 1 + (number % 3) }, (): InstallRequest => {
    const verb = pick([
      'enable',
      'enable',
      'enable',
      'disable',
      'disable',
      'reenable',
      'mask',
      'unmask',
      'preset',
      'preset-all',
      'link',
      'add-wants',
      'add-requires',
      'set-default',
      'revert',
    ] as const);
    const flags = { ...(chance(0.25) ? { runtime: true } : {}), ...(chance(0.2) ? { force: true } : {}) };
    if (verb === 'preset-all')
      return {
        verb,
        units: [],
        ...flags,
        ...(chance(0.5) ? { presetMode: pick(['full', 'enable-only', 'disable-only'] as const) } : {}),
      };
    if (verb === 'link') return { verb, units: ['/opt/own.service'], ...flags };
    if (verb === 'set-default') return { verb, units: [pick(TARGETS)], ...flags };
    // systemctl 252 reads no drop-ins for reenable, and takes an instance for the default one.
    const known = verb === 'reenable' ? UNITS.slice(1) : [...UNITS, ...INSTANCES];
    const units = [pick([...known, 'own.service', 'alias1.service', 'missing.service'])];
    if (verb === 'add-wants' || verb === 'add-requires') return { verb, units, target: pick(TARGETS), ...flags };
    return { verb, units, ...flags };
  });
  return { tree, requests };
}

const PRESETS = ['/etc', '/run', '/usr/local/lib', '/usr/lib', '/lib'].map((place) => `${place}/systemd/system-preset`);

describe.skipIf(!has('systemctl'))('random trees', () => {
  test('links and states after random requests are those of systemctl --root', { timeout: 300_000 }, () => {
    const differing: unknown[] = [];
    for (let number = 0; number < COUNT && differing.length < 3; number += 1) {
      const { tree, requests } = caseOf(number);
      const [theirRoot, ourRoot] = [makeTree(tree), makeTree(tree)];
      try {
        const said: string[] = [];
        for (const request of requests) {
          const answer = ask('systemctl', [
            `--root=${theirRoot}`,
            ...(request.runtime === true ? ['--runtime'] : []),
            ...(request.force === true ? ['--force'] : []),
            ...(request.presetMode === undefined ? [] : [`--preset-mode=${request.presetMode}`]),
            request.verb,
            ...(request.target === undefined ? [] : [request.target]),
            ...request.units,
          ]);
          said.push(answer.stderr);
          const files = rootedFiles(writableDisk(), ourRoot);
          const plan = planInstall(
            { files, facts: testFacts, paths: systemdPaths(), presetDirectories: PRESETS },
            request,
          );
          said.push(...plan.findings.map(({ what, why }) => `ours: ${what}: ${why}`));
          applyChanges(files, plan.changes);
        }
        const theirs = linksBelow(theirRoot);
        const ours = linksBelow(ourRoot);
        if (theirs.join() !== ours.join()) {
          differing.push({
            number,
            requests,
            tree,
            said,
            missing: theirs.filter((link) => !ours.includes(link)),
            tooMany: ours.filter((link) => !theirs.includes(link)),
          });
          continue;
        }
        const loader = createUnitLoader({
          files: rootedFiles(writableDisk(), ourRoot),
          facts: testFacts,
          paths: systemdPaths(),
        });
        const names = [...UNITS, ...INSTANCES, ...ALIASES, 'own.service', 'default.target'];
        const states = names.map((name) => {
          const { entry, name: main } = loader.catalog().find(name);
          const install =
            entry === undefined || entry.kind === 'masked' ? undefined : loader.loadTemplate(main).install;
          return `${name} ${loader.catalog().entries.get(name) === undefined && entry === undefined ? '' : unitFileState(loader.catalog(), systemdPaths(), name, install)}`.trim();
        });
        const wanted = names.map((name) =>
          `${name} ${ask('systemctl', [`--root=${theirRoot}`, 'is-enabled', name]).stdout.trim()}`.trim(),
        );
        if (states.join() !== wanted.join())
          differing.push({
            number,
            requests,
            links: theirs,
            tree,
            states: states.flatMap((state, index) => (state === wanted[index] ? [] : [`${state} / ${wanted[index]}`])),
          });
      } finally {
        for (const root of [theirRoot, ourRoot]) fs.rmSync(root, { recursive: true, force: true });
      }
    }
    expect(differing).toEqual([]);
  });
});
