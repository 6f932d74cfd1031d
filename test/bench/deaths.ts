/**
 * The section of docs/BENCHMARKS.md on what happens when core, or another manager, dies. `npm run bench -- --deaths [--write]` makes
 * this section alone; a whole run keeps the one that is there.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { debianMissing, debianRoot } from '../integration/support/debian.ts';
import { project } from './machine.ts';
import { managers, managerTable } from './managers.ts';
import { type Figure, figure, words } from './measure.ts';
import type { Peer } from './peers.ts';
import { recovery, SERVICES } from './recovery.ts';

const BEGIN = '<!-- deaths -->';
const END = '<!-- /deaths -->';
const file = join(project, 'docs/BENCHMARKS.md');
/** Events that the journal is measured with. */
const EVENTS = 200_000;

/** The section as it stands in the document, with its marks; empty: there is none. */
export function keptSection(): string {
  const text = readFileSync(file, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  return from < 0 || to < from ? '' : text.slice(from, to + END.length);
}

/** Put a section into the document, in the place of the one before it. */
export function writeSection(section: string): void {
  const text = readFileSync(file, 'utf8');
  const kept = keptSection();
  writeFileSync(
    file,
    kept === '' ? text.replace('## Method\n', `${section}\n\n## Method\n`) : text.replace(kept, section),
  );
}

const load = () => readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(', ');

/** Measure all of it. */
export async function deathSection(
  ours: Peer,
  peers: readonly Peer[],
  rounds: number,
  sizes: readonly number[] = SERVICES,
): Promise<string> {
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const before = load();
  const rows: string[] = [];
  const failed: string[] = [];
  for (const size of sizes) {
    say(`killing core with ${size} services …`);
    const by: Figure[] = [];
    try {
      await recovery(ours, rounds, (_what, _name, value) => void by.push(value), [size]);
      rows.push(`| ${size} services | ${by.map(words).join(' | ')} |`);
    } catch (error) {
      failed.push(`${size} services: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  say('the journal …');
  const journal = [1000, 5000].map((actors) => {
    const args = [join(import.meta.dirname, 'turn.bench.mjs'), String(actors), String(EVENTS), '--json'];
    const done = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 });
    if (done.status !== 0) throw new Error(`turn.bench.mjs: ${done.status} ${done.stderr}`);
    const { usPerEvent, bytesPerEvent, longestMs } = JSON.parse(done.stdout) as Record<string, number>;
    const time = words(figure('µs', [usPerEvent!]));
    return `| ${actors} actors | ${bytesPerEvent!.toFixed(0)} bytes | ${time} | ${words(figure('ms', [longestMs!]))} |`;
  });
  const why = debianMissing();
  const found = why === undefined ? await managers(debianRoot(), peers, say) : { verdicts: [], failed: [why] };
  return [
    BEGIN,
    '## When core dies',
    '',
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} processors; load (1 and 5 minutes) ${before} at the begin, ${load()} at the end; ${rounds} deaths each.`,
    '',
    '| core killed (SIGKILL) with | until a client is answered | until all is as it was | processor time until then |',
    '|---|---|---|---|',
    ...rows,
    '',
    'In the same moment five services are killed; all is as it was when each of them runs again, which takes a shell of its own. A run in which',
    'any other service has another process, an exit is lost, a service runs twice or a client is not answered is an error, not a figure.',
    'Wall-clock times grow with what else runs: compare the load above with the number of processors. The aim is to have 1000',
    'services back in less than 300 ms.',
    '',
    '| journal | bytes an event | processor time an event | longest pause for an image |',
    '|---|---|---|---|',
    ...journal,
    '',
    'An image is made and written in many turns; the pause is the processor time of the longest of these steps, with small actors. Commits and',
    'effects are part of the time an event.',
    '',
    'Ten services under each manager, of which three are killed in the same moment as the manager:',
    '',
    ...managerTable(found.verdicts),
    '',
    '- **sysMaster**: core goes on from its checkpoint; init goes on from its own state, without core having to end.',
    '- **systemd** handles its own crash by freezing: on a machine (a guest of QEMU here) services run on, but no exit is seen to any more and no',
    '  request answered, until a reboot. In a container it exits instead, and everything in the container ends with it.',
    '- **s6** and **runit** have one process for each service, so the death of the one above them is noticed by nobody. When those processes',
    '  themselves die, what they looked after runs on without them and is started once more: seven services twice.',
    '- **supervisord** and **pm2** know their children only as children: a new one starts all of them again beside those that run. (pm2 is',
    '  told to `resurrect` what it has saved; by itself it would know of none.)',
    '',
    'A shell starts the peers again at once whenever they end, as the manager above them would.',
    ...[...failed, ...found.failed].map((line) => `\nNot measured: ${line}`),
    END,
  ].join('\n');
}
