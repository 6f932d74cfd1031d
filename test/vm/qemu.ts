/**
 * One guest: boot, read its console, see how it ended. Software emulation, with the parameters that boot every time.
 *
 * QEMU's own exit status does not tell a power-off from a restart after a panic, so its control channel is asked for the
 * reason, and the console is searched for the kernel's last words.
 */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { kernel } from './image.ts';

/** How a guest ended: by itself in one of two ways, by a panic of its kernel, not in time, or with QEMU. */
export type End = 'power-off' | 'restart' | 'panic' | 'hang' | 'emulator';

export interface Outcome {
  /** What the guest printed on its serial console, and QEMU on its standard error. */
  readonly console: string;
  readonly end: End;
}

/** Boot an initramfs and let it run until the guest ends itself, or the bound in seconds has passed. */
export function boot(initrd: string, seconds: number): Promise<Outcome> {
  const append = [
    'console=ttyS0 quiet panic=-1 reboot=t mitigations=off random.trust_cpu=on nokaslr norandmaps audit=0 apparmor=0',
    // The machine has nothing to calibrate its time-stamp counter by; see -icount below for its speed.
    'tsc=reliable no_timer_check tsc_early_khz=1000000 rdinit=/init',
  ].join(' ');
  const args = ['-accel', 'tcg,tb-size=256', '-M', 'microvm', '-cpu', 'max', '-smp', '1', '-m', '768'];
  args.push('-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-serial', 'stdio');
  args.push('-chardev', 'socket,id=control,fd=3', '-mon', 'chardev=control,mode=control');
  args.push('-kernel', kernel(), '-initrd', initrd, '-append', append);
  // One instruction is one nanosecond of the guest: no deadline in it depends on how busy this machine is.
  args.push('-icount', 'shift=0,sleep=off');
  return new Promise((resolve, reject) => {
    const qemu = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    let text = '';
    let control = '';
    let late = false;
    const kill = () => qemu.kill('SIGKILL');
    process.once('exit', kill);
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, seconds * 1000);
    for (const stream of [qemu.stdout!, qemu.stderr!]) {
      stream.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
    }
    const monitor = qemu.stdio[3] as Socket;
    monitor.setEncoding('utf8').on('data', (part: string) => {
      control += part;
    });
    monitor.on('error', () => {}); // QEMU has ended; how, its exit says
    monitor.write('{"execute":"qmp_capabilities"}\n');
    qemu.on('error', reject);
    qemu.on('close', () => {
      clearTimeout(timer);
      process.off('exit', kill);
      resolve({ console: text, end: late ? 'hang' : ending(text, control) });
    });
  });
}

function ending(text: string, control: string): End {
  if (/Kernel panic/.test(text)) return 'panic';
  const reason = /"SHUTDOWN".*?"reason": "([^"]+)"/s.exec(control)?.[1];
  if (reason === 'guest-shutdown') return 'power-off';
  return reason === 'guest-reset' ? 'restart' : 'emulator';
}

/** What every guest owes. @throws with its console if it did not switch itself off. */
export function assertOff(outcome: Outcome): void {
  if (outcome.end === 'power-off') return;
  throw new Error(`the guest did not switch itself off, but: ${outcome.end}; its console:\n${outcome.console}`);
}
