/**
 * Real Debian services under our own PID 1, from the unit files of their packages, unmodified.
 *
 * Each is started, answered by its real client, reloaded or restarted, killed with SIGKILL and seen to recover as its Restart=
 * says (where it has none: failed, nothing left behind), and stopped with nothing left in its control group.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { debianMissing, debianRoot } from '../support/debian.ts';
import { eventually, type System, startSystem, systemsMissing } from '../support/system.ts';

interface Service {
  readonly unit: string;
  /** The unit whose process is killed and whose group is watched, where it is another one. */
  readonly works?: string;
  /** Shell command inside that the real client runs; its output must match. */
  readonly ask: string;
  readonly answer: RegExp;
  readonly verb: 'reload' | 'restart';
  /** What its unit file's Restart= makes of a SIGKILL. */
  readonly afterKill: 'recovers' | 'fails';
  /** What would start it again, and is stopped with it. */
  readonly trigger?: string;
  /** Result= after a kill that it does not recover from; `signal` where nothing is said. */
  readonly result?: string;
}

const services: readonly Service[] = [
  {
    unit: 'nginx.service',
    ask: 'curl -s -o /dev/null -w %{http_code} http://127.0.0.1/',
    answer: /200/,
    verb: 'reload',
    afterKill: 'fails',
  },
  { unit: 'redis-server.service', ask: 'redis-cli ping', answer: /PONG/, verb: 'restart', afterKill: 'recovers' },
  {
    unit: 'cron.service',
    ask: 'echo "* * * * * true" | crontab - && crontab -l && kill -0 $(cat /run/crond.pid)',
    answer: /\* true/,
    verb: 'restart',
    afterKill: 'recovers',
  },
  {
    unit: 'dbus.service',
    ask: 'busctl --system list',
    answer: /org\.freedesktop\.DBus/,
    verb: 'reload',
    afterKill: 'fails',
  },
  {
    unit: 'rsyslog.service',
    ask: 'logger -u /run/systemd/journal/syslog hello-from-logger; sleep 0.3; cat /var/log/syslog',
    answer: /hello-from-logger/,
    verb: 'restart',
    afterKill: 'recovers',
    trigger: 'syslog.socket',
  },
  {
    unit: 'memcached.service',
    ask: 'printf "version\\r\\nquit\\r\\n" | nc -w 5 127.0.0.1 11211',
    answer: /VERSION 1\./,
    verb: 'restart',
    afterKill: 'recovers',
  },
  {
    unit: 'ssh.service',
    ask: 'ssh-keyscan -T 5 127.0.0.1',
    answer: /ssh-ed25519|ssh-rsa/,
    verb: 'reload',
    afterKill: 'recovers',
  },
  {
    unit: 'postgresql.service',
    works: 'postgresql@15-main.service',
    ask: 'su postgres -c "psql -Atc \'select 40 + 2\'"',
    answer: /^42$/m,
    verb: 'reload',
    afterKill: 'fails',
    result: 'exit-code',
  },
  {
    unit: 'haproxy.service',
    ask: 'echo "show info" | nc -U -w 5 /run/haproxy/admin.sock',
    answer: /Name: HAProxy/,
    verb: 'reload',
    afterKill: 'recovers',
  },
  {
    unit: 'mosquitto.service',
    ask: 'mosquitto_pub -h 127.0.0.1 -t t -m word -r && mosquitto_sub -h 127.0.0.1 -t t -C 1 -W 5',
    answer: /word/,
    verb: 'reload',
    afterKill: 'recovers',
  },
];

const missing = systemsMissing() ?? debianMissing();

describe.skipIf(missing !== undefined)(
  `Debian services${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;

    beforeAll(async () => {
      system = await startSystem({
        root: debianRoot(),
        files: {
          '/etc/sysmaster/system/hello.service': '[Service]\nType=oneshot\nExecStart=/bin/echo hello from a unit\n',
          '/etc/sysmaster/system/default.target':
            '[Unit]\nDescription=What the tests need\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n',
        },
      });
      await eventually('the boot is over', () => /running|degraded/.test(system.sctl('is-system-running').stdout), 120);
    }, 600_000);
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    }, 120_000);

    const property = (unit: string, name: string) => system.sctl('show', '-p', name, '--value', unit).stdout.trim();
    const mainPid = (unit: string) => Number(property(unit, 'MainPID'));
    const isActive = (unit: string) => system.sctl('is-active', unit).stdout.trim();
    const answers = (service: Service) => service.answer.test(system.inside('/bin/sh', '-c', service.ask).stdout);

    test.each(services)('$unit lives as its unit file says', async (service) => {
      const works = service.works ?? service.unit;
      const started = system.sctl('start', service.unit);
      expect(started, `${started.stderr}\n${system.sctl('status', works).stdout}`).toMatchObject({ status: 0 });
      expect(isActive(works)).toBe('active');
      await eventually(`${service.unit} answers`, () => answers(service), 30);

      const before = mainPid(works);
      expect(before).toBeGreaterThan(1);
      const changed = system.sctl(service.verb, works);
      expect(changed, changed.stderr).toMatchObject({ status: 0 });
      await eventually(`${service.unit} answers after ${service.verb}`, () => answers(service), 30);
      if (service.verb === 'reload') expect(mainPid(works)).toBe(before);
      else expect(mainPid(works)).not.toBe(before);

      const victim = mainPid(works);
      expect(system.inside('kill', '-KILL', String(victim)).status).toBe(0);
      if (service.afterKill === 'recovers') {
        await eventually(
          `${works} has another main process`,
          () => isActive(works) === 'active' && mainPid(works) > 1 && mainPid(works) !== victim,
          60,
        );
        await eventually(`${service.unit} answers again`, () => answers(service), 30);
      } else {
        await eventually(`${works} is failed`, () => isActive(works) === 'failed', 60);
        expect(property(works, 'Result')).toBe(service.result ?? 'signal'); // its ExecStart=- excuses postgresql's main process
        const again = system.sctl('start', works);
        expect(again, again.stderr).toMatchObject({ status: 0 });
        await eventually(`${service.unit} answers when started again`, () => answers(service), 30);
      }

      const group = property(works, 'ControlGroup');
      expect(group).toContain(works);
      const stopped = [service.trigger, service.unit, works].filter((unit) => unit !== undefined);
      expect(system.sctl('stop', ...stopped).status).toBe(0);
      expect(['inactive', 'failed']).toContain(isActive(works));
      await eventually(`nothing is left of ${works}`, () => {
        const procs = system.inside('cat', `/sys/fs/cgroup${group}/cgroup.procs`);
        return procs.status !== 0 || procs.stdout.trim() === '';
      });
    });

    test('output of a service is kept with its unit, and sctl logs shows it', async () => {
      expect(system.sctl('start', 'hello.service').status).toBe(0);
      await eventually(
        'the line is there',
        () => /hello from a unit/.test(system.sctl('logs', '-u', 'hello.service').stdout),
        30,
      );
    });

    test('core killed with SIGKILL comes back, and no service notices', async () => {
      system.sctl('start', 'redis-server.service', 'nginx.service', 'memcached.service');
      const units = ['redis-server.service', 'nginx.service', 'memcached.service'];
      const pids = units.map(mainPid);
      for (let round = 0; round < 5; round += 1) {
        const core = system.core();
        expect(core).toBeDefined();
        process.kill(core!, 'SIGKILL');
        await eventually('another core answers', () => {
          const now = system.core();
          return now !== undefined && now !== core && system.sctl('is-active', units[0]!).stdout.trim() === 'active';
        });
        expect(units.map(mainPid)).toEqual(pids);
      }
      expect(system.sctl('restart', 'redis-server.service').status).toBe(0);
      expect(mainPid('redis-server.service')).not.toBe(pids[0]);
    });

    test('what is stopped leaves no control group behind', () => {
      for (const { unit, works, trigger } of services)
        system.sctl('stop', ...[trigger, unit, works].filter((one) => one !== undefined));
      const groups = `/proc/${system.pid}/root/sys/fs/cgroup/system.slice`;
      if (!existsSync(groups)) return;
      const left = readdirSync(groups).filter(
        (name) =>
          statSync(join(groups, name)).isDirectory() &&
          services.some((service) => (service.works ?? service.unit) === name),
      );
      expect(left.map((name) => [name, readFileSync(join(groups, name, 'cgroup.procs'), 'utf8')])).toEqual([]);
    });
  },
);
