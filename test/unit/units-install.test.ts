import { describe, expect, test } from 'vitest';
import {
  applyChanges,
  createUnitLoader,
  defaultTarget,
  type InstallRequest,
  planGenerators,
  planInstall,
  presetOf,
  readPresets,
  rootedFiles,
  sentence,
  systemPaths,
} from '../../src/units/index.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const LIB = '/usr/lib/systemd/system';
const ETC = '/etc/sysmaster/system';
const service = (install = '') => `[Service]\nExecStart=/bin/true\n[Install]\n${install}\n`;

function machine(tree: Readonly<Record<string, string>>) {
  const files = memoryFiles({ [`${LIB}/multi-user.target`]: '[Unit]\nDescription=m\n', ...tree });
  const plan = (request: InstallRequest) => planInstall({ files, facts: testFacts, paths: systemPaths() }, request);
  return {
    files,
    plan,
    do(request: InstallRequest) {
      const planned = plan(request);
      applyChanges(files, planned.changes);
      return planned;
    },
    links: () =>
      [...files.nodes]
        .flatMap(([path, node]) => ('link' in node && !path.startsWith(LIB) ? [`${path} -> ${node.link}`] : []))
        .sort(),
    state: (name: string) => createUnitLoader({ files, facts: testFacts }).load(name).unitFileState,
  };
}

describe('plans', () => {
  test('say what would be done, and do nothing', () => {
    const { plan, links } = machine({ [`${LIB}/a.service`]: service('WantedBy=multi-user.target') });
    expect(plan({ verb: 'enable', units: ['a.service'] }).changes).toEqual([
      { type: 'symlink', path: `${ETC}/multi-user.target.wants/a.service`, target: `${LIB}/a.service` },
    ]);
    expect(links()).toEqual([]);
  });

  test('enable writes into our directory, and a link that systemd made counts as enabled', () => {
    const { plan, state } = machine({
      [`${LIB}/a.service`]: service('WantedBy=multi-user.target'),
      '/etc/systemd/system/multi-user.target.wants/a.service': `-> ${LIB}/a.service`,
    });
    expect(state('a.service')).toBe('enabled');
    expect(plan({ verb: 'enable', units: ['a.service'] })).toMatchObject({ changes: [], ok: true });
  });

  test('disable takes the links away that systemd made, too', () => {
    const box = machine({
      [`${LIB}/a.service`]: service('WantedBy=multi-user.target'),
      '/etc/systemd/system/multi-user.target.wants/a.service': `-> ${LIB}/a.service`,
    });
    box.do({ verb: 'enable', units: ['a.service'] });
    box.do({ verb: 'disable', units: ['a.service'] });
    expect(box.links()).toEqual([]);
    expect(box.state('a.service')).toBe('disabled');
    expect([...box.files.nodes.keys()].filter((path) => path.endsWith('.wants'))).toEqual([]);
  });

  test('disable leaves a mask alone', () => {
    const box = machine({ [`${LIB}/a.service`]: service('WantedBy=multi-user.target') });
    box.do({ verb: 'mask', units: ['a.service'] });
    box.do({ verb: 'disable', units: ['a.service'] });
    expect(box.links()).toEqual([`${ETC}/a.service -> /dev/null`]);
  });

  test('applying twice is applying once', () => {
    const box = machine({ [`${LIB}/a.service`]: service('WantedBy=multi-user.target\nAlias=b.service') });
    const { changes } = box.plan({ verb: 'enable', units: ['a.service'] });
    applyChanges(box.files, changes);
    const once = box.links();
    applyChanges(box.files, changes);
    expect(box.links()).toEqual(once);
    const { changes: back } = box.plan({ verb: 'disable', units: ['a.service'] });
    applyChanges(box.files, back);
    applyChanges(box.files, back);
    expect(box.links()).toEqual([]);
  });

  test('UpheldBy= makes links in .upholds', () => {
    const box = machine({ [`${LIB}/a.service`]: service('UpheldBy=multi-user.target') });
    box.do({ verb: 'enable', units: ['a.service'] });
    expect(box.links()).toEqual([`${ETC}/multi-user.target.upholds/a.service -> ${LIB}/a.service`]);
    expect(box.state('a.service')).toBe('enabled');
  });

  test('units that name each other by Also= end', () => {
    const box = machine({
      [`${LIB}/a.service`]: service('WantedBy=multi-user.target\nAlso=b.service'),
      [`${LIB}/b.service`]: service('WantedBy=multi-user.target\nAlso=a.service'),
    });
    box.do({ verb: 'enable', units: ['a.service'] });
    expect(box.links()).toHaveLength(2);
  });

  test('what stands in the way is named', () => {
    const box = machine({ [`${LIB}/a.service`]: service('Alias=b.service'), [`${ETC}/b.service`]: service() });
    const plan = box.plan({ verb: 'enable', units: ['a.service'] });
    expect([plan.ok, plan.changes, plan.findings.map(sentence)]).toEqual([
      false,
      [],
      [`${ETC}/b.service: File ${ETC}/b.service already exists; move it away`],
    ]);
  });

  test('set-default changes what default.target is', () => {
    const box = machine({ [`${LIB}/graphical.target`]: '[Unit]\n', [`${LIB}/default.target`]: '-> graphical.target' });
    const current = () => defaultTarget(createUnitLoader({ files: box.files, facts: testFacts }));
    expect(current()).toBe('graphical.target');
    box.do({ verb: 'set-default', units: ['multi-user.target'] });
    expect(current()).toBe('multi-user.target');
    expect(box.plan({ verb: 'set-default', units: ['a.service'] }).ok).toBe(false);
  });

  test('revert goes back to what the vendor ships', () => {
    const box = machine({
      [`${LIB}/a.service`]: service(),
      [`${ETC}/a.service`]: service(),
      [`${ETC}/a.service.d/x.conf`]: '[Unit]\nDescription=x\n',
      [`${ETC}/b.service`]: service(),
      [`${ETC}/b.service.d/x.conf`]: '[Unit]\nDescription=x\n',
    });
    box.do({ verb: 'revert', units: ['a.service', 'b.service'] });
    expect([...box.files.nodes.keys()].filter((path) => path.startsWith(`${ETC}/`))).toEqual([`${ETC}/b.service`]);
  });
});

describe('presets', () => {
  const files = memoryFiles({
    '/etc/systemd/system-preset/50-a.preset': 'enable b*\ndisable c.service\nenable t@.service x y\n\n# z\n',
    '/usr/lib/systemd/system-preset/50-a.preset': 'disable b*\n',
    '/usr/lib/systemd/system-preset/40-off.preset': '-> /dev/null',
    '/usr/lib/systemd/system-preset/99-z.preset': 'nonsense here\nenable\ndisable c*\ndisable *\n',
  });
  const { rules, findings } = readPresets(files, ['/etc/systemd/system-preset', '/usr/lib/systemd/system-preset']);

  test.each([
    ['b.service', true, []],
    ['c.service', false, []],
    ['c.socket', false, []],
    ['t@.service', true, ['x', 'y']],
    ['t@x.service', true, []],
    ['t@z.service', false, []],
    ['other.service', false, []],
  ])('%s: the first rule that speaks of it decides', (name, enable, instances) =>
    expect(presetOf(name, rules)).toMatchObject({ enable, instances }),
  );
  test('what no rule speaks of is enabled', () =>
    expect(presetOf('a.service', [])).toEqual({ enable: true, instances: [], rule: undefined }));
  test('lines that are no rules are told', () => expect(findings.map((finding) => finding.at?.line)).toEqual([1, 2]));
});

describe('generators', () => {
  const plan = (tree: Readonly<Record<string, string>>) =>
    planGenerators({
      files: memoryFiles(tree),
      facts: { ...testFacts, virtualization: 'docker' },
      paths: systemPaths(),
    });

  test('run once by name, ours before those of systemd, with the three directories', () => {
    const { spawns } = plan({
      '/usr/lib/systemd/system-generators/b': 'x',
      '/usr/lib/systemd/system-generators/a': 'x',
      '/etc/sysmaster/system-generators/b': 'y',
    });
    expect(spawns.map((spawn) => spawn.path)).toEqual([
      '/usr/lib/systemd/system-generators/a',
      '/etc/sysmaster/system-generators/b',
    ]);
    expect(spawns[0]?.argv.slice(1)).toEqual([
      '/run/sysmaster/generator',
      '/run/sysmaster/generator.early',
      '/run/sysmaster/generator.late',
    ]);
    expect(spawns[0]?.environment).toEqual(
      expect.arrayContaining([
        'SYSTEMD_SCOPE=system',
        'SYSTEMD_IN_INITRD=0',
        'SYSTEMD_FIRST_BOOT=0',
        'SYSTEMD_ARCHITECTURE=x86-64',
        'SYSTEMD_VIRTUALIZATION=container:docker',
      ]),
    );
  });

  test('a link to /dev/null or an empty file switches one off, and that is told', () => {
    const { spawns, findings } = plan({
      '/usr/lib/systemd/system-generators/a': 'x',
      '/usr/lib/systemd/system-generators/b': 'x',
      '/etc/systemd/system-generators/a': '-> /dev/null',
      '/etc/systemd/system-generators/b': '',
    });
    expect(spawns).toEqual([]);
    expect(findings).toHaveLength(2);
  });
});

describe('a root directory', () => {
  const disk = memoryFiles({
    '/r/etc/x': 'inside',
    '/etc/x': 'outside',
    '/r/link': '-> /etc/x',
    '/r/up': '-> ../../../etc/x',
    '/r/d': '-> /etc',
    '/r/loop': '-> /loop',
    '/r/null': '-> /dev/null',
  });
  const files = rootedFiles(disk, '/r/');
  test('links lead inside, whatever they say', () =>
    expect([
      files.readText('/link'),
      files.readText('/up'),
      files.readText('/d/x'),
      files.readText('/../etc/x'),
    ]).toEqual(['inside', 'inside', 'inside', 'inside']));
  test('a loop of links is an error, not a hang', () => expect(() => files.readText('/loop')).toThrow('ELOOP'));
  test('the null device is the real one', () => expect(files.stat('/null')?.kind).toBe('char'));
  test('what is written is written inside', () => {
    files.symlink('/etc/x', '/etc/y');
    expect(disk.nodes.get('/r/etc/y')).toEqual({ link: '/etc/x' });
  });
});
