/** Daemons whose parent and whose own process both end while core is away, dead or hanging: how they ended is known all the same. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, property } from './small.ts';

const missing = systemsMissing();

const AT = '/run/heirs';

/** `NAME WAY`: leaves a daemon behind; at its first start only once it is told to, at the next ones at once. */
const parent = `#!/bin/sh
at=${AT}/$1
echo $$ >$at.parent
/bin/sh ${AT}/daemon.sh $at $2 $$ &
main=$!
if [ $2 = twice ]; then until [ -e $at.daemon ]; do sleep 0.02; done; fi
[ $2 = file ] && echo $main >$at.pid
[ $2 = notify ] && perl ${AT}/say.pl READY=1
until [ -e $at.go ]; do sleep 0.02; done
[ $2 = notify ] && perl ${AT}/say.pl MAINPID=$main
exit 0
`;
/** Runs for ever, but fails at its first start as soon as its parent, $3, has ended. With \`twice\` another one does, which it leaves behind. */
const daemon = `#!/bin/sh
if [ $2 = twice ] && ! [ -e $1.over ]; then
  (until [ -e $1.go ]; do sleep 0.02; done; exec /bin/sh ${AT}/daemon.sh $1 last $3) &
  echo $$ >$1.daemon
  until [ -e $1.go ] && ! [ -e /proc/$3 ]; do sleep 0.02; done
  exit 0
fi
[ $2 = last ] || echo $$ >$1.daemon
[ $2 = last ] && echo $$ >$1.last
[ -e $1.over ] && exec sleep 100000
until [ -e $1.go ] && ! [ -e /proc/$3 ]; do sleep 0.02; done
[ $2 = last ] && sleep 0.2
: >$1.over
exit 3
`;
const say = `use IO::Socket::UNIX;
IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET})->send($ARGV[0]) or die $!;
`;

const WAYS = {
  guess: 'Type=forking',
  twice: 'Type=forking',
  file: 'Type=forking\nPIDFile=%t/heirs/%p.pid',
  notify: 'Type=notify\nNotifyAccess=all',
} as const;
type Way = keyof typeof WAYS;
const ways = Object.keys(WAYS) as Way[];
const HOLES = {
  killed: 'core is killed afterwards',
  hanging: 'core only hangs meanwhile',
  faults: 'init faults in between, and core is killed',
} as const;
const holes = Object.keys(HOLES) as (keyof typeof HOLES)[];

describe.skipIf(missing !== undefined)(
  `daemons that end with their parents while core is away${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;

    beforeAll(async () => {
      const service = (name: string, way: Way): readonly [string, string] => [
        `${name}.service`,
        `[Service]\n${WAYS[way]}\nExecStart=/bin/sh ${AT}/parent.sh ${name} ${way}\nRestart=on-failure\nRestartSec=100ms\n`,
      ];
      system = await bootSmall({
        units: Object.fromEntries(holes.flatMap((hole) => ways.map((way) => service(`${way}-${hole}`, way)))),
        files: { [`${AT}/parent.sh`]: parent, [`${AT}/daemon.sh`]: daemon, [`${AT}/say.pl`]: say },
      });
    });
    afterAll(async () => {
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    const there = (path: string) => system.inside('/bin/test', '-e', path).status === 0;
    const wordIn = (path: string) => system.inside('/bin/cat', path).stdout.trim();
    /** Where the stack of init begins, which the kernel chooses anew at each execve (proc_pid_stat(5), startstack). */
    const image = () => readFileSync(`/proc/${system.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[25]!;

    /** Its parent waits for the word to end; with Type=notify it is up by then. */
    const waits = (name: string, way: Way) =>
      property(system, `${name}.service`, way === 'notify' ? 'ActiveState' : 'SubState') ===
        (way === 'notify' ? 'active' : 'start') &&
      ['parent', 'daemon'].every((file) => wordIn(`${AT}/${name}.${file}`) !== '');

    test.each(holes.map((hole) => [HOLES[hole], hole] as const))(
      'have failed, and are started again: %s',
      async (_, hole) => {
        const all = ways.map((way) => [way, `${way}-${hole}`] as const);
        expect(system.sctl('start', '--no-block', ...all.map(([, name]) => `${name}.service`))).toMatchObject({
          status: 0,
        });
        for (const [way, name] of all) await eventually(`the parent of ${name}`, () => waits(name, way));
        const core = system.core()!;
        process.kill(core, 'SIGSTOP');
        try {
          system.inside('/bin/touch', ...all.map(([, name]) => `${AT}/${name}.go`));
          for (const [way, name] of all)
            for (const file of ['parent', 'daemon', ...(way === 'twice' ? ['last'] : [])]) {
              const pid = await eventually(`the pid of ${name}.${file}`, () => wordIn(`${AT}/${name}.${file}`));
              await eventually(`the end of ${name}.${file}`, () => !there(`/proc/${pid}`));
            }
          if (hole === 'faults') {
            const before = image();
            process.kill(system.pid, 'SIGSEGV');
            await eventually('init has come back', () => image() !== before);
          }
        } finally {
          process.kill(core, hole === 'hanging' ? 'SIGCONT' : 'SIGKILL');
        }
        for (const [, name] of all) {
          const unit = `${name}.service`;
          await eventually(`${unit} runs again`, () => {
            const shown = system.sctl('show', '-p', 'NRestarts', '-p', 'SubState', unit).stdout;
            return shown.includes('NRestarts=1') && shown.includes('SubState=running');
          });
          expect(system.sctl('history', unit).stdout).toMatch(/\(main\) exited, status=3/);
          expect(property(system, unit, 'MainPID')).not.toBe('0');
        }
      },
    );
  },
);
