/** sctl against the whole protocol, without a socket: what it prints, what it asks for, how it ends. */
import { describe, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands/index.ts';
import { commands as snapshots } from '../../src/cli/commands/snapshot/index.ts';
import { fakeState } from './support/fake-units.ts';
import { type Sctl, sctl } from './support/sctl.ts';

const lines = (text: string): string[] => text.split('\n');
const change = ({ manager }: Sctl): unknown => manager.changes.at(-1)?.change;

describe('exit statuses are those of systemctl', () => {
  test.each([
    ['is-active web', 'active\n', 0],
    ['is-active idle', 'inactive\n', 3],
    ['is-active crash', 'failed\n', 3],
    ['is-active nowhere', 'inactive\n', 3],
    ['is-active idle web', 'inactive\nactive\n', 0],
    ['-q is-active web', '', 0],
    ['is-active --quiet idle', '', 3],
    ['is-active w*', 'active\nactive\n', 0],
    ['is-failed crash', 'failed\n', 0],
    ['is-failed web', 'active\n', 1],
    ['is-enabled web', 'enabled\n', 0],
    ['is-enabled idle', 'disabled\n', 1],
    ['is-enabled basic.target', 'static\n', 0],
    ['is-enabled gone', 'masked\n', 1],
    ['is-system-running', 'degraded\n', 1],
    ['get-default', 'multi-user.target\n', 0],
  ])('%s prints %j and ends with %i', async (words, out, status) => {
    const { run, client } = sctl();
    expect(await run(words)).toEqual({ out, err: '', status });
    expect(client.faults).toEqual([]);
  });

  test.each([
    ['status web', 0],
    ['status idle', 3],
    ['status crash', 3],
    ['status nowhere', 4],
    ['status web nowhere', 4],
    ['start web', 0],
    ['start nowhere', 5],
    ['stop nowhere', 5],
    ['start gone', 1],
    ['start crash', 1],
    ['start nowhere crash', 1],
    ['list-units', 0],
    ['list-unit-files nowhere', 1],
    ['cat web', 0],
    ['cat nowhere', 1],
    ['show nowhere', 0],
    ['cancel 12', 0],
    ['cancel twelve', 1],
    ['cancel 999', 1],
    ['plan start web', 0],
    ['plan start', 1],
    ['start --dry-run web', 0],
    ['kill -s SIGNOT web', 1],
    ['exit 300', 1],
    ['unheard-of', 1],
    ['start', 1],
    ['start --job-mode=help', 0],
    ['start --job-mode=fail', 1],
    ['start --unheard-of web', 1],
    ['machine nowhere', 1],
    ['--help', 0],
    ['help start', 0],
    ['start --help', 0],
    ['--version', 0],
  ])('%s ends with %i', async (words, status) => {
    expect((await sctl().run(words)).status).toBe(status);
  });
});

describe('error sentences', () => {
  test.each([
    ['start nowhere', 'Failed to start nowhere.service: Unit nowhere.service not found.\n'],
    [
      'start gone',
      'Failed to start gone.service: Unit gone.service is masked.\nUnmask it first: sctl unmask gone.service.\n',
    ],
    [
      'start crash',
      'Job for crash.service failed because the control process exited with error code.\n  process 77 of ExecStart= (/bin/crash) exited with status=1/FAILURE\nSee "sctl status crash.service" and "sctl logs -u crash.service" for details.\n',
    ],
    ['is-enabled nowhere', 'Failed to get unit file state for nowhere.service: No such file or directory\n'],
    ['cat nowhere', 'No files found for nowhere.service.\n'],
    ['status nowhere', 'Unit nowhere.service could not be found.\n'],
    ['cancel 999', 'Failed to cancel job 999: Job 999 does not exist.\n'],
    ['unheard-of', 'Unknown command verb unheard-of.\n'],
    ['start', 'Too few arguments.\n'],
    ['kill -s SIGNOT web', 'Failed to parse signal string "SIGNOT".\n'],
    ['exit 300', 'Invalid exit code "300": use 0 to 255.\n'],
    ['list-units --output=xml', /text, json, json-pretty/],
    [
      'is-active no/where',
      'Invalid unit name "no/where" escaped as "no-where.service" (maybe you should use sctl escape?).\n',
    ],
    ['-q is-active no/where', ''],
    ['is-active /no/where', ''],
    ['start nowhere*', /No units in memory match nowhere\*/],
  ])('%s says why', async (words, err) => {
    const answer = await sctl().run(words);
    if (typeof err === 'string') expect(answer.err).toBe(err);
    else expect(answer.err).toMatch(err);
  });

  test('the help of a word in a family names the family', async () => {
    expect((await sctl().run('analyze plot --help')).out).toMatch(/^Usage: sctl analyze plot /);
  });

  test('older words for verbs can be planned as they can be done', async () => {
    for (const word of ['condrestart', 'force-reload']) {
      const world = sctl();
      expect((await world.run(`plan ${word} web`)).status).toBe(0);
      expect(change(world)).toMatchObject({
        request: { verb: word === 'condrestart' ? 'try-restart' : 'reload-or-restart' },
      });
    }
  });

  test('a stranger is told who may, and the exit status is that of a lack of permission', async () => {
    const { run, manager } = sctl(1000);
    const answer = await run('stop web');
    expect(answer.err).toContain('uid 1000 may not call io.sysmaster.Jobs.Request');
    expect(answer.status).toBe(4);
    expect(manager.changes).toEqual([]);
  });

  test('stopping a unit that its socket can bring back warns of it', async () => {
    expect((await sctl().run('stop web')).err).toBe(
      'Warning: Stopping web.service, but it can still be activated by:\n  web.socket\n',
    );
  });
});

describe('what is asked of core', () => {
  test.each([
    [
      'start web',
      { what: 'request', requests: [{ verb: 'start', units: ['web.service'], mode: 'replace' }], until: 'done' },
    ],
    [
      '--no-block start web idle',
      { until: 'enqueued', requests: [{ units: ['web.service'] }, { units: ['idle.service'] }] },
    ],
    ['restart --job-mode=fail web', { requests: [{ verb: 'restart', mode: 'fail' }] }],
    ['condrestart web', { requests: [{ verb: 'try-restart' }] }],
    ['force-reload web', { requests: [{ verb: 'reload-or-restart' }] }],
    ['isolate basic', { requests: [{ verb: 'start', units: ['basic.target'], mode: 'isolate' }] }],
    ['default', { requests: [{ units: ['multi-user.target'], mode: 'isolate' }] }],
    ['kill -s HUP --kill-whom=main web', { what: 'kill', unit: 'web.service', whom: 'main', signal: 1 }],
    ['kill --signal=sigusr1 web', { signal: 10, whom: 'all' }],
    ['kill -s 9 web', { signal: 9 }],
    ['reset-failed', { what: 'reset-failed', units: 'all' }],
    ['reset-failed crash', { units: ['crash.service'] }],
    [
      'enable --runtime --force web',
      { what: 'unit-files', verb: 'enable', names: ['web.service'], runtime: true, force: true, reload: true },
    ],
    ['disable --no-reload web', { verb: 'disable', reload: false }],
    ['mask idle', { verb: 'mask', names: ['idle.service'] }],
    ['preset-all --preset-mode=enable-only', { verb: 'preset-all', names: [], presetMode: 'enable-only' }],
    ['set-default basic', { verb: 'set-default', names: ['basic.target'] }],
    ['add-wants multi-user.target idle', { verb: 'add-wants', names: ['idle.service'], target: 'multi-user.target' }],
    ['daemon-reload', { what: 'daemon-reload' }],
    ['daemon-reexec', { what: 'daemon-reexec' }],
    ['init-reexec /usr/lib/new-init', { what: 'init-reexec', path: '/usr/lib/new-init' }],
    ['set-environment A=b C=d', { what: 'environment', set: ['A=b', 'C=d'], unset: [] }],
    ['unset-environment A', { set: [], unset: ['A'] }],
    ['poweroff', { what: 'shutdown', verb: 'poweroff', force: 0 }],
    ['reboot -f', { verb: 'reboot', force: 1 }],
    ['halt -ff', { verb: 'halt', force: 2 }],
    ['exit 7', { verb: 'exit', status: 7 }],
    ['cancel', { what: 'cancel', jobs: 'all' }],
    ['cancel 12', { jobs: [12] }],
  ])('%s', async (words, wanted) => {
    const world = sctl();
    expect((await world.run(words)).status).toBe(0);
    expect(change(world)).toMatchObject(wanted);
    expect(world.client.faults).toEqual([]);
  });

  test.each(['rescue', 'emergency'])('%s isolates its target', async (word) => {
    const world = sctl();
    await world.run(word);
    expect(change(world)).toMatchObject({ requests: [{ verb: 'start', units: [`${word}.target`], mode: 'isolate' }] });
  });

  test('enable --now starts what it enabled, and disable --now stops it', async () => {
    const world = sctl();
    await world.run('enable --now idle');
    await world.run('disable --now idle');
    expect(world.manager.changes.map(({ change: { what } }) => what)).toEqual([
      'unit-files',
      'request',
      'unit-files',
      'request',
    ]);
    expect(world.manager.changes[1]!.change).toMatchObject({ requests: [{ verb: 'start', units: ['idle.service'] }] });
    expect(world.manager.changes[3]!.change).toMatchObject({ requests: [{ verb: 'stop' }] });
  });

  test('a glob is the units in memory that it matches', async () => {
    const world = sctl();
    await world.run('restart w*');
    expect(change(world)).toMatchObject({ requests: [{ units: ['web.service'] }, { units: ['web.socket'] }] });
  });

  test('a plan says what would be done and why, and nothing is done', async () => {
    const world = sctl();
    expect((await world.run('start --dry-run web')).out).toBe(
      'start    web.service\n           asked for by start\n\n1 job in 1 wave, how long it takes is not known.\n',
    );
    expect(world.manager.changes).toEqual([]);
    const dry = (await world.run('start --dry-run web')).out;
    expect((await world.run('plan start web')).out).toBe(`${dry}To do it: sctl apply 0123456789ab\n`);
    expect(world.manager.changes).toMatchObject([{ change: { what: 'keep-plan', id: '0123456789ab' } }]);
  });

  test('--dry-run of a shutdown changes nothing', async () => {
    const world = sctl();
    expect((await world.run('poweroff --dry-run')).out).toContain('start    poweroff.target\n');
    expect((await world.run('poweroff --dry-run -f')).out).toContain('Would poweroff at once');
    expect(world.manager.changes).toEqual([]);
  });

  test('start --wait waits until the unit has ended, and fails if it failed', async () => {
    const world = sctl();
    const done = world.run('start --wait idle');
    // The unit runs now; its end is told by an event.
    await expect.poll(() => world.client.called.includes('io.sysmaster.Units.States')).toBe(true);
    const at = { realUs: 1, monotonicUs: 1 };
    const unit = {
      name: 'idle.service',
      load: 'loaded',
      active: 'failed',
      sub: 'failed',
      description: '',
      job: undefined,
      following: undefined,
    } as const;
    world.client.sessions.publish({ event: 'unit', at, unit, was: 'active', result: 'signal', gone: false });
    expect((await done).status).toBe(1);
  });
});

describe('--dry-run', () => {
  /** Command lines that change something, by the word of the table; null: it only looks. */
  const verbs: Readonly<Record<string, string | null>> = {
    ...Object.fromEntries(
      ['start', 'stop', 'restart', 'try-restart', 'reload', 'reload-or-restart', 'try-reload-or-restart']
        .concat(['condrestart', 'force-reload', 'kill', 'enable', 'disable', 'reenable', 'mask', 'unmask', 'preset'])
        .concat(['revert'])
        .map((word) => [word, `${word} web`]),
    ),
    isolate: 'isolate basic',
    'reset-failed': 'reset-failed crash',
    'preset-all': 'preset-all',
    link: 'link /srv/a.service',
    'add-wants': 'add-wants basic.target web',
    'add-requires': 'add-requires basic.target web',
    edit: 'edit web',
    'set-default': 'set-default basic',
    confirm: 'confirm 0123456789ab',
    apply: 'apply 0123456789ab',
    snapshot: 'snapshot save a',
    'snapshot save': 'snapshot save a',
    'snapshot delete': 'snapshot delete before',
    'snapshot restore': 'snapshot restore before',
    cancel: 'cancel',
    chaos: 'chaos --kill --unit=web',
    'set-environment': 'set-environment A=b',
    'unset-environment': 'unset-environment LANG',
    'import-environment': 'import-environment SYSMASTER_LOGS',
    ...Object.fromEntries(
      ['daemon-reload', 'daemon-reexec', 'init-reexec', 'default', 'rescue', 'emergency']
        .concat(['poweroff', 'reboot', 'halt', 'kexec', 'soft-reboot', 'exit'])
        .map((word) => [word, word]),
    ),
    ...Object.fromEntries(
      [
        'list-units',
        'list-sockets',
        'list-paths',
        'list-unit-files',
        'list-jobs',
        'list-dependencies',
        'is-active',
        'is-failed',
      ]
        .concat(['is-enabled', 'is-system-running', 'status', 'show', 'cat', 'get-default', 'plan', 'why', 'why-not'])
        .concat(['history', 'logs', 'machine', 'report', 'replay', 'tree', 'findings', 'events', 'analyze', 'convert'])
        .concat(['escape', 'show-environment', 'version', 'completion', '__complete'])
        .concat(['snapshot list', 'snapshot show', 'snapshot diff'])
        .map((word) => [word, null]),
    ),
  };
  const changing = Object.values(verbs).filter((line) => line !== null);

  test('no word of the table is forgotten here', () => {
    const all = Object.keys(commands).concat(Object.keys(snapshots).map((word) => `snapshot ${word}`));
    expect(Object.keys(verbs).sort()).toEqual(all.sort());
  });

  test.each([...new Set(changing)])('%s can be tried dry: its help says so, and nothing is changed', async (line) => {
    const world = sctl();
    const word = line.startsWith('snapshot ') ? line.split(' ').slice(0, 2).join(' ') : line.split(' ')[0]!;
    expect((await world.run(`${word} --help`)).out).toContain('--dry-run');
    const { err } = await world.run(`${line} --dry-run`);
    expect(err).not.toMatch(/unknown option/i);
    // Where core has to be asked, the question itself says that it is one.
    for (const { change: asked } of world.manager.changes)
      expect('wish' in asked ? asked.wish : asked).toMatchObject({ dryRun: true });
    expect(world.client.faults).toEqual([]);
  });
});

test.each(['start idle --plan', 'stop idle --confirm-within=2min', 'restart idle --save x', 'kill idle --plan'])(
  '%s is refused: nobody who says that wants it done at once',
  async (line) => {
    const world = sctl();
    const { status, err } = await world.run(line);
    expect(status).toBe(1);
    expect(err).toMatch(/^--[a-z-]+ is not for sctl \w+; [^\n]+\.\n$/);
    expect(world.manager.changes).toEqual([]);
  },
);

test.each([
  [{ LC_ALL: 'C' }, '|-'],
  [{ LC_ALL: '', LC_CTYPE: 'de_DE.ISO-8859-1', LANG: 'C.UTF-8' }, '|-'],
  [{ LC_ALL: 'C.UTF-8', LANG: 'C' }, '├─'],
  [{ LANG: 'de_DE' }, '├─'],
  [{}, '├─'],
])('a tree is drawn in the character set of the locale %j', async (env, branch) => {
  expect((await sctl().run('list-dependencies --all', { env })).out).toContain(branch);
  const json = await sctl().run('list-dependencies --all -o json', { env });
  expect(json).toEqual(await sctl().run('list-dependencies --all -o json'));
});

describe('called under another name', () => {
  const as = (name: string) => ({ name });
  test.each([
    ['systemctl', 'stop idle', { requests: [{ verb: 'stop' }] }],
    ['poweroff', '', { verb: 'poweroff', force: 0 }],
    ['reboot', '-f', { verb: 'reboot', force: 1 }],
    ['halt', '', { verb: 'halt' }],
    ['shutdown', '-h now', { verb: 'poweroff' }],
    ['shutdown', '-r now going down', { verb: 'reboot' }],
    ['shutdown', '-H +0', { verb: 'halt' }],
  ])('%s %s', async (name, words, wanted) => {
    const world = sctl();
    expect((await world.run(words, as(name))).status).toBe(0);
    expect(change(world)).toMatchObject(wanted);
  });

  test.each(['-h', '-h +5', '-k now', '-c'])(
    'shutdown %s is refused, since nothing could come of it',
    async (words) => {
      const world = sctl();
      expect((await world.run(words, as('shutdown'))).status).toBe(1);
      expect(world.manager.changes).toEqual([]);
    },
  );

  test('systemctl speaks of itself by its name', async () => {
    const { err } = await sctl().run('start crash', as('systemctl'));
    expect(err).toContain('See "systemctl status crash.service" and "journalctl -xeu crash.service" for details.');
  });
});

describe('status', () => {
  test('a running service is shown as systemctl shows it', async () => {
    const { out } = await sctl().run('status web');
    expect(lines(out)).toEqual([
      '● web.service - The web service',
      '     Loaded: loaded (/etc/sysmaster/system/web.service; enabled; preset: enabled)',
      '    Drop-In: /etc/sysmaster/system/web.service.d',
      '             └─10-more.conf',
      '     Active: active (running) since Sun 2026-11-22 03:00:00 UTC; 3min 5s ago',
      'TriggeredBy: ● web.socket',
      '       Docs: man:example(8)',
      '   Main PID: 4242 (web)',
      '     Status: "Serving 3 clients"',
      '   Restarts: 2',
      '      Tasks: 3 (limit: 4915)',
      '     Memory: 7.2M',
      '        CPU: 1.234s',
      '     CGroup: /system.slice/web.service',
      '             ├─4242 /usr/sbin/web -D',
      '             ├─4243 web: worker',
      '             └─sub',
      '               └─4300 [helper]',
      '',
    ]);
  });

  test('a unit is found by another of its names', async () => {
    expect((await sctl().run('status www')).out).toContain('● web.service - The web service');
  });

  test('a failed service shows how its process ended and what is wrong with its file', async () => {
    const { out } = await sctl().run('status crash');
    expect(lines(out)).toContain('    Process: 4300 ExecStart=/usr/bin/false (code=exited, status=1/FAILURE)');
    expect(lines(out)).toContain('   Main PID: 4300 (code=exited, status=1/FAILURE)');
    expect(out).toContain('crash.service:12:1: Restrat=always: not a setting of [Service]; did you mean Restart=?');
  });

  test('a condition that did not hold is named', async () => {
    const { manager, run } = sctl();
    const view = manager.views.get('idle.service')!;
    const at = { realUs: 1_795_316_400_000_000, monotonicUs: 1 };
    manager.views.set('idle.service', {
      ...view,
      state: {
        ...fakeState('inactive', 'dead'),
        condition: { result: false, at, failed: 'ConditionPathExists=/nowhere' },
      },
    });
    const { out } = await run('status idle');
    expect(lines(out)).toContain('  Condition: start condition failed at Sun 2026-11-22 03:00:00 UTC; 3min 5s ago');
    expect(lines(out)).toContain('             └─ ConditionPathExists=/nowhere was not met');
  });

  test('colours are for terminals, and follow the state', async () => {
    const world = sctl();
    const shown = await world.run('status web crash', {
      terminal: true,
      columns: 200,
      env: { SYSMASTER_LOGS: '/nonexistent', TERM: 'xterm' },
    });
    expect(shown.out).toContain('\u001b[0;1;32m●\u001b[0m web.service');
    expect(shown.out).toContain('\u001b[0;1;31m×\u001b[0m crash.service');
    for (const quiet of [{ NO_COLOR: '1' }, { TERM: 'dumb' }, { SYSTEMD_COLORS: '0' }]) {
      expect(
        (await world.run('status web', { terminal: true, columns: 200, env: { ...quiet, SYSMASTER_LOGS: '/x' } })).out,
      ).not.toContain('\u001b');
    }
    expect((await world.run('status web')).out).not.toContain('\u001b');
  });

  test('the system as a whole is shown when no unit is named', async () => {
    const { out, status } = await sctl().run('status');
    expect(status).toBe(0);
    expect(out).toContain('    State: degraded\n');
    expect(out).toContain('   Failed: 1 units\n');
  });
});

describe('lists', () => {
  test('list-units hides what is inactive unless asked', async () => {
    const { run } = sctl();
    const names = async (words: string) =>
      lines((await run(`${words} --no-legend`)).out).flatMap((line) => /[\w-]+\.\w+/.exec(line)?.[0] ?? []);
    expect(await names('list-units')).toEqual([
      'crash.service',
      'web.service',
      'web.socket',
      'basic.target',
      'multi-user.target',
    ]);
    expect(await names('list-units --all')).toHaveLength(7);
    expect(await names('list-units --failed')).toEqual(['crash.service']);
    expect(await names('list-units --state=inactive')).toEqual(['gone.service', 'idle.service']);
    expect(await names('-t service list-units --all web.socket w*')).toEqual(['web.service']);
    expect(await names('list-units --type=target,socket')).toEqual(['web.socket', 'basic.target', 'multi-user.target']);
    expect(await names('')).toEqual(await names('list-units'));
  });

  test('list-units is a table with a legend', async () => {
    const { out } = await sctl().run('list-units w*');
    expect(lines(out).slice(0, 3)).toEqual([
      '  UNIT        LOAD   ACTIVE SUB     DESCRIPTION',
      '  web.service loaded active running The web service',
      '  web.socket  loaded active running The web socket',
    ]);
    expect(out).toContain('2 loaded units listed. Pass --all to see loaded but inactive units, too.');
  });

  test('a narrow terminal cuts descriptions, and --full does not', async () => {
    const narrow = { terminal: true, columns: 44, env: { TERM: 'dumb' } };
    const world = sctl();
    expect((await world.run('list-units --no-legend web.service', narrow)).out).toBe(
      '  web.service loaded active running The web…\n',
    );
    expect((await world.run('list-units --no-legend --full web.service', narrow)).out).toContain('The web service');
  });

  test('list-jobs says what a job waits for, to people and with --before', async () => {
    const { run } = sctl();
    const told = '12  idle.service start waiting\n    start idle.service waits for job 11 (start basic.target)';
    expect((await run('list-jobs')).out).toContain(told);
    expect((await run('list-jobs')).out).toContain(' (1h 3min 4s / 1min 30s)\n');
    expect((await run('list-jobs --before')).out).toContain(told);
    expect((await run('list-jobs --after')).out).not.toContain('waits for');
    expect((await run('list-jobs --no-legend')).out).toBe('12 idle.service start waiting\n');
  });

  test('list-dependencies draws the tree both ways', async () => {
    const { run } = sctl();
    expect((await run('list-dependencies --all')).out).toBe(
      'multi-user.target\n● ├─web.service\n× │ ├─crash.service\n● │ └─web.socket\n● └─basic.target\n',
    );
    expect((await run('list-dependencies --reverse web')).out).toBe('web.service\n● └─multi-user.target\n');
    expect((await run('list-dependencies --after --plain web')).out).toBe('web.service\n  basic.target\n');
  });

  test('a ring in the dependencies ends the branch, not the command', async () => {
    const { manager, run } = sctl();
    const view = manager.views.get('basic.target')!;
    manager.views.set('basic.target', {
      ...view,
      unit: {
        ...view.unit,
        edges: [{ from: 'basic.target', kind: 'Wants', to: 'multi-user.target', origin: { rule: 'test' } }],
      },
    });
    expect((await run('list-dependencies')).out).toContain('● └─basic.target\n●   └─multi-user.target …\n');
  });
});

describe('show', () => {
  test('dates and spans are written out, and empty properties left out', async () => {
    const { out } = await sctl().run('show web');
    expect(lines(out)).toEqual(
      expect.arrayContaining([
        'ActiveEnterTimestamp=Sun 2026-11-22 03:00:00 UTC',
        'TimeoutStartUSec=1min 30s',
        'TimeoutStopUSec=infinity',
        'RestartUSec=100ms',
        'UMask=0022',
        'MainPID=4242',
        'Environment=A=b "C=d e"',
      ]),
    );
    expect(out).not.toContain('ActiveExitTimestamp=\n');
    expect(out).toMatch(
      /ExecStart=\{ path=\/usr\/sbin\/web ; argv\[\]=\/usr\/sbin\/web -D ; ignore_errors=no ; start_time=\[Sun 2026/,
    );
  });

  test('-p picks, --value and -P print values alone, --all adds what is empty', async () => {
    const { run } = sctl();
    expect((await run('show -p MainPID,ActiveState web')).out).toBe('MainPID=4242\nActiveState=active\n');
    expect((await run('show --value -p ActiveState web idle')).out).toBe('active\n\ninactive\n');
    expect((await run('show -P MainPID web')).out).toBe('4242\n');
    expect((await run('show -p ActiveExitTimestamp web')).out).toBe('ActiveExitTimestamp=\n');
    expect((await run('show --all web')).out).toContain('\nActiveExitTimestamp=\n');
    expect((await run('show nowhere -p LoadState')).out).toBe('LoadState=not-found\n');
  });

  test('the manager has properties too', async () => {
    expect((await sctl().run('show -p Version,SystemState')).out).toBe('Version=0.1.0\nSystemState=degraded\n');
  });
});

describe('data instead of text', () => {
  test.each([
    'list-units', 'list-unit-files', 'list-jobs', 'list-dependencies', 'list-sockets', 'list-paths', 'status web', 'status', 'show web', 'show', 'cat web',
    'is-active web', 'is-failed web', 'is-enabled web', 'is-system-running', 'get-default', 'set-default basic', 'start idle', 'stop idle', 'restart web',
    'kill web', 'enable idle', 'disable idle', 'mask idle', 'unmask gone', 'preset idle', 'daemon-reload', 'daemon-reexec', 'init-reexec', 'reset-failed',
    'cancel', 'plan start web', 'isolate basic.target', 'poweroff', 'reboot', 'halt', 'exit', 'tree', 'machine web', 'findings', 'version', 'show-environment',
    'set-environment A=b', 'escape a/b',
  ])('%s --output=json is one line of JSON and nothing else', async (words) => {
    const { run, client } = sctl();
    const { out, err } = await run(`${words} --output=json`);
    expect(err.replace(/^Warning: Stopping[\s\S]*$/, '')).toBe('');
    expect(lines(out)).toHaveLength(2);
    expect(() => JSON.parse(out)).not.toThrow();
    expect(client.faults).toEqual([]);
  }); // biome-ignore format: a table

  test('list-units and list-unit-files have the keys of systemctl', async () => {
    const { run } = sctl();
    expect(JSON.parse((await run('list-units --output=json web.service')).out)).toEqual([
      { unit: 'web.service', load: 'loaded', active: 'active', sub: 'running', description: 'The web service' },
    ]);
    expect(JSON.parse((await run('list-unit-files -o json web.service')).out)).toEqual([
      { unit_file: 'web.service', state: 'enabled', preset: 'enabled', path: '/etc/sysmaster/system/web.service' },
    ]);
  });
});

describe('the live chart', () => {
  test('the present state is marked, in every form', async () => {
    const { run } = sctl();
    expect((await run('machine web')).out).toContain('  ▶ running (active)\n        exited [clean] → dead\n');
    expect((await run('machine web')).out).toContain('WatchdogSec: never');
    expect((await run('machine web --format=mermaid')).out).toContain('class service_running now');
    expect((await run('machine web --format=dot')).out).toMatch(
      /"service\.running" \[label="running", style="rounded,filled"/,
    );
    expect((await run('machine web --format=ascii')).status).toBe(1);
  });
});

describe('names', () => {
  test('options may stand before the command, with and without values', async () => {
    const { run } = sctl();
    expect((await run(['-t', 'service', '--no-pager', 'list-units', '--no-legend'])).out).not.toContain('target');
    expect((await run(['--state', 'failed', 'list-units', '--plain', '--no-legend'])).out).toBe(
      'crash.service loaded failed failed The crash service\n',
    );
  });

  test('escape does as systemd-escape does', async () => {
    const { run } = sctl();
    expect((await run(['escape', 'Hallöchen, Meister'])).out).toBe('Hall\\xc3\\xb6chen\\x2c\\x20Meister\n');
    expect((await run('escape --path --suffix=mount /var/log')).out).toBe('var-log.mount\n');
    expect((await run('escape --template=foo@.service a/b')).out).toBe('foo@a-b.service\n');
    expect((await run('escape -u -p home-lennart')).out).toBe('/home/lennart\n');
    expect((await run('escape -u --instance foo@a-b.service')).out).toBe('a/b\n');
    expect((await run('escape -m nginx /dev/sda')).out).toBe('nginx.service dev-sda.device\n');
    expect((await run(['escape', '-'], { input: async () => 'a/b\nc\n' })).out).toBe('a-b\nc\n');
  });
});
