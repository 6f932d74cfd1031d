/**
 * What a person is told on a real system: what each job waits for, cuts on the console at boot, times that outlive their units, and what
 * goes on after an interrupt.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootSmall, coreLog } from '../faults/small.ts';
import { eventually, lib, type System, systemsMissing } from '../support/system.ts';

const early = (text: string) => `[Unit]\nDefaultDependencies=no\n${text}`;
const units = {
  'steps.service': early(
    '[Service]\nType=oneshot\nTimeoutStartSec=10min\nExecStartPre=/bin/true\nExecStartPre=/bin/sleep 1000\nExecStartPre=/bin/true\nExecStart=/bin/true\n',
  ),
  'speaks.service': early('[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/bin/sleep 1000\n'),
  'stubborn.service': early(
    `[Service]\nType=notify\nNotifyAccess=all\nTimeoutStopSec=5min\nExecStart=/usr/bin/perl -MIO::Socket::UNIX -e '$$SIG{TERM} = "IGNORE"; IO::Socket::UNIX->new(Peer => $$ENV{NOTIFY_SOCKET}, Type => SOCK_DGRAM)->send("READY=1"); sleep 1000'\n`,
  ),
  'again.service': early('[Service]\nRestart=always\nRestartSec=1h\nExecStart=/bin/true\n'),
  'device.service': early('BindsTo=dev-nowhere.device\nAfter=dev-nowhere.device\n[Service]\nExecStart=/bin/true\n'),
  'prepared.socket': early(
    '[Socket]\nListenStream=/run/prepared.sock\nExecStartPre=/bin/true\nExecStartPre=/bin/sleep 1000\nTimeoutSec=7min\n',
  ),
  'prepared.service': early('[Service]\nExecStart=/bin/sleep 1000\n'),
  'a.service': early('After=b.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'b.service': early('After=a.service\n[Service]\nExecStart=/bin/sleep 1000\n'),
  'ends.service': early(
    'OnFailure=after@%n.service\nOnSuccess=well.service\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "exit 7"\n',
  ),
  'ended.service': early('OnSuccess=well.service alone.service\n[Service]\nType=oneshot\nExecStart=/bin/true\n'),
  ...Object.fromEntries(
    ['after@', 'well', 'alone'].map((name) => [
      `${name}.service`,
      early(
        `[Service]\nType=oneshot\nExecStartPre=/bin/sleep 0.1\nExecStart=/bin/sh -c 'echo $$MONITOR_UNIT $$MONITOR_SERVICE_RESULT $$MONITOR_EXIT_CODE $$MONITOR_EXIT_STATUS $\${MONITOR_INVOCATION_ID:+invocation} . >/run/${name}.told'\nExecStartPost=/bin/sh -c 'echo $$MONITOR_UNIT. >>/run/${name}.told'\n`,
      ),
    ]),
  ),
  'deaf.service': early('[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/sh -c "exit 3"\n'),
  'alone.target': '[Unit]\nAllowIsolate=yes\nDefaultDependencies=no\n',
};
const missing = systemsMissing();

describe.skipIf(missing !== undefined)(`jobs, as told${missing === undefined ? '' : ` (${missing})`}`, () => {
  let system: System;
  beforeAll(async () => {
    system = await bootSmall({ units, wants: ['a.service', 'b.service', 'stubborn.service'] });
  });
  afterAll(async () => {
    if (system === undefined) return;
    system.sctl('cancel');
    system.sctl('kill', '-s', 'KILL', 'stubborn');
    expect(await system.stop()).toBe(true);
  });

  const jobs = () => system.sctl('list-jobs').stdout;
  /** sctl at a terminal, what it has drawn, and how it ended. */
  function atTerminal(...args: string[]) {
    const env = { ...process.env, TERM: 'xterm', SYSMASTER_SOCKET: join(system.run, 'sysmaster/api.sock') };
    const command = `exec ${lib}/node ${lib}/sctl.mjs ${args.join(' ')}`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    return { text: () => text, type: (keys: string) => child.stdin.write(keys), ended };
  }

  test('what is started for the end of one service is told how it ended, and of several nothing; then it may leave memory', async () => {
    system.sctl('start', 'ends', 'ended');
    const told = async (name: string) => {
      const path = join(system.run, `${name}.told`);
      const text = () => (existsSync(path) ? readFileSync(path, 'utf8') : '');
      await eventually(`${name} has told`, () => text().split('\n').length === 3);
      return text();
    };
    expect(await told('after@')).toBe('ends.service exit-code exited 7 invocation .\n.\n');
    expect(await told('alone')).toBe('ended.service success exited 0 invocation .\n.\n');
    expect(await told('well')).toBe('.\n.\n');
    await eventually(
      'it is let go of',
      () => !system.sctl('list-units', '--all', 'ended*').stdout.includes('ended.service'),
    );
  });

  test('a reload that fails names the process that failed, not those that run', () => {
    system.sctl('start', 'deaf');
    const { status, stderr } = system.sctl('reload', 'deaf');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^Job for deaf\.service failed\.\n {2}process \d+ \(ExecReload=\) exited, status=3\/NOTIMPLEMENTED\nSee /,
    );
  });

  test('a dry run with --now tells of the links and of the units', () => {
    const { status, stdout } = system.sctl('mask', '--now', '--dry-run', 'deaf');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Would create symlink \S+\/deaf\.service → \/dev\/null\.\nstop {5}deaf\.service\b/);
    expect(system.sctl('is-active', 'deaf').stdout).toBe('active\n');
  });

  test('an ordering that is cut at boot is named on the console, once, with its ring, its place and where to see more', () => {
    const lines = system
      .console()
      .split('\n')
      .filter((line) => line.includes('Ordering cycle'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^\[ WARN \] Ordering cycle (a\.service → b\.service → a|b\.service → a\.service → b)\.service: b\.service after a\.service \(\/run\/units\/b\.service:3\) is not honoured; sctl analyze cycles\s*$/,
    );
    expect(coreLog(system)).toMatch(/ordering cut: b\.service After a\.service, from \/run\/units\/b\.service:3: /);
    expect(system.sctl('analyze', 'cycles').stdout).toContain('b.service after a.service (/run/units/b.service:3)');
  });

  test('list-jobs names the step, the process and the limit of what runs, and the event that is missing', async () => {
    system.sctl('start', '--no-block', 'steps', 'speaks', 'device', 'prepared.socket');
    system.sctl('start', 'again');
    system.sctl('stop', '--no-block', 'stubborn');
    const told = [
      /\n {4}steps\.service waits for ExecStartPre= \(2 of 3\): process \d+ \(sleep\) sleeps .*\(\d+\w+ \/ 10min\)\n/,
      /\n {4}speaks\.service waits for READY=1 of ExecStart=: process \d+ \(sleep\) sleeps .*\(\d+\w+ \/ no limit\)\n/,
      /\n {4}dev-nowhere\.device waits for the device to appear \(\d+\w+ \/ 1min 30s\)\n/,
      /\n {4}start device\.service waits for job \d+ \(start dev-nowhere\.device\): device\.service After .*:4 \(\d+\w+\)\n/,
      /\n {4}prepared\.socket waits for ExecStartPre= \(2 of 2\): process \d+ \(sleep\) sleeps .*\(\d+\w+ \/ 7min\)\n/,
      /\n {4}stubborn\.service waits for ExecStart=, which has got SIGTERM, to end: process \d+ \(perl\) .*\(\d+\w+ \/ 5min\)\n/,
    ];
    for (const line of told) await eventually(`list-jobs tells ${line}`, () => line.test(jobs()));
    expect(system.sctl('status', 'steps').stdout).toMatch(
      / Waits: steps\.service waits for ExecStartPre= \(2 of 3\): process \d+/,
    );
    expect(system.sctl('why', 'prepared.socket').stdout).toMatch(
      /prepared\.socket waits for ExecStartPre= \(2 of 2\): process \d+ \(sleep\)/,
    );
    expect(system.sctl('why', 'again').stdout).toContain('again.service waits for RestartSec= to be over');
    system.sctl('cancel');
    system.sctl('stop', 'steps', 'speaks', 'again', 'prepared.socket');
  });

  test('an interrupt at a terminal removes what was drawn, names the jobs that go on, and ends as a shell expects', async () => {
    const drawn = atTerminal('start', 'steps');
    await eventually('it is drawn', () =>
      /start steps\.service +\S+ +waits for ExecStartPre= \(2 of 3\)/.test(drawn.text()),
    );
    drawn.type('\u0003');
    // 128 and SIGINT: the command died of the signal, so that loops of a shell end, too.
    expect(await drawn.ended).toBe(130);
    expect(drawn.text()).toMatch(
      /\^C\u001b\[\dF\u001b\[JInterrupted; job (\d+) \(start steps\.service\) goes on in the background\.\r\nSee it: sctl list-jobs; sctl why \1\. Cancel it: sctl cancel \1\.\r\n$/,
    );
    expect(jobs()).toContain('steps.service');
    system.sctl('stop', 'steps');
  });

  test('an interrupt while a unit is waited for that runs says that it goes on', async () => {
    const waits = atTerminal('start', '--wait', 'speaks', '--job-mode=ignore-dependencies');
    await eventually('it runs', () => Number(system.sctl('show', '--value', '-p', 'MainPID', 'speaks').stdout) > 0);
    waits.type('\u0003');
    expect(await waits.ended).toBe(130);
    expect(waits.text()).toMatch(/Interrupted; job \d+ \(start speaks\.service\) goes on in the background/);
    system.sctl('cancel');
    system.sctl('stop', 'speaks');
  });

  test('a request of a thousand units that are not there is answered for each, twice, by the same core', () => {
    const core = system.core();
    const names = Array.from({ length: 1000 }, (_, at) => `nowhere${at}.service`);
    for (const verb of ['start', 'stop']) {
      const ran = system.sctl(verb, ...names);
      expect(ran.status).toBe(5);
      expect(ran.stderr.split('\n').filter((line) => line.startsWith('Failed to '))).toHaveLength(1000);
      expect(ran.stderr).not.toContain('Core is being restarted');
    }
    expect(system.core()).toBe(core);
  });

  test('the times of the boot are told though another target was isolated, and its units are not in memory any more', async () => {
    const time = () => system.sctl('analyze', 'time').stdout;
    const before = time();
    expect(before).toMatch(/default\.target reached after \S+ in userspace/);
    expect(system.sctl('isolate', '--no-block', 'alone.target').status).toBe(0);
    await eventually('it is unloaded', () => !system.sctl('list-units', '--all').stdout.includes('multi-user.target'));
    expect(time()).toBe(before);
    expect(system.sctl('analyze', 'blame').stdout).toMatch(/ms stubborn\.service\n/);
    expect(system.sctl('analyze', 'critical-chain').stdout).toMatch(/\ndefault\.target @.*\n└─multi-user\.target @/);
    expect(system.sctl('analyze', 'plot').stdout).toContain('>multi-user.target');
    expect(system.sctl('start', '--no-block', 'default.target').status).toBe(0);
    expect(time()).toBe(before);
  });
});
