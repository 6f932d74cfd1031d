import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ImageOptions, initramfs, vmMissing } from './image.ts';
import { assertOff, boot, type Outcome } from './qemu.ts';

const missing = vmMissing();

describe.skipIf(missing !== undefined)(`a real kernel${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let work = '';
  beforeAll(() => {
    work = mkdtempSync('/var/tmp/sysmaster-vm.');
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  async function booted(seconds: number, options?: ImageOptions): Promise<Outcome> {
    const initrd = join(work, 'initrd');
    initramfs(initrd, options);
    return await boot(initrd, seconds);
  }

  test('init as the real PID 1 mounts what it must, core reaches multi-user, survives SIGKILL, and sctl poweroff ends the machine in order', async () => {
    const outcome = await booted(240);
    assertOff(outcome);
    const lines = outcome.console.split(/\r?\n/);
    const reported = lines.filter((line) => line.startsWith('report: ')).map((line) => line.slice('report: '.length));
    expect(reported, outcome.console).toEqual([
      'pid 1 is /usr/lib/sysmaster/init',
      '/proc is proc',
      '/sys is sysfs',
      '/dev is devtmpfs',
      '/dev/pts is devpts',
      '/dev/shm is tmpfs',
      '/run is tmpfs',
      '/sys/fs/cgroup is cgroup2',
      'control groups are delegated by namespace',
      '/dev/fd leads to /proc/self/fd',
      '/dev/stdin leads to fd/0',
      '/dev/stdout leads to fd/1',
      '/dev/stderr leads to fd/2',
      'host name guest',
      'machine-id of 32 digits',
      'loopback up',
      'datagram queue 512',
      'init in /init.scope',
      'core in /core.scope',
      'first.service in /system.slice/first.service',
      'multi-user.target active',
      'second.service active',
      'core is another process after SIGKILL',
      'first.service is the same process',
      'first.service active',
    ]);
    const farewells = lines.filter((line) => /^goodbye |reboot: Power down|still mounted/.test(line));
    expect(farewells.map((line) => line.replace(/^\[.*?\] /, ''))).toEqual([
      'goodbye second',
      'goodbye first',
      'reboot: Power down',
    ]);
  });

  test('a core that cannot be started is told of on the console, leads to an emergency shell, and never to a panic', async () => {
    const outcome = await booted(120, {
      core: false,
      files: {
        '/usr/lib/sysmaster/init.conf':
          'Core=/usr/lib/sysmaster/no-such-core\nCoreRestartIntensity=1\nEmergencyShell=/bin/sh /emergency\n',
        '/emergency': 'echo "emergency: init is $(readlink /proc/1/exe)"\nkill -TERM 1\n',
      },
    });
    assertOff(outcome);
    expect(outcome.console).toMatch(/sysmaster-init: core: .*no-such-core/);
    expect(outcome.console).toMatch(/^emergency: init is \/usr\/lib\/sysmaster\/init\r?$/m);
  });

  test('the harness calls the end of PID 1 a panic, and fails', async () => {
    const outcome = await booted(60, { core: false, files: { '/init': '#!/bin/sh\necho gone\n' } });
    expect(outcome.console).toMatch(/^gone\r?$/m);
    expect(outcome.end).toBe('panic');
    expect(() => assertOff(outcome)).toThrow(/panic; its console:\n[\s\S]*Attempted to kill init/);
  });

  test('the harness calls a guest that does not end a hang, and fails', async () => {
    // It is busy and not idle: an idle guest's clock would run ahead to the end of time.
    const outcome = await booted(5, { core: false, files: { '/init': '#!/bin/sh\nwhile :; do :; done\n' } });
    expect(outcome.end).toBe('hang');
    expect(() => assertOff(outcome)).toThrow(/hang/);
  });
});
