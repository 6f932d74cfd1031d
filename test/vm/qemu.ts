/** One guest: boot, read its console, wait for its end. Software emulation; the parameters are the ones that boot every time. */
import { spawn } from 'node:child_process';
import { kernel } from './image.ts';

/** The host's time-stamp counter in kHz: the microvm machine has nothing else to calibrate by. */
function tscKhz(): string {
  return '1000000';
}

export interface Outcome {
  /** What the guest printed on its serial console. */
  readonly console: string;
  /** QEMU's exit status; undefined: it was ended because the guest did not end in time. */
  readonly status: number | undefined;
}

/** Boot an initramfs and let it run until the guest ends itself, or the bound in seconds has passed. */
export function boot(initrd: string, options: { readonly append?: string; readonly seconds?: number } = {}): Promise<Outcome> {
  const append = [
    'console=ttyS0 quiet panic=-1 reboot=t mitigations=off random.trust_cpu=on nokaslr norandmaps audit=0 apparmor=0',
    `tsc=reliable no_timer_check tsc_early_khz=${tscKhz()} rdinit=/init`,
    options.append ?? '',
  ].join(' ');
  const args = ['-accel', 'tcg,tb-size=256', '-M', 'microvm', '-cpu', 'max', '-smp', '1', '-m', '768', '-nodefaults', '-no-user-config', '-no-reboot'];
  args.push('-display', 'none', '-serial', 'stdio', '-kernel', kernel(), '-initrd', initrd, '-append', append);
  // One instruction is one nanosecond of the guest: its clock does not depend on how busy this machine is.
  args.push('-icount', 'shift=0,sleep=off');
  return new Promise((resolve, reject) => {
    const qemu = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      qemu.kill('SIGKILL');
    }, (options.seconds ?? 300) * 1000);
    qemu.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    qemu.stderr.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    qemu.on('error', reject);
    qemu.on('exit', (status) => {
      clearTimeout(timer);
      resolve({ console: text, status: late ? undefined : (status ?? 128) });
    });
  });
}
