/** Why, on real processes: a unit that hangs, one whose dependency failed, a masked one, rings, and a history that outlives core. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootSmall } from '../faults/small.ts';
import { eventually, lib, type System, systemsMissing } from '../support/system.ts';

const early = (text: string) => `[Unit]\nDefaultDependencies=no\n${text}`;
const sctlInside = `SYSMASTER_SOCKET=/run/sysmaster/api.sock ${lib}/node ${lib}/sctl.mjs`;
const units = {
  'slow.service': early('[Service]\nType=notify\nTimeoutStartSec=6\nExecStart=/bin/sleep 1000\n'),
  'hang.service': early(
    '[Service]\nType=notify\nRestart=on-failure\nTimeoutStartSec=5min\nExecStart=/bin/sh -c "sleep 1000; true"\n',
  ),
  'behind.service': early('Requires=hang.service\nAfter=hang.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'broken.service': early('[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo the disk is gone; exit 3"\n'),
  'needs.service': early('Requires=broken.service\nAfter=broken.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'condition.service': early('ConditionPathExists=/nowhere\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'nobody.service': early('[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n'),
  'storm.service': early('StartLimitBurst=2\n[Service]\nRestart=always\nRestartSec=10ms\nExecStart=/bin/false\n'),
  'a.service': early('After=b.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'b.service': early('After=a.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'ring.target': early('Wants=a.service b.service\n'),
  'self.service': early(`[Service]\nType=oneshot\nExecStart=/bin/sh -c "${sctlInside} start later.service"\n`),
  'later.service': early('After=self.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'reloads.service': early(
    `[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/sh -c "${sctlInside} reload reloads.service; true"\n`,
  ),
  'absent.service': early('BindsTo=dev-absent.device\nAfter=dev-absent.device\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'lost.service': early('BindsTo=dev-lost.device\nAfter=dev-lost.device\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'dev-lost.device': '[Unit]\nJobTimeoutSec=infinity\nJobRunningTimeoutSec=infinity\n',
  'masked.service': '',
  'missing.service': early('Requires=nowhere.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'stopped.service': early(
    '[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sh -c "sleep 1000 & kill -STOP $$!; wait"\n',
  ),
  'dependent.service': early('RefuseManualStart=yes\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'deaf.socket': early('[Socket]\nListenStream=/run/deaf.sock\n'),
  'deaf.service': early('After=talks.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'talks.service': early(
    `[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/usr/bin/perl -MIO::Socket::UNIX -e 'my $$s = IO::Socket::UNIX->new(Peer => "/run/deaf.sock") or die; sysread $$s, my $$answer, 1'\n`,
  ),
  'listens.service': early(
    `[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/usr/bin/perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "/run/own.sock", Listen => 1)->accept'\n`,
  ),
  'asks.service': early(
    `[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/usr/bin/perl -MIO::Socket::UNIX -e 'my $$s; do { $$s = IO::Socket::UNIX->new(Peer => "/run/answers.sock") or select undef, undef, undef, 0.02 } until $$s; sysread $$s, my $$answer, 1'\n`,
  ),
  // It takes the connection, and only then asks for what comes after the one that waits for its answer.
  'answers.service': early(
    `[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/usr/bin/perl -MIO::Socket::UNIX -e 'my $$c = IO::Socket::UNIX->new(Local => "/run/answers.sock", Listen => 1)->accept; $$ENV{SYSMASTER_SOCKET} = "/run/sysmaster/api.sock"; $$^F = 99; system "${lib}/node", "${lib}/sctl.mjs", "start", "follows.service"'\n`,
  ),
  'follows.service': early('After=asks.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'fleeting.service': early(
    'CollectMode=inactive-or-failed\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo no more paper; exit 3"\n',
  ),
};

interface Cause {
  readonly kind: string;
  readonly what: string;
  readonly where?: string | null;
  readonly pid?: number | null;
  readonly below: readonly Cause[];
}
interface Explanation {
  readonly active: string;
  readonly because: readonly Cause[];
  readonly next: readonly string[];
}

const missing = systemsMissing();

describe.skipIf(missing !== undefined)(`why${missing === undefined ? '' : ` (${missing})`}`, () => {
  let system: System;
  beforeAll(async () => {
    system = await bootSmall({ units, wants: ['slow.service'] });
  });
  afterAll(async () => {
    await system.stop();
  });

  const why = (name: string): Explanation => JSON.parse(system.sctl('why', name, '--output=json').stdout)[0];
  const all = (causes: readonly Cause[]): readonly Cause[] => causes.flatMap((one) => [one, ...all(one.below)]);
  const words = (name: string) => all(why(name).because).map(({ what }) => what);
  const state = (name: string) => system.sctl('show', '--value', '-p', 'SubState', name).stdout.trim();

  test('while the system comes up the console names the process that makes it wait, and what that is blocked on', () => {
    expect(system.console()).toMatch(
      /A start job is running for slow\.service \(\d+s \/ 6s\): waits for READY=1 of ExecStart=: process \d+ \(sleep\) sleeps/,
    );
  });

  test('a start that hangs is followed from the job to the process and its wait, with what happens next', async () => {
    expect(system.sctl('start', '--no-block', 'behind').status).toBe(0);
    await eventually('it sleeps', () => words('behind').some((what) => what.includes('(sleep) sleeps')));
    system.sctl('start', '--no-block', 'hang', 'behind');
    expect(words('hang')).toContainEqual(
      expect.stringMatching(/^wanted by start hang\.service, asked for by uid 0, pid \d+, too$/),
    );
    const causes = all(why('behind').because);
    expect(causes.find(({ kind }) => kind === 'edge')).toMatchObject({ where: '/run/units/behind.service:4' });
    expect(
      causes.some(({ what }) =>
        /hang\.service waits for READY=1 of ExecStart=: process \d+ \(sh\) waits for a child/.test(what),
      ),
    ).toBe(true);
    expect(causes.some(({ what }) => /asked for by uid 0, pid \d+/.test(what))).toBe(true);
    expect(why('hang').next[0]).toMatch(/^if READY=1 does not come within .*attempt 2 of 5 in 10s$/);
    expect(system.sctl('list-jobs', '--before').stdout).toContain(
      'behind.service After hang.service, from /run/units/behind.service:4',
    );
  });

  test('a failed dependency is named with its process, exit status and last words', () => {
    const started = system.sctl('start', 'needs');
    expect(started.status).toBe(1);
    expect(started.stderr).toMatch(
      /\n {2}job \d+ \(start needs\.service\) ended with dependency: start broken\.service ended: failed \(needs\.service Requires broken\.service, from \/run\/units\/needs\.service:3\)\n/,
    );
    const found = words('needs');
    expect(found.some((what) => /job \d+ \(start needs\.service\) ended with dependency/.test(what))).toBe(true);
    expect(found.some((what) => /process \d+ of ExecStart= \(\/bin\/sh\) exited with status=3/.test(what))).toBe(true);
    expect(system.sctl('why', 'broken').stdout).toMatch(/ log: .*the disk is gone/);
  });

  test.each([
    ['dependent.service', /nobody wants it|not in memory/, /a start would be refused: .*RefuseManualStart=yes/],
    ['masked.service', /it is masked/, /unmask it first: remove \/run\/units\/masked\.service/],
    ['nowhere.service', /there is no unit file/, /daemon-reload/],
    ['nobody.service', /nobody wants it/, /sctl start nobody\.service/],
    ['missing.service', /nobody wants it|not in memory/, /a start would be refused: .*nowhere\.service not found/],
  ])('%s does not run, and it is said why', (name, because, next) => {
    expect(words(name).join('\n')).toMatch(because);
    expect(why(name).next.join('\n')).toMatch(next);
    expect(system.sctl('why-not', name).status).toBe(0);
  });

  test('a condition that is not met is told', () => {
    system.sctl('start', 'condition');
    expect(words('condition')).toContain('ConditionPathExists=/nowhere was not met');
    expect(system.sctl('why-not', 'condition').stdout).toContain(
      'sctl start condition.service starts it, if ConditionPathExists=/nowhere holds then;',
    );
  });

  test('a refusal is in the history of the unit that was asked for, whichever is at fault', () => {
    expect(system.sctl('start', 'missing').status).toBe(5);
    expect(system.sctl('history', 'missing').stdout).toMatch(
      /nowhere\.service: missing\.service needs nowhere\.service .*not found/,
    );
  });

  test('a shell that waits for a child is followed to the one that is stopped', async () => {
    system.sctl('start', '--no-block', 'stopped');
    await eventually('it is seen', () =>
      words('stopped').some((what) => /\(sh\) waits for a signal .*: process \d+ \(\w+\) is stopped/.test(what)),
    );
    system.sctl('kill', '-s', 'KILL', 'stopped');
  });

  test('a start that fails of a unit that is let go of at once still says why', async () => {
    const { status, stderr } = system.sctl('start', 'fleeting');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^Job for fleeting\.service failed because the control process exited with error code\.\n {2}process \d+ .*ExecStart=.* exited.* status=3\/NOTIMPLEMENTED\nSee "sctl (why|status) fleeting\.service" and "sctl logs -u fleeting\.service" for details\.\n$/,
    );
    await eventually('it is let go of', () => why('fleeting').because.at(-1)?.what.startsWith('it is not in memory'));
    expect(words('fleeting')).toContainEqual(
      expect.stringMatching(/^process \d+ \(ExecStart=\) exited, status=3\/NOTIMPLEMENTED$/),
    );
    expect(system.sctl('why', 'fleeting').stdout).toContain('no more paper');
    expect(system.sctl('why', 'fleeting').stdout).toContain('failed: exit-code');
  });

  test('a start limit is told, with the time until it is over', async () => {
    system.sctl('start', 'storm');
    await eventually('it gave up', () => state('storm') === 'failed');
    expect(words('storm').some((what) => what.startsWith('its start limit was hit: 2 starts in 10 s'))).toBe(true);
    expect(why('storm').next.join()).toMatch(/starts are refused for \d+ s more|it may be started again/);
  });

  test('a cut ordering is shown by status, show of cycles and why, and both units run', () => {
    expect(system.sctl('start', 'ring.target').status).toBe(0);
    expect(system.sctl('analyze', 'cycles').stdout).toMatch(
      /ring 1: {2}a\.service after b\.service \(\/run\/units\/a\.service:3\)/,
    );
    expect(system.sctl('status', 'a').stdout).toMatch(
      /Cut: b\.service after a\.service \(\/run\/units\/b\.service:3\) is not honoured/,
    );
    expect(all(why('b').because).some(({ kind }) => kind === 'cut')).toBe(true);
    expect(system.sctl('is-active', 'a', 'b').stdout).toBe('active\nactive\n');
  });

  test('a ring over a process that waits for its own follower is reported at once, with the way out', async () => {
    expect(system.sctl('start', '--no-block', 'self').status).toBe(0);
    await eventually('the stall is found', () => system.sctl('analyze', 'stall').status === 1);
    expect(system.sctl('analyze', 'stall').stdout).toMatch(
      /jobs wait in a ring: later\.service → self\.service → process \d+ →/,
    );
    expect(system.sctl('status').stdout).toContain('Stall: jobs wait in a ring');
    await eventually('the history has it', () =>
      /self\.service\): later\.service After/.test(system.sctl('history', 'later').stdout),
    );
    expect(words('later').some((what) => /it has asked for job \d+ and waits for it/.test(what))).toBe(true);
    system.sctl('cancel');
    await eventually('it is over', () => system.sctl('analyze', 'stall').status === 0);
  });

  test('a job that waits for its own unit to come to rest, while that waits for the job, is reported', async () => {
    expect(system.sctl('start', 'reloads').status).toBe(0);
    expect(system.sctl('reload', '--no-block', 'reloads').status).toBe(0);
    await eventually('the stall is found', () => system.sctl('analyze', 'stall').status === 1);
    expect(system.sctl('analyze', 'stall').stdout).toMatch(
      /ring: reloads\.service → process \d+ → process \d+ → reloads\.service\n/,
    );
    expect(system.sctl('list-jobs').stdout).toMatch(
      /reloads\.service must come to rest first, and waits for ExecReload=: process \d+ \(sh\) waits for a child/,
    );
    system.sctl('cancel');
    await eventually('it is over', () => system.sctl('analyze', 'stall').status === 0);
    system.sctl('stop', 'reloads');
  });

  test('a start that waits on a socket says which call, and which socket where that has a name', async () => {
    expect(system.sctl('start', 'deaf.socket').status).toBe(0);
    expect(system.sctl('start', '--no-block', 'talks', 'listens').status).toBe(0);
    const soon = (name: string, pattern: RegExp) =>
      eventually(`${name} says ${pattern}`, () => words(name).some((what) => pattern.test(what)));
    await soon(
      'talks',
      /talks\.service waits for ExecStart=: process \d+ \(perl\) reads unix socket \/run\/deaf\.sock, which nobody has accepted yet \(read\)/,
    );
    await soon('listens', /process \d+ \(perl\) waits for a connection on unix socket \/run\/own\.sock \(accept4?\)/);
    // The other side: its service was asked for by the socket, and waits for the one that talks.
    await soon('deaf', /asked for by the socket deaf\.socket: it has input/);
    await soon('deaf', /start deaf\.service waits for job \d+ \(start talks\.service\)/);
    // Both together are a ring.
    const stall = system.sctl('analyze', 'stall');
    expect(stall.status).toBe(1);
    expect(stall.stdout).toMatch(/jobs wait in a ring: deaf\.service → talks\.service → process \d+ → deaf\.service\n/);
    expect(stall.stdout).toMatch(/accepted yet \(read\); deaf\.socket listens there for deaf\.service\n/);
    system.sctl('cancel');
    system.sctl('stop', 'deaf.socket', 'deaf', 'talks', 'listens');
    await eventually('no job is left', () => system.sctl('list-jobs', '--output=json').stdout.trim() === '[]');
  });

  test('a ring over a connected socket is one ring, with the process at the other end', async () => {
    expect(system.sctl('start', '--no-block', 'asks', 'answers').status).toBe(0);
    await eventually('the ring is seen', () => system.sctl('analyze', 'stall').status === 1);
    const { stdout } = system.sctl('analyze', 'stall');
    expect(stdout).toMatch(
      /jobs wait in a ring: follows\.service → asks\.service → process \d+ → process \d+ → (process \d+ → )?follows\.service\n/,
    );
    expect(stdout).toMatch(
      /process \d+ \(perl\) reads unix socket \/run\/answers\.sock of process \d+ \(perl, answers\.service\) \(read\)/,
    );
    expect(words('asks').join('\n')).toMatch(/process \d+, at the other end of its socket, is of answers\.service/);
    system.sctl('cancel');
    system.sctl('stop', 'asks', 'answers');
    await eventually('it is over', () => system.sctl('list-jobs', '--output=json').stdout.trim() === '[]');
    expect(system.sctl('analyze', 'stall').status).toBe(0);
  });

  test('the history of a unit has what was asked for it, and not what was asked for others', () => {
    system.sctl('plan', 'start', 'slow');
    system.sctl('cancel', '99999');
    system.sctl('apply', 'aaaaaaaaaaaa');
    expect(system.sctl('history').stdout).toContain('there is no plan aaaaaaaaaaaa');
    expect(system.sctl('history').stdout).toMatch(/keep plan \w+ of start slow\.service; .*\n.*cancel job 99999;/);
    expect(system.sctl('history', 'slow').stdout).toMatch(/keep plan \w+ of start slow\.service;/);
    expect(system.sctl('history', 'nowhere').stdout).not.toMatch(/keep plan|cancel job|no plan/);
    // Reloads concern all units, and do not take the place of what happened to one.
    for (let count = 0; count < 3; count += 1) system.sctl('daemon-reload');
    expect(system.sctl('history', 'slow', '-n', '1').stdout).toMatch(
      /slow\.service;.*(\n.*(daemon-reload|unit files were read anew).*){3,}\n$/,
    );
  });

  test('critical-chain knows nothing of a unit that was only asked about', () => {
    system.sctl('why', 'nowhere');
    expect(system.sctl('analyze', 'critical-chain', 'nowhere')).toMatchObject({
      status: 1,
      stderr: 'Unit nowhere.service is not in memory.\n',
    });
  });

  test('a device that never appears is named as what is missing, and the wait for it can be cancelled', async () => {
    system.sctl('start', '--no-block', 'absent');
    await eventually('somebody says that the device is missing', () =>
      words('absent').some((what) => /dev-absent\.device/.test(what)),
    );
    expect(words('absent')).toContain('dev-absent.device waits for the device to appear');
    expect(
      words('absent').some((what) => /the job fails with timeout in .* \(JobRunningTimeoutSec=\)/.test(what)),
    ).toBe(true);
    system.sctl('cancel');
    await eventually('no job is left', () => system.sctl('list-jobs', '--output=json').stdout.trim() === '[]');
  });

  test('a device that is awaited without a time-out is a standstill, and told as one', async () => {
    system.sctl('start', '--no-block', 'lost');
    await eventually('the missing event is told', () =>
      /dev-lost\.device to appear, and has no time-out/.test(system.sctl('analyze', 'stall').stdout),
    );
    expect(system.sctl('analyze', 'stall').status).toBe(1);
    // Nobody waits for an answer, and it is said all the same, and before it is worth a word that the job takes long.
    await eventually('the console has it', () =>
      /\[FAILED\] Jobs wait and nothing can move them: job \d+ \(start dev-lost\.device\)/.test(system.console()),
    );
    expect(system.console()).not.toMatch(/is running for dev-lost\.device/);
    system.sctl('cancel');
    await eventually('it is over', () => system.sctl('analyze', 'stall').status === 0);
  });

  test('the history outlives a crash of core, and tells of it', async () => {
    interface Record {
      readonly number: number;
      readonly what: string;
    }
    const history = (): Record[] => JSON.parse(system.sctl('history', '-n', '500', '-o', 'json').stdout);
    const before = history();
    const core = system.core()!;
    process.kill(core, 'SIGKILL');
    await eventually('another core', () => {
      const now = system.core();
      return now !== undefined && now !== core && system.sctl('is-active', 'a').stdout === 'active\n';
    });
    const after = history();
    const kept = new Set(after.map(({ number, what }) => `${number} ${what}`));
    expect(before.filter(({ number, what }) => !kept.has(`${number} ${what}`))).toEqual([]);
    expect(after.filter(({ what }) => what.startsWith('core came back with its state')).length).toBe(1);
    expect(words('a').some((what) => /ring\.target Wants a\.service/.test(what))).toBe(true);
  });

  test('at a terminal the jobs are drawn while they are waited for, and removed at the end', async () => {
    const run = (command: string) => {
      const env = { ...process.env, TERM: 'xterm', SYSMASTER_SOCKET: join(system.run, 'sysmaster/api.sock') };
      const child = spawn('script', ['-qec', command, '/dev/null'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
      return { text: () => text, ended };
    };
    const sctl = `${lib}/node ${lib}/sctl.mjs`;
    const drawn = run(`${sctl} start hang`);
    await eventually('it is drawn', () =>
      /start hang\.service +\S+ +waits for READY=1 of ExecStart=: process \d+/.test(drawn.text()),
    );
    system.sctl('cancel');
    await drawn.ended;
    expect(drawn.text()).toMatch(/\u001b\[\d+F\u001b\[JJob for hang\.service canceled\./);
  });
});
