import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FilePort, HostError } from '../../src/host/ports.ts';
import { createUnitLoader, plainPaths, sentence, systemdPaths, systemPaths, type Unit } from '../../src/units/index.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const ETC = '/etc/sysmaster/system';
const LIB = '/usr/lib/systemd/system';
const RUN = '[Service]\nExecStart=/bin/true\n';

const loaderOf = (tree: Readonly<Record<string, string>>, paths = systemPaths()) =>
  createUnitLoader({ files: memoryFiles(tree), facts: testFacts, paths });
const only = (text: string, name = 'a.service'): Unit => loaderOf({ [`${LIB}/${name}`]: text }).load(name);
const edges = (unit: Unit, kind: string) =>
  unit.edges
    .filter((edge) => edge.kind === kind)
    .map((edge) => edge.to)
    .sort();
const said = (unit: Unit) => unit.findings.map(sentence);

test('of many units that are loaded in one go the rest is read ahead; of few, or one by one, nothing is', () => {
  const name = (number: number) => `many${number}.service`;
  const files = memoryFiles(Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`${LIB}/${name(at)}`, RUN])));
  const ahead: number[] = [];
  const told: FilePort = { ...files, readAhead: (paths) => void ahead.push(paths.length) };
  const loader = createUnitLoader({ files: told, facts: testFacts, paths: systemPaths() });
  const load = (from: number, to: number) => {
    for (let at = from; at < to; at += 1) loader.load(name(at));
  };
  load(0, 20);
  loader.together(() => load(20, 40));
  expect(ahead).toEqual([]);
  expect(() =>
    loader.together(() => {
      load(40, 298);
      throw new Error('enough');
    }),
  ).toThrow('enough');
  // Of the 128th, which begins it, nobody knows yet.
  expect(ahead).toEqual([300 - 40 - 127, 0]);
  loader.together(() => load(298, 300));
  expect(ahead).toHaveLength(2);
});

describe('finding a unit', () => {
  test('our directories come before those of systemd, and /etc before /run before /usr/lib', () => {
    const order = systemPaths().search;
    const at = (path: string) => order.indexOf(path);
    expect(at('/etc/sysmaster/system')).toBeLessThan(at('/run/sysmaster/system'));
    expect(at('/run/sysmaster/system')).toBeLessThan(at('/usr/lib/sysmaster/system'));
    expect(at('/usr/lib/sysmaster/system')).toBeLessThan(at('/etc/systemd/system'));
    expect(at('/etc/systemd/system')).toBeLessThan(at('/run/systemd/system'));
    expect(at('/run/sysmaster/generator')).toBeLessThan(at('/usr/lib/systemd/system'));
    expect(at('/run/sysmaster/generator.early')).toBeLessThan(at('/etc/sysmaster/system'));
    expect(at('/run/sysmaster/generator.late')).toBe(order.length - 1);
    expect(order[0]).toBe('/etc/sysmaster/system.control');
    // Each of the two families in systemd's own order; what a running systemd makes for itself is not looked at.
    const theirs = systemdPaths().search;
    expect(order.filter((path) => theirs.includes(path))).toEqual(
      theirs.filter((path) => !/\/(transient|generator)/.test(path)),
    );
    const kinds = ['control', 'transient', 'early', 'system', 'attached', 'generator', 'late'];
    const kind = (path: string) => kinds.find((each) => path.endsWith(each));
    const early = (list: readonly string[]) =>
      list
        .slice(
          0,
          list.findIndex((path) => path.startsWith('/usr/local')),
        )
        .map(kind);
    expect(early(order)).toEqual(early(theirs).filter((each) => each !== 'generator'));
  });

  test('SYSMASTER_UNIT_PATH replaces the path, and is put in front of it with a colon at its end', () => {
    expect(systemPaths({ SYSMASTER_UNIT_PATH: '/a:/b/' }).search).toEqual(['/a', '/b']);
    const longer = systemPaths({ SYSMASTER_UNIT_PATH: '/a:' }).search;
    expect(longer.slice(0, 2)).toEqual(['/a', '/etc/sysmaster/system.control']);
  });

  test('the first directory wins', () => {
    const unit = loaderOf({ [`${ETC}/a.service`]: `[Unit]\nDescription=mine\n${RUN}`, [`${LIB}/a.service`]: RUN }).load(
      'a.service',
    );
    expect([unit.fragmentPath, unit.unit.Description]).toEqual([`${ETC}/a.service`, 'mine']);
  });

  test('what no file sets is shared by units and cannot be changed, and what one sets is its own', () => {
    const { load } = loaderOf({
      [`${ETC}/a.service`]: `[Service]\nExecStart=/bin/true\nEnvironment=A=1\nSuccessExitStatus=7\nUser=me\n`,
      [`${ETC}/b.service`]: `[Service]\nExecStart=/bin/true\n`,
    });
    const [a, b] = [load('a.service').service, load('b.service').service];
    expect([b?.Environment, b?.SuccessExitStatus, b?.User]).toEqual([[], { statuses: [], signals: [] }, '']);
    expect([a?.Environment, a?.SuccessExitStatus.statuses, a?.User]).toEqual([['A=1'], [7], 'me']);
    expect(a?.ExecStop).toBe(b?.ExecStop);
    expect([b?.ExecStop, b?.SuccessExitStatus, b?.SuccessExitStatus.statuses].map(Object.isFrozen)).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('what is not there is not found, and nothing else happens', () => {
    expect(loaderOf({}).load('a.service')).toMatchObject({ loadState: 'not-found', fragmentPath: '', edges: [] });
  });

  test('a name that is none is an error, never a throw', () => {
    for (const name of [
      '',
      'a',
      'a.nonsense',
      '@.service',
      'a@.service',
      `${'x'.repeat(300)}.service`,
      'a b.service',
      '../a.service',
    ])
      expect(loaderOf({}).load(name).loadState).toBe('error');
  });

  test('a link to /dev/null and an empty file are masks', () => {
    const loader = loaderOf({
      [`${ETC}/a.service`]: '-> /dev/null',
      [`${LIB}/a.service`]: RUN,
      [`${ETC}/b.service`]: '',
      [`${LIB}/b.service`]: RUN,
    });
    expect(loader.load('a.service')).toMatchObject({
      loadState: 'masked',
      fragmentPath: `${ETC}/a.service`,
      unitFileState: 'masked',
    });
    expect(loader.load('b.service').loadState).toBe('masked');
  });

  test('a link in the path is another name of the same unit', () => {
    const loader = loaderOf({
      [`${LIB}/a.service`]: RUN,
      [`${ETC}/b.service`]: `-> ${LIB}/a.service`,
      [`${ETC}/c.service`]: '-> b.service',
    });
    const unit = loader.load('c.service');
    expect([unit.name, unit.names]).toEqual(['a.service', ['a.service', 'b.service', 'c.service']]);
    expect(loader.load('a.service')).toBe(unit);
    expect(loader.load('b.service')).toBe(unit);
  });

  test('an alias leads to the file that wins, not to the one it points to', () => {
    const loader = loaderOf({
      [`${LIB}/a.service`]: RUN,
      [`${ETC}/a.service`]: `[Unit]\nDescription=mine\n${RUN}`,
      [`${LIB}/b.service`]: '-> a.service',
    });
    expect(loader.load('b.service').unit.Description).toBe('mine');
  });

  test.each([
    ['a.socket', 'a.service', 'a .service cannot be called .socket'],
    ['a.service', 'b@.service', 'only a plain unit may have a plain name'],
    ['a@.service', 'b.service', 'only a template may have the name of a template'],
    ['a@x.service', 'b@y.service', 'the instances differ'],
    ['a.slice', 'b.slice', '.slice units have no aliases'],
  ])('%s may not be a link to %s', (alias, target, why) => {
    const loader = loaderOf({ [`${LIB}/${target}`]: RUN, [`${LIB}/${alias}`]: `-> ${target}` });
    expect(loader.catalog().findings.map((finding) => finding.why)).toEqual([why]);
    expect(loader.catalog().entries.has(alias)).toBe(false);
  });

  test('aliases that go round in a circle are told, and found to be nothing', () => {
    const loader = loaderOf({ [`${LIB}/a.service`]: '-> b.service', [`${LIB}/b.service`]: '-> a.service' });
    expect(loader.load('a.service').loadState).toBe('not-found');
    expect(loader.catalog().findings.map((finding) => finding.why)).toContain(
      'more than 7 links of links, or a circle of them',
    );
  });

  test('a place that cannot be looked at hides no other unit, and is told once', () => {
    const plain = memoryFiles({
      [`${LIB}/a.service`]: RUN,
      [`${ETC}/b.service`]: RUN,
      [`${ETC}/c.service`]: '-> /opt/round/c.service',
      [`${LIB}/c.service`]: RUN,
    });
    const broken = <K extends 'list' | 'stat' | 'lstat' | 'readlink'>(name: K) =>
      ((path: string) => {
        if (path.startsWith(`${systemPaths().transient}`) || path.startsWith('/opt/round'))
          throw new HostError('ELOOP', path);
        return plain[name](path);
      }) as FilePort[K];
    const files = {
      ...plain,
      list: broken('list'),
      stat: broken('stat'),
      lstat: broken('lstat'),
      readlink: broken('readlink'),
    };
    const loader = createUnitLoader({ files, facts: testFacts, paths: systemPaths() });
    for (const round of [1, 2]) {
      expect([round, loader.load('a.service').loadState, loader.load('b.service').loadState]).toEqual([
        round,
        'loaded',
        'loaded',
      ]);
      expect(loader.load('nowhere.service').loadState).toBe('not-found');
      loader.forget(['a.service', 'b.service', 'nowhere.service']);
    }
    const told = loader.catalog().findings.map(sentence);
    expect(told.filter((text) => text.includes(systemPaths().transient))).toEqual([
      `${systemPaths().transient}: directory: cannot be read: ELOOP; check its type and permissions`,
    ]);
    expect(told.join('\n')).toContain('/opt/round: place: cannot be read: ELOOP');
  });

  test('a link out of the path is a unit of its own, read from where it points', () => {
    const unit = loaderOf({
      '/opt/x.service': `[Unit]\nDescription=opt\n${RUN}`,
      [`${ETC}/x.service`]: '-> /opt/x.service',
    }).load('x.service');
    expect([unit.unit.Description, unit.fragmentPath, unit.unitFileState]).toEqual([
      'opt',
      `${ETC}/x.service`,
      'linked',
    ]);
  });

  test('a link to the same name elsewhere in the path is that file', () => {
    const unit = loaderOf({ [`${ETC}/a.service`]: `-> ${LIB}/a.service`, [`${LIB}/a.service`]: RUN }).load('a.service');
    expect([unit.loadState, unit.fragmentPath]).toEqual(['loaded', `${LIB}/a.service`]);
  });
});

describe('templates', () => {
  test('an instance is made from its template, with its own name', () => {
    const unit = loaderOf({
      [`${LIB}/g@.service`]: '[Unit]\nDescription=%i of %p\n[Service]\nExecStart=/bin/echo %I %n\n',
    }).load('g@a-b.service');
    expect([unit.name, unit.unit.Description, unit.service?.ExecStart[0]?.argv]).toEqual([
      'g@a-b.service',
      'a-b of g',
      ['/bin/echo', 'a/b', 'g@a-b.service'],
    ]);
  });

  test("an instance's own file comes before the template", () => {
    const loader = loaderOf({ [`${LIB}/g@.service`]: RUN, [`${LIB}/g@x.service`]: `[Unit]\nDescription=own\n${RUN}` });
    expect([loader.load('g@x.service').unit.Description, loader.load('g@y.service').unit.Description]).toEqual([
      'own',
      'g@y.service',
    ]);
  });

  test('a template that is another name of a template is so for each instance', () => {
    const unit = loaderOf({ [`${LIB}/g@.service`]: RUN, [`${LIB}/h@.service`]: '-> g@.service' }).load('h@x.service');
    expect([unit.name, unit.names]).toEqual(['g@x.service', ['g@x.service', 'h@x.service']]);
  });

  test('one instance may be another name of an instance', () => {
    const loader = loaderOf({ [`${LIB}/g@.service`]: RUN, [`${LIB}/h@x.service`]: '-> g@.service' });
    expect(loader.load('h@x.service').name).toBe('g@x.service');
    expect(loader.load('h@y.service').loadState).toBe('not-found');
  });

  test('a template as the other end of an edge gets the instance', () => {
    const loader = loaderOf({
      [`${LIB}/g@.service`]: '[Unit]\nAfter=k@.service\n[Service]\nExecStart=/bin/true\n',
      [`${LIB}/p.service`]: '[Unit]\nAfter=k@.service\n[Service]\nExecStart=/bin/true\n',
    });
    expect(edges(loader.load('g@x.service'), 'After')).toContain('k@x.service');
    expect(edges(loader.load('p.service'), 'After')).toContain('k@p.service');
  });

  test('instances lie in a slice of their template', () => {
    expect(edges(loaderOf({ [`${LIB}/my-g@.service`]: RUN }).load('my-g@x.service'), 'InSlice')).toEqual([
      'system-my\\x2dg.slice',
    ]);
  });
});

describe('drop-ins', () => {
  const text = (key: string) => `[Unit]\nDescription=${key}\nDocumentation=man:${key}(1)\n`;

  test('of name, dashes, type, template and instance are read in the order of their file names', () => {
    const unit = loaderOf({
      [`${LIB}/a-b@.service`]: RUN,
      [`${LIB}/a-b@x.service.d/50.conf`]: text('instance'),
      [`${LIB}/a-b@.service.d/40.conf`]: text('template'),
      [`${LIB}/a-@.service.d/30.conf`]: text('dash'),
      [`${LIB}/service.d/60.conf`]: text('type'),
    }).load('a-b@x.service');
    expect(unit.unit.Documentation).toEqual(['man:dash(1)', 'man:template(1)', 'man:instance(1)', 'man:type(1)']);
    expect(unit.dropInPaths.map((path) => path.slice(LIB.length + 1))).toEqual([
      'a-@.service.d/30.conf',
      'a-b@.service.d/40.conf',
      'a-b@x.service.d/50.conf',
      'service.d/60.conf',
    ]);
  });

  test('of an instance: its own, its template, plain prefixes, then prefixes with the instance', () => {
    const order = ['a-b-c@x', 'a-b-c@', 'a-b-', 'a-', 'a-b-@x', 'a-b-@', 'a-@x', 'a-@'];
    for (const [index, name] of order.entries()) {
      const files = Object.fromEntries(
        order.slice(index).map((each) => [`${LIB}/${each}.service.d/1.conf`, text(each)]),
      );
      const unit = loaderOf({ [`${LIB}/a-b-c@.service`]: RUN, ...files }).load('a-b-c@x.service');
      expect(unit.unit.Description).toBe(name);
    }
  });

  test('the more important of two with one name hides the other', () => {
    const unit = loaderOf({
      [`${LIB}/a-b.service`]: RUN,
      [`${LIB}/a-b.service.d/x.conf`]: text('own'),
      [`${LIB}/a-.service.d/x.conf`]: text('dash'),
      [`${LIB}/service.d/x.conf`]: text('type'),
      [`${LIB}/a-b.service.d/y.conf`]: text('vendor'),
      [`${ETC}/a-b.service.d/y.conf`]: text('admin'),
      [`${LIB}/a-b.service.d/z.conf`]: text('hidden'),
      [`${ETC}/a-b.service.d/z.conf`]: '-> /dev/null',
    }).load('a-b.service');
    expect(unit.unit.Documentation).toEqual(['man:own(1)', 'man:admin(1)']);
  });

  test('of all names count', () => {
    const unit = loaderOf({
      [`${LIB}/a.service`]: RUN,
      [`${LIB}/b.service`]: '-> a.service',
      [`${LIB}/b.service.d/x.conf`]: text('alias'),
    }).load('a.service');
    expect(unit.unit.Description).toBe('alias');
  });

  test('an empty assignment in one resets a list, and a scalar is replaced', () => {
    const unit = loaderOf({
      [`${LIB}/a.service`]: '[Service]\nExecStart=/bin/a\nEnvironment=A=1\nRestart=always\n',
      [`${ETC}/a.service.d/x.conf`]: '[Service]\nExecStart=\nExecStart=/bin/b\nEnvironment=B=2\nRestart=no\n',
    }).load('a.service');
    expect([unit.service?.ExecStart.map((one) => one.path), unit.service?.Environment, unit.service?.Restart]).toEqual([
      ['/bin/b'],
      ['A=1', 'B=2'],
      'no',
    ]);
  });

  test('do not make a unit that has no file of its own', () => {
    expect(loaderOf({ [`${ETC}/a.service.d/x.conf`]: RUN }).load('a.service').loadState).toBe('not-found');
  });

  test('a unit split into drop-ins at any line loads the same', () => {
    const lines = [
      'Type=oneshot',
      'ExecStart=/bin/a',
      'ExecStart=',
      'ExecStart=/bin/b x',
      'Environment=A=1',
      'Environment=',
      'Environment=B=2',
      'RemainAfterExit=yes',
      'LimitNOFILE=5:6',
      'User=web',
      'TimeoutStartSec=3min',
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(lines), fc.nat(lines.length), (chosen, at) => {
        const whole = only(`[Service]\n${chosen.join('\n')}\n`);
        const split = loaderOf({
          [`${LIB}/a.service`]: `[Service]\n${chosen.slice(0, at).join('\n')}\n`,
          [`${LIB}/a.service.d/x.conf`]: `[Service]\n${chosen.slice(at).join('\n')}\n`,
        }).load('a.service');
        expect([split.service, split.loadState, split.edges]).toEqual([whole.service, whole.loadState, whole.edges]);
      }),
    );
  });
});

describe('dependency links', () => {
  test('of .wants, .requires and .upholds in all directories are edges that know their link', () => {
    const unit = loaderOf({
      [`${LIB}/t.target`]: '[Unit]\nDescription=x\n',
      [`${ETC}/t.target.wants/a.service`]: `-> ${LIB}/a.service`,
      '/etc/systemd/system/t.target.wants/b.service': `-> ${LIB}/b.service`,
      [`${LIB}/t.target.requires/c.service`]: '-> ../c.service',
      [`${LIB}/t.target.upholds/d.service`]: '-> ../d.service',
    }).load('t.target');
    expect([edges(unit, 'Wants'), edges(unit, 'Requires'), edges(unit, 'Upholds')]).toEqual([
      ['a.service', 'b.service'],
      ['c.service'],
      ['d.service'],
    ]);
    expect(unit.edges.find((edge) => edge.to === 'a.service')?.origin).toEqual({
      link: `${ETC}/t.target.wants/a.service`,
    });
  });

  test('a link to the mask of a unit switches one off as well', () => {
    const loader = loaderOf({
      [`${LIB}/t.target`]: '[Unit]\n',
      [`${ETC}/m.service`]: '-> /dev/null',
      [`${ETC}/t.target.requires/m.service`]: '-> ../m.service',
    });
    expect(edges(loader.load('t.target'), 'Requires')).toEqual([]);
  });

  test('a link to /dev/null switches one off', () => {
    const unit = loaderOf({
      [`${LIB}/t.target`]: '[Unit]\n',
      [`${ETC}/t.target.wants/a.service`]: '-> /dev/null',
      [`${LIB}/t.target.wants/a.service`]: '-> ../a.service',
    }).load('t.target');
    expect(edges(unit, 'Wants')).toEqual([]);
  });

  test('what is not named like a unit is told', () => {
    const unit = loaderOf({
      [`${LIB}/t.target`]: '[Unit]\n',
      [`${LIB}/t.target.wants/nonsense`]: '-> ../a.service',
    }).load('t.target');
    expect(said(unit)).toEqual([
      `${LIB}/t.target.wants/nonsense: dependency link: not named like a unit; remove it or name it like the unit it means`,
    ]);
  });
});

describe('findings', () => {
  test('say where, what, why and what to do, for every fault of the file', () => {
    const unit = only(
      '[Service]\nExecStart=/bin/true\nRestart=sometimes\nTimeoutStartSec=5 parsecs\nExecStrat=/bin/x\nConditionPathExists=/x\n[Servce]\nA=b\n',
    );
    expect(said(unit)).toEqual([
      `${LIB}/a.service:7:1: [Servce]: not a section, it is left out; did you mean [Service]?`,
      `${LIB}/a.service:3:1: Restart=sometimes: not a restart policy; use no, on-success, on-failure, on-abnormal, on-watchdog, on-abort or always`,
      `${LIB}/a.service:4:1: TimeoutStartSec=5 parsecs: not a time span; use for example 90, 1min 30s, 500ms or infinity`,
      `${LIB}/a.service:5:1: ExecStrat=/bin/x: not a setting of [Service], it is left out; did you mean ExecStart=?`,
      `${LIB}/a.service:6:1: ConditionPathExists=/x: not a setting of [Service], it is left out; move it to [Unit]`,
    ]);
    expect(unit.loadState).toBe('loaded');
  });

  test('what is wrong behind the place where a file is given up is told as well', () => {
    const loader = loaderOf({
      [`${LIB}/a.service`]: '[Unit]\nFoo=1\n[Service\nExecStart=/bin/true\nRestart=sometimes\n[Install]\nBar=1\n',
      [`${LIB}/b.service`]: RUN,
      [`${LIB}/b.service.d/x.conf`]: '[Unit]\nDescription=one\n[Unit\nDescription=two\nFoo=1\n',
    });
    const a = loader.load('a.service');
    expect(a.loadState).toBe('error');
    expect(a.findings.map(({ at }) => at?.line).sort()).toEqual([2, 3, 5, 7]);
    const b = loader.load('b.service');
    expect(b).toMatchObject({ loadState: 'loaded', unit: { Description: 'one' } });
    expect(b.findings.map(({ at }) => at?.line).sort()).toEqual([3, 5]);
  });

  test('a key that is known but not honoured is told once, with its place', () => {
    const unit = only('[Service]\nExecStart=/bin/true\nProtectSystem=full\nProtectSystem=strict\nPrivateTmp=yes\n');
    expect(said(unit)).toEqual([
      `${LIB}/a.service:3:1: ProtectSystem=full: known but not honoured yet; the unit runs without it`,
      `${LIB}/a.service:5:1: PrivateTmp=yes: known but not honoured yet; the unit runs without it`,
    ]);
  });

  test('a word in the middle of a value has its own column', () => {
    expect(said(only('[Service]\nExecStart=/bin/true\nEnvironment=A=1 9B=2 C=3\n'))).toEqual([
      `${LIB}/a.service:3:17: Environment=A=1 9B=2 C=3: 9B=2: not NAME=value; quote the whole assignment if the value has spaces`,
    ]);
  });

  test('keys and sections for others are not spoken of', () => {
    expect(said(only('[X-Mine]\nA=b\n[Service]\nX-Foo=1\nExecStart=/bin/true\n'))).toEqual([]);
  });

  test('a fault in a drop-in is told with the drop-in', () => {
    const unit = loaderOf({ [`${LIB}/a.service`]: RUN, [`${ETC}/a.service.d/x.conf`]: '[Service]\nNice=99\n' }).load(
      'a.service',
    );
    expect(said(unit)).toEqual([
      `${ETC}/a.service.d/x.conf:2:1: Nice=99: not a nice level from -20 to 19; use a number in that range`,
    ]);
  });

  test('an old name is told with the new one, and counts', () => {
    const unit = only('[Unit]\nStartLimitInterval=5\n[Service]\nExecStart=/bin/true\n');
    expect(unit.unit.StartLimitIntervalSec).toBe(5000);
    expect(said(unit)).toEqual([
      `${LIB}/a.service:2:1: StartLimitInterval=5: an old name; write StartLimitIntervalSec=`,
    ]);
  });

  test('a unit that systemd refuses is bad-setting, with the line that makes it so', () => {
    const unit = only('[Service]\nType=oneshot\nExecStart=/bin/true\nRestart=always\n');
    expect(unit.loadState).toBe('bad-setting');
    expect(said(unit)).toEqual([
      `${LIB}/a.service:4:1: Restart=always: a Type=oneshot service would run for ever; use no, on-failure, on-abnormal, on-watchdog or on-abort`,
    ]);
  });
});

describe('settings', () => {
  test('have the defaults of the manual pages', () => {
    const unit = only(RUN);
    expect(unit.service).toMatchObject({
      Type: 'simple',
      Restart: 'no',
      RestartSec: 100,
      TimeoutStartSec: 90_000,
      TimeoutStopSec: 90_000,
      KillMode: 'control-group',
      KillSignal: 15,
      UMask: 0o022,
      NotifyAccess: 'none',
    });
    expect(unit.unit).toMatchObject({
      DefaultDependencies: true,
      StartLimitIntervalSec: 10_000,
      StartLimitBurst: 5,
      OnFailureJobMode: 'replace',
      OnSuccessJobMode: 'fail',
      JobTimeoutSec: 'infinity',
      Description: 'a.service',
    });
  });

  test.each([
    ['Type=oneshot', { Type: 'oneshot', TimeoutStartSec: 'infinity' }],
    ['Type=oneshot\nTimeoutStartSec=5', { TimeoutStartSec: 5000 }],
    ['BusName=org.example.X', { Type: 'dbus', BusName: 'org.example.X' }],
    ['Type=notify', { NotifyAccess: 'main' }],
    ['WatchdogSec=5', { WatchdogSec: 5000, NotifyAccess: 'main' }],
    ['TimeoutSec=7', { TimeoutStartSec: 7000, TimeoutStopSec: 7000, TimeoutAbortSec: 7000 }],
    ['TimeoutSec=0', { TimeoutStartSec: 'infinity' }],
    ['PIDFile=a.pid', { PIDFile: '/run/a.pid' }],
    ['PIDFile=/var/run/a.pid', { PIDFile: '/run/a.pid' }],
    ['Delegate=yes', { Delegate: true, OOMPolicy: 'continue' }],
    ['SuccessExitStatus=1 SIGKILL TEMPFAIL', { SuccessExitStatus: { statuses: [1, 75], signals: [9] } }],
    ['EnvironmentFile=-/etc/default/%p', { EnvironmentFile: [{ path: '/etc/default/a', optional: true }] }],
    ['WorkingDirectory=-/srv/x', { WorkingDirectory: '/srv/x', WorkingDirectoryOptional: true }],
    ['CapabilityBoundingSet=CAP_CHOWN CAP_KILL', { CapabilityBoundingSet: ['CAP_CHOWN', 'CAP_KILL'] }],
    [
      'CapabilityBoundingSet=CAP_CHOWN\nCapabilityBoundingSet=CAP_KILL',
      { CapabilityBoundingSet: ['CAP_CHOWN', 'CAP_KILL'] },
    ],
    ['CapabilityBoundingSet=', { CapabilityBoundingSet: [] }],
    ['AmbientCapabilities=CAP_NET_BIND_SERVICE', { AmbientCapabilities: ['CAP_NET_BIND_SERVICE'] }],
    [
      'LimitNOFILE=1024:infinity\nLimitCORE=1G',
      { Limits: { NOFILE: { soft: 1024, hard: null }, CORE: { soft: 2 ** 30, hard: 2 ** 30 } } },
    ],
    [
      'MemoryMax=1G\nTasksMax=10\nCPUQuota=20%\nCPUWeight=50',
      {
        CgroupAttributes: [
          ['memory.max', '1073741824'],
          ['pids.max', '10'],
          ['cpu.max', '20000 100000'],
          ['cpu.weight', '50'],
        ],
      },
    ],
    ['CPUQuotaPeriodSec=10ms\nCPUQuota=200%', { CgroupAttributes: [['cpu.max', '20000 10000']] }],
    ['MemoryMax=1G\nMemoryMax=infinity', { CgroupAttributes: [['memory.max', 'max']] }],
    ['StandardOutput=append:/var/log/%p.log', { StandardOutput: 'append:/var/log/a.log' }],
    ['StandardInput=tty', { StandardInput: 'tty', StandardOutput: 'inherit', StandardError: 'inherit' }],
    ['StandardInput=null', { StandardOutput: 'journal' }],
    ['StandardOutput=syslog', { StandardOutput: 'journal' }],
    ['RuntimeDirectory=a b/c:d', { RuntimeDirectory: ['a', 'b/c:d'] }],
  ])('%s', (lines, settings) =>
    expect(only(`[Service]\n${lines}\nExecStart=/bin/true\n`).service).toMatchObject(settings),
  );

  test('a share of memory is a share of the memory of this machine', () => {
    const unit = loaderOf({
      [`${LIB}/a.service`]: '[Service]\nExecStart=/bin/true\nMemoryMax=50%\nTasksMax=10%\n',
      '/proc/meminfo': 'MemTotal:        1000 kB\n',
      '/proc/sys/kernel/pid_max': '32768\n',
      '/proc/sys/kernel/threads-max': '1000\n',
    }).load('a.service');
    expect(unit.service?.CgroupAttributes).toEqual([
      ['memory.max', '512000'],
      ['pids.max', '100'],
    ]);
  });

  test('of a socket are read in full', () => {
    const unit = only(
      '[Socket]\nListenStream=/run/a.sock\nListenDatagram=127.0.0.1:53\nListenFIFO=/run/f\nSocketMode=0600\nPassCredentials=yes\nReceiveBuffer=8M\nKeepAliveTimeSec=1min\nBacklog=7\n',
      'a.socket',
    );
    expect(unit.socket).toMatchObject({
      Listen: [
        { kind: 'stream', address: '/run/a.sock' },
        { kind: 'datagram', address: '127.0.0.1:53' },
        { kind: 'fifo', address: '/run/f' },
      ],
      SocketMode: 0o600,
      options: { PassCredentials: true, ReceiveBuffer: 8 * 1024 * 1024, KeepAliveTimeSec: 60 },
      Backlog: 7,
      TriggerLimitBurst: 20,
      FileDescriptorName: 'a.socket',
    });
  });

  test('conditions keep their marks, in order, and an empty one drops all before it', () => {
    const unit = only(
      '[Unit]\nConditionPathExists=/x\nConditionPathExists=\nConditionPathExists=|!/a/%p\nAssertHost=box\n[Service]\nExecStart=/bin/true\n',
    );
    expect(unit.conditions).toMatchObject([
      { kind: 'PathExists', assert: false, negate: true, trigger: true, argument: '/a/a' },
      { kind: 'Host', assert: true, negate: false, trigger: false, argument: 'box' },
    ]);
  });

  test('are kept as written too', () => {
    expect(only('[Service]\nExecStart=/bin/echo %n\nExecStart=\nExecStart=/bin/true\n').raw['ExecStart']).toMatchObject(
      [
        { section: 'Service', value: '/bin/echo %n', at: { line: 2, column: 1 } },
        { value: '' },
        { value: '/bin/true' },
      ],
    );
  });
});

describe('specifiers', () => {
  test.each([
    ['%n', 'my-app@a-b\\x20c.service'],
    ['%N', 'my-app@a-b\\x20c'],
    ['%p', 'my-app'],
    ['%P', 'my/app'],
    ['%i', 'a-b\\x20c'],
    ['%I', 'a/b c'],
    ['%f', '/a/b c'],
    ['%j', 'app'],
    ['%J', 'app'],
    ['%H', 'box.example.org'],
    ['%l', 'box'],
    ['%q', 'box'],
    ['%v', '6.1.0-18-amd64'],
    ['%m', testFacts.machineId],
    ['%b', '0123456789abcdef0123456789abcdef'],
    ['%a', 'x86-64'],
    ['%o', 'debian'],
    ['%w', '12'],
    ['%W', ''],
    ['%t', '/run'],
    ['%S', '/var/lib'],
    ['%C', '/var/cache'],
    ['%L', '/var/log'],
    ['%E', '/etc'],
    ['%T', '/tmp'],
    ['%V', '/var/tmp'],
    ['%h', '/root'],
    ['%u %U %g %G', 'root 0 root 0'],
    ['%s', '/bin/sh'],
    ['%d', '/run/credentials/my-app@a-b\\x20c.service'],
    ['%y', `${LIB}/my-app@.service`],
    ['%Y', LIB],
    ['100%% %- %', '100% %- %'],
  ])('%s is %s', (text, value) => {
    const unit = loaderOf({ [`${LIB}/my-app@.service`]: `[Unit]\nDescription=x${text}\n${RUN}` }).load(
      'my-app@a-b\\x20c.service',
    );
    expect(unit.unit.Description).toBe(`x${value}`);
  });

  test('one that is unknown costs the assignment, and in a command the unit', () => {
    expect(only(`[Unit]\nDescription=%Z\n${RUN}`)).toMatchObject({
      loadState: 'loaded',
      unit: { Description: 'a.service' },
    });
    expect(only('[Service]\nExecStart=/bin/echo %Z\n').loadState).toBe('bad-setting');
  });
});

describe('implied edges', () => {
  const triples = (unit: Unit) => unit.edges.map((edge) => `${edge.kind} ${edge.to}`).sort();

  test('of a service', () => {
    expect(triples(only(RUN))).toEqual([
      'After basic.target',
      'After sysinit.target',
      'After system.slice',
      'After systemd-journald.socket',
      'Before shutdown.target',
      'Conflicts shutdown.target',
      'InSlice system.slice',
      'Requires sysinit.target',
      'Requires system.slice',
    ]);
  });

  test('of a service without default dependencies', () => {
    expect(triples(only(`[Unit]\nDefaultDependencies=no\n${RUN}`))).toEqual([
      'After system.slice',
      'After systemd-journald.socket',
      'InSlice system.slice',
      'Requires system.slice',
    ]);
  });

  test('of a socket', () => {
    expect(triples(only('[Socket]\nListenStream=80\n', 'a.socket'))).toEqual([
      'After sysinit.target',
      'After system.slice',
      'Before a.service',
      'Before shutdown.target',
      'Before sockets.target',
      'Conflicts shutdown.target',
      'InSlice system.slice',
      'Requires sysinit.target',
      'Requires system.slice',
      'Triggers a.service',
    ]);
  });

  test('a socket that accepts triggers no service of its own', () => {
    expect(edges(only('[Socket]\nListenStream=80\nAccept=yes\n', 'a.socket'), 'Triggers')).toEqual([]);
  });

  test('of a slice, by its name', () => {
    expect(triples(loaderOf({}).load('a-b.slice'))).toEqual([
      'After a.slice',
      'Before shutdown.target',
      'Conflicts shutdown.target',
      'InSlice a.slice',
      'Requires a.slice',
    ]);
    expect(triples(loaderOf({}).load('-.slice'))).toEqual([]);
  });

  test('of a target, a timer, a path', () => {
    expect(triples(only('[Unit]\n', 'a.target'))).toEqual(['Before shutdown.target', 'Conflicts shutdown.target']);
    expect(triples(only('[Timer]\nOnCalendar=daily\n', 'a.timer'))).toEqual([
      'After sysinit.target',
      'After time-set.target',
      'After time-sync.target',
      'Before a.service',
      'Before shutdown.target',
      'Before timers.target',
      'Conflicts shutdown.target',
      'Requires sysinit.target',
      'Triggers a.service',
    ]);
    expect(triples(only('[Path]\nPathExists=/x\nUnit=b.target\n', 'a.path'))).toContain('Triggers b.target');
  });

  test('of paths that must be mounted lead to the mount units that there are', () => {
    const unit = loaderOf({
      [`${LIB}/a.service`]: '[Unit]\nRequiresMountsFor=/srv/www\n[Service]\nExecStart=/bin/true\nStateDirectory=x\n',
      [`${LIB}/srv.mount`]: '[Mount]\nWhat=/dev/sda1\nWhere=/srv\n',
      [`${LIB}/var-lib.mount`]: '[Mount]\nWhat=/dev/sda2\nWhere=/var/lib\n',
    }).load('a.service');
    expect(edges(unit, 'Requires')).toEqual(['srv.mount', 'sysinit.target', 'system.slice', 'var-lib.mount']);
    expect(edges(unit, 'After')).toEqual(expect.arrayContaining(['-.mount', 'srv.mount', 'var-lib.mount']));
    expect(unit.edges.find((edge) => edge.kind === 'Requires' && edge.to === 'srv.mount')?.origin).toEqual({
      file: `${LIB}/a.service`,
      line: 2,
    });
    expect(unit.unit.RequiresMountsFor).toEqual(['/srv/www', '/var/lib/x']);
  });

  test('an edge to the unit itself is dropped and told', () => {
    const unit = only(`[Unit]\nAfter=a.service b.service\n${RUN}`);
    expect(edges(unit, 'After')).not.toContain('a.service');
    expect(said(unit)).toEqual([
      `${LIB}/a.service:2:1: After a.service: a unit cannot depend on itself, the edge is dropped; remove it`,
    ]);
  });
});

describe('robustness', () => {
  test('no text makes loading throw', () => {
    const line = fc.oneof(
      fc.constantFrom(
        '[Unit]',
        '[Service]',
        '[Install]',
        '[Socket]',
        'Type=oneshot',
        'ExecStart=/bin/true',
        'ExecStart=',
        'Wants=a@.service %i',
        'LimitNOFILE=1:2',
        'Sockets=x.socket',
        'Slice=-.slice',
        'Delegate=cpu',
        'MemoryMax=5%',
        'Environment="A=%n" B',
        'ConditionPathExists=|!',
        'Alias=%p.service',
      ),
      fc
        .tuple(
          fc.constantFrom(
            'ExecStart',
            'Environment',
            'After',
            'RestartSec',
            'User',
            'CPUAffinity',
            'StandardOutput',
            'WorkingDirectory',
            'SuccessExitStatus',
            'CapabilityBoundingSet',
            'CPUQuota',
          ),
          fc.string({ unit: 'grapheme', maxLength: 20 }),
        )
        .map(([key, value]) => `${key}=${value}`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        const unit = only(lines.join('\n'));
        return ['loaded', 'bad-setting', 'masked', 'error'].includes(unit.loadState) && JSON.stringify(unit).length > 0;
      }),
      { numRuns: 1000 },
    );
  });

  test('a file with bytes that are no text loads, with the line left out', () => {
    const files = memoryFiles({
      [`${LIB}/a.service`]: new Uint8Array([
        ...new TextEncoder().encode('[Service]\nExecStart=/bin/true\nUser=x'),
        0xff,
        0x0a,
      ]),
    });
    const unit = createUnitLoader({ files, facts: testFacts, paths: plainPaths([LIB]) }).load('a.service');
    expect([unit.loadState, unit.service?.User]).toEqual(['loaded', '']);
    expect(said(unit)[0]).toContain(`${LIB}/a.service:3:7: line=User=x`);
  });

  test('units are plain JSON', () => {
    const unit = loaderOf({ [`${LIB}/a.service`]: RUN }).load('a.service');
    expect(JSON.parse(JSON.stringify(unit)).edges).toEqual(unit.edges);
  });

  test('refresh reads anew', () => {
    const files = memoryFiles({ [`${LIB}/a.service`]: RUN });
    const loader = createUnitLoader({ files, facts: testFacts });
    expect(loader.load('a.service').unit.Description).toBe('a.service');
    files.writeText(`${LIB}/a.service`, `[Unit]\nDescription=new\n${RUN}`, 0o644);
    expect(loader.load('a.service').unit.Description).toBe('a.service');
    loader.refresh();
    expect(loader.load('a.service').unit.Description).toBe('new');
  });
});

describe('names that every object knows', () => {
  test('are keys and sections like others: told, left out, and harmless', () => {
    const odd = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const text = [
      ...odd.map((name) => `[${name}]\na=b\n`),
      `[Unit]\n${odd.map((name) => `${name}=1\n${name}=2\n`).join('')}`,
      `[Service]\n${odd.map((name) => `${name}=1\n`).join('')}ExecStart=/bin/true\nRestrictAddressFamilies=constructor\n`,
    ].join('');
    const loader = createUnitLoader({
      files: memoryFiles({ '/u/a.service': text }),
      facts: testFacts,
      paths: plainPaths(['/u']),
    });
    const unit = loader.load('a.service');
    expect(unit.loadState).toBe('loaded');
    for (const name of odd) {
      expect(unit.findings.map(({ what }) => what)).toEqual(
        expect.arrayContaining([`[${name}]`, expect.stringMatching(`^${name}=`)]),
      );
    }
    expect(Object.getPrototypeOf(unit.raw)).toBe(Object.prototype);
    expect(JSON.parse(JSON.stringify(unit.raw)).ExecStart).toHaveLength(1);
  });
});
