import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { initramfs, vmMissing } from './image.ts';
import { boot } from './qemu.ts';

const missing = vmMissing();

describe.skipIf(missing !== undefined)(`a real kernel${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let work = '';
  beforeAll(() => {
    work = mkdtempSync('/var/tmp/sysmaster-vm.');
    initramfs(join(work, 'initrd'));
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  test('init as the real PID 1 mounts what it must, core reaches multi-user, and sctl poweroff ends the machine', async () => {
    const { console, status } = await boot(join(work, 'initrd'));
    expect(console).not.toMatch(/Kernel panic/);
    expect(console).toMatch(/report: pid 1 is init/);
    expect(console).toMatch(/report: mounts \/proc \/sys \/dev \/dev\/pts \/dev\/shm \/run \/sys\/fs\/cgroup/);
    expect(console).toMatch(/report: multi-user\.target active/);
    expect(console).toMatch(/report: hello\.service active/);
    expect(console).toMatch(/report: loopback up/);
    expect(console).toMatch(/Power down|reboot: Power down|goodbye: stopped in order/);
    expect(console).toMatch(/goodbye: stopped in order/);
    expect(status, console).toBe(0);
  });
});
