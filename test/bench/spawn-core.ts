/**
 * A core that does nothing but spawn: how long from asking init for a process until it says that the program runs. The real
 * init starts it; it writes its samples, in µs, to the file `samples` in its run directory, and ends the system.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNodeHost } from '../../src/host/node/index.ts';

const ROUNDS = 300;
const WARM = 30;
const host = createNodeHost({ stateBytes: 64 * 1024 });
const forked: number[] = [];
const execed: number[] = [];
let round = 0;
let asked = 0n;

function ask(): void {
  round += 1;
  asked = process.hrtime.bigint();
  host.process.spawn(
    { epoch: 1, seq: round, index: 0 },
    'bench',
    { version: 1, unit: 'bench', path: '/bin/true', argv: ['true'] },
    [],
  );
}

const since = (): number => Number(process.hrtime.bigint() - asked) / 1000;

host.start(
  (event) => {
    if (event.type !== 'record') return;
    const { number, what } = event.record;
    host.process.ack(number);
    if ('forked' in what && round > WARM) forked.push(since());
    if ('execed' in what && round > WARM) execed.push(since());
    if ('spawn-failed' in what) throw new Error(JSON.stringify(what));
    if (!('exited' in what)) return;
    if (round < ROUNDS + WARM) return ask();
    writeFileSync(join(host.facts.runDirectory, 'samples'), JSON.stringify({ forked, execed }));
    host.init.shutdown('exit', 5000, true, 0, '');
  },
  () => {
    host.init.beat();
    if (round === 0) ask();
  },
);
host.init.ready();
host.schedule();
