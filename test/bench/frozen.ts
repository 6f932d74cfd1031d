/**
 * What becomes of services when systemd, as process 1 of a whole machine, crashes: it freezes. In a guest of QEMU, since in a
 * container it exits instead.
 *
 * The same ten services as in managers.ts, judged from within by a program that is none of the manager's: started by the shell
 * that becomes process 1, it needs nobody. What it finds it says on the console.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { initramfs } from '../vm/image.ts';
import { boot } from '../vm/qemu.ts';
import type { Verdict } from './managers.ts';

/** Services that only sleep, and those that are killed with process 1. */
const STEADY = 7;
const KILLED = 3;
const NAMES = Array.from({ length: KILLED + STEADY }, (_, n) => `s${n}`);
/** How long a guest may take, by the clock of this machine. */
const GUEST_SEC = 240;

const service = (n: number) => `[Unit]
StartLimitIntervalSec=0
DefaultDependencies=no
[Service]
ExecStart=/bin/sh -c 'exec sleep ${5000 + n}'
Restart=always
RestartSec=0
`;

/** Says `judge: WHAT NUMBER` for what is counted, and ends the machine. Numbers of processes come from their command lines alone. */
const JUDGE = `#!/bin/sh
say() { echo "judge: $*" >/dev/console; }
of() { ps -o pid,args | while read -r pid line; do [ "$line" = "sleep $((5000 + $1))" ] && echo "$pid"; done; }
count() { ps -o args | grep '^sleep 50' | sort -u | wc -l; }
seen() { ps -o args | grep '^sleep 500[012]' | sort -u | wc -l; }
tries=0
until [ "$(count)" = ${NAMES.length} ] || [ $tries -ge 100 ]; do sleep 0.5; tries=$((tries + 1)); done
say up $(count)
sleep 2
kept=
for s in 3 4 5 6 7 8 9; do kept="$kept $s:$(of $s)"; done
kill -SEGV 1
for s in 0 1 2; do kill -KILL $(of $s); done
tries=0
until [ "$(seen)" = ${KILLED} ] || [ $tries -ge 30 ]; do sleep 0.5; tries=$((tries + 1)); done
sleep 3
alive=0
for one in $kept; do [ "$(of \${one%%:*})" = "\${one#*:}" ] && alive=$((alive + 1)); done
doubled=$(ps -o args | grep '^sleep 50' | sort | uniq -d | wc -l)
say alive $alive
say doubled $doubled
say seen $(seen)
say ms $((tries * 500))
timeout 30 systemctl restart s9.service >/dev/null 2>&1
say asked $?
busybox poweroff -f
`;

/** Programs and libraries of the Debian root, as they lie there. */
function fromRoot(root: string, programs: readonly string[]): Record<string, string> {
  const found = programs.flatMap((program) => {
    const done = spawnSync('chroot', [root, 'ldd', program], { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`ldd ${program}: ${done.stderr.trim()}`);
    return [program, ...[...done.stdout.matchAll(/(\/\S+\.so\S*)/g)].map((match) => match[1]!)];
  });
  return Object.fromEntries(found.map((path) => [path, join(root, path)]));
}

/**
 * Crash process 1 of a machine of its own.
 *
 * @param root a Debian root with systemd in it
 * @throws with the console if it cannot be judged, or if it still obeys: then it is not frozen
 */
export async function frozen(root: string): Promise<Verdict> {
  const work = mkdtempSync('/var/tmp/sysmaster-frozen.');
  try {
    const initrd = join(work, 'initrd');
    const wants = NAMES.map((unit) => `${unit}.service`).join(' ');
    initramfs(initrd, {
      core: false,
      copies: fromRoot(root, ['/usr/lib/systemd/systemd', '/bin/systemctl']),
      files: {
        '/judge': JUDGE,
        '/init': `#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
/bin/busybox setsid /judge </dev/null >/dev/console 2>&1 &
exec /usr/lib/systemd/systemd
`,
        ...Object.fromEntries(NAMES.map((unit, n) => [`/etc/systemd/system/${unit}.service`, service(n)])),
        '/etc/systemd/system/default.target': `[Unit]\nDefaultDependencies=no\nWants=${wants}\n`,
      },
    });
    const { console: said } = await boot(initrd, GUEST_SEC);
    const number = (what: string): number => {
      const found = new RegExp(`^judge: ${what} (\\d+)\\r?$`, 'm').exec(said)?.[1];
      if (found === undefined) throw new Error(`nothing about "${what}"; its console:\n${said}`);
      return Number(found);
    };
    if (number('up') !== NAMES.length) throw new Error(`not all was up; its console:\n${said}`);
    if (!/Freezing execution/.test(said) || number('asked') === 0) throw new Error(`not frozen; its console:\n${said}`);
    const seen = number('seen');
    return {
      ...{ name: 'systemd', killed: 'PID 1 of a machine (QEMU), SIGSEGV' },
      ...{ alive: number('alive'), doubled: number('doubled'), seen },
      // By the guest's clock, which is no measure of speed.
      tookMs: seen === KILLED ? number('ms') : undefined,
    };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
