/**
 * Another core while much is under way: a hundred jobs and the clients that wait for them go on, whether the new core takes over, is
 * refused, or has to give way to the one before; and so does the end of the system.
 */
import { closeSync, constants, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually, lib, systemsMissing } from '../support/system.ts';
import { bootSmall, coreLog, laterSctl, property } from './small.ts';

const missing = systemsMissing();
/** How many jobs are under way; SYSMASTER_CROWD says otherwise. */
const JOBS = Number(process.env['SYSMASTER_CROWD'] ?? 100);
const CLIENTS = 5;
const note = (word: string) => `echo ${word} >>/run/done`;

test.skipIf(missing !== undefined)(
  `another core takes over in the midst of a crowd, and of the end ${missing ?? ''}`,
  async () => {
    const system = await bootSmall({
      units: {
        'job@.service': `[Service]\nType=oneshot\nExecStart=/bin/sh -c "${note('began %i')}; read word </run/pipe; ${note('ended %i')}"\n`,
        'late.service': `[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c "read word </run/pipe; systemd-notify --ready || perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $$ENV{NOTIFY_SOCKET})->send(q(READY=1))'; exec sleep 1000"\n`,
        'lingers.service': `[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sh -c "${note('stopping')}; read word </run/pipe; ${note('stopped')}"\n`,
      },
      wants: ['lingers.service'],
      copy: Object.fromEntries(
        ['core.cjs', 'core-bundle.cjs', 'addon.node'].map((name) => [join(lib, name), `/run/lib/${name}`]),
      ),
      initConf: [
        `Core=${lib}/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc /run/lib/core.cjs`,
      ],
      coreEnvironment: { SYSMASTER_LIB: lib },
    });
    const bundle = join(system.run, 'lib/core-bundle.cjs');
    const present = readFileSync(bundle, 'latin1');
    const onlyInCharge = (fault: string) => `if (!process.argv.includes('--check-checkpoint')) ${fault};\n${present}`;
    const upgrade = (text: string) => {
      writeFileSync(bundle, text, 'latin1');
      return system.sctl('daemon-reexec').status;
    };
    const done = (word: string) =>
      existsSync(join(system.run, 'done'))
        ? readFileSync(join(system.run, 'done'), 'utf8')
            .split('\n')
            .filter((line) => line.startsWith(word))
        : [];
    /** Whoever waits for a word is told that none will come; to be said again for those who come to wait later. */
    const goOn = () => {
      try {
        closeSync(openSync(join(system.run, 'pipe'), constants.O_WRONLY | constants.O_NONBLOCK));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error; // nobody waits
      }
    };
    const jobs = () => system.sctl('list-jobs', '--no-legend').stdout.split('\n').filter(Boolean).length;
    try {
      expect(system.inside('mkfifo', '/run/pipe').status).toBe(0);
      const each = JOBS / CLIENTS;
      const clients = Array.from({ length: CLIENTS }, (_, client) =>
        laterSctl(
          system,
          'start',
          ...(client % 2 === 0 ? ['--wait'] : []),
          ...Array.from({ length: each }, (_, at) => `job@${client * each + at}.service`),
        ),
      );
      clients.push(laterSctl(system, 'start', 'late.service'));
      await eventually('all are under way', () => done('began').length === JOBS && jobs() === JOBS + 1);
      const first = system.core();
      expect(upgrade('this is no program')).toBe(1);
      expect(system.core()).toBe(first);
      for (const [text, status] of [
        [`${present}\n/* another version */\n`, 0],
        [onlyInCharge('process.exit(7)'), 1],
        [present, 0],
      ] as const) {
        const before = system.core();
        expect(upgrade(text)).toBe(status);
        expect([undefined, before]).not.toContain(system.core());
        expect(jobs()).toBe(JOBS + 1);
      }
      let answered = false;
      const answers = Promise.all(clients).finally(() => {
        answered = true;
      });
      await eventually('the clients are answered', () => {
        goOn();
        return answered;
      });
      for (const { status, stderr } of await answers)
        expect([status, stderr.replaceAll('Core is being restarted; trying again …\n', '')]).toEqual([0, '']);
      for (const word of ['began', 'ended']) {
        const seen = done(word);
        expect([word, seen.length, new Set(seen).size]).toEqual([word, JOBS, JOBS]);
      }
      expect(property(system, 'late.service', 'ActiveState')).toBe('active');
      expect(jobs()).toBe(0);

      const off = laterSctl(system, 'poweroff');
      await eventually('the end has begun', () => done('stopping').length === 1);
      expect(upgrade(`${present}\n/* the last version */\n`)).toBe(0);
      process.kill(await eventually('core', () => system.core()), 'SIGKILL');
      await eventually('the end goes on', () => system.sctl('is-system-running').stdout === 'stopping\n');
      expect(coreLog(system).split('"state-fresh"')).toHaveLength(2);
      await eventually('the system is off', () => {
        goOn();
        return system.ended() !== undefined;
      });
      expect((await off).status).toBe(0);
      expect([done('stopping'), done('stopped')]).toEqual([['stopping'], ['stopped']]);
    } finally {
      expect(await system.stop()).toBe(true);
    }
  },
  240_000,
);
