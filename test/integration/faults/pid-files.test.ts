/** PIDFile= outside of /run: core never opens it itself, so a file system that hangs hangs nothing else. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, property } from './small.ts';

const missing = systemsMissing();

/** A daemon that lets go of its starter, and says only later which process it is. */
const daemon = (file: string, after: string) =>
  `[Service]\nType=forking\nPIDFile=${file}\nExecStart=/bin/sh -c 'sleep 100000 & main=$$!; (${after}; echo $$main >${file}) &'\n`;

describe.skipIf(missing !== undefined)(
  `PID files outside of /run${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;
    /** The system's own. */
    const directory = '/var/tmp/pid-files';
    const at = (name: string) => `${directory}/${name}`;

    beforeAll(async () => {
      system = await bootSmall({
        units: {
          'late.service': daemon(at('late.pid'), 'sleep 0.5'),
          'later.service': daemon(at('later.pid'), `while ! test -e ${at('go')}; do sleep 0.05; done`),
          'hangs.service': `[Service]\nType=forking\nTimeoutStartSec=1\nPIDFile=${at('hangs.pid')}\nExecStart=/bin/sh -c 'sleep 100000 &'\n`,
          'endless.service': `[Service]\nType=forking\nTimeoutStartSec=infinity\nPIDFile=${at('hangs.pid')}\nExecStart=/bin/sh -c 'sleep 100000 &'\n`,
          'other.service': '[Service]\nExecStart=/bin/sleep 100000\n',
        },
      });
      system.inside('/bin/mkdir', directory);
      system.inside('/usr/bin/mkfifo', at('hangs.pid'));
    });
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    const commandOf = (unit: string) =>
      system.inside('/bin/cat', `/proc/${property(system, unit, 'MainPID')}/cmdline`).stdout.replaceAll('\0', ' ');

    test('are waited for, and name the main process', () => {
      expect(system.sctl('start', 'late.service')).toMatchObject({ status: 0 });
      expect(commandOf('late.service')).toBe('sleep 100000 ');
    });

    test('are taken away when the service has stopped', async () => {
      expect(system.sctl('stop', 'late.service')).toMatchObject({ status: 0 });
      await eventually(
        'the file is gone',
        () => system.inside('/bin/ls', directory).stdout.includes('late.pid') === false,
      );
    });

    test('are waited for by the core that comes after the one that began to', async () => {
      expect(system.sctl('start', '--no-block', 'later.service')).toMatchObject({ status: 0 });
      await eventually('it waits', () => property(system, 'later.service', 'SubState') === 'start');
      const before = system.core()!;
      process.kill(before, 'SIGKILL');
      await eventually('another core', () => ![undefined, before].includes(system.core()));
      expect(property(system, 'later.service', 'ActiveState')).toBe('activating');
      system.inside('/bin/touch', at('go'));
      await eventually('it runs', () => property(system, 'later.service', 'ActiveState') === 'active');
      expect(commandOf('later.service')).toBe('sleep 100000 ');
    });

    test('on a file system that hangs cost their own service its start, and nobody else anything', async () => {
      expect(system.sctl('start', '--no-block', 'hangs.service', 'endless.service')).toMatchObject({ status: 0 });
      expect(system.sctl('start', 'other.service')).toMatchObject({ status: 0 });
      expect(property(system, 'endless.service', 'ActiveState')).toBe('activating');
      await eventually('it has failed', () => property(system, 'hangs.service', 'Result') === 'timeout');
      expect(system.sctl('is-active', 'other.service')).toMatchObject({ status: 0 });
    });
  },
);
