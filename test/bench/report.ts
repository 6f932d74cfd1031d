/** The figures as one document. */
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { type Figure, median, words } from './measure.ts';

export interface Row {
  readonly what: string;
  /** By name of who was measured. */
  readonly by: Map<string, Figure>;
}

export interface Aim {
  readonly what: string;
  /** The most that the median may be. */
  readonly limit: number;
  readonly value: Figure;
}

interface Measured {
  readonly rows: readonly Row[];
  readonly aims: readonly Aim[];
  readonly ours: string;
  readonly others: readonly string[];
  readonly missing: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  /** The section on deaths, as it is kept. */
  readonly deaths: string;
}

/** Ours divided by theirs: for times and memory below 1 is better, for rates above 1. */
function ratio(row: Row, ours: string, other: string): string {
  const [own, theirs] = [row.by.get(ours), row.by.get(other)];
  if (own === undefined || theirs === undefined) return '';
  const value = median(own.samples) / median(theirs.samples);
  return ` · ×${value >= 10 ? value.toFixed(0) : value.toFixed(2)}`;
}

const METHOD = `\`npm run bench\` makes these figures; \`npm run bench -- --write\` writes this file. It needs root, and for the peers
debootstrap and Debian's packages. All are booted in the same way: as PID 1 of fresh pid, mount, control-group, UTS, IPC and
network namespaces, over the same Debian root (an overlay), by \`scripts/namespaces.sh\`; the rounds of all of them alternate.
Each figure is the median, with the least and the greatest sample; behind it, for a peer, stands ours divided by theirs: of times
and memory less than 1 is good for us, of rates more than 1.

- **exec of init** is stamped by the shell that becomes PID 1, right before it does. \`multi-user.target\` is stamped by the
  manager itself (\`ActiveEnterTimestampMonotonic\`). systemd boots the same unit files, with no others on its path, no generators
  and no journal.
- **exec of core** is stamped in the same way; the first unit is the earliest \`ExecMainStartTimestampMonotonic\`: it is the log
  keeper.
- **Thirty services**: 9 oneshots (runit and busybox init run them one after the other), then 20 daemons, then one that writes the time. runit knows no
  dependencies: its last service waits with \`sv start\`; busybox init knows no readiness either, and says nothing when asked.
- **Memory** is the proportional set size (\`Pss\` of \`/proc/PID/smaps_rollup\`) two seconds after boot. The whole manager is init and
  core; systemd's PID 1; runit, runsvdir and 21 runsv. The text of node is shared with the bare Node (one that only waits for a timer)
  that runs beside it at that moment, and with the benchmark itself, for both alike; anonymous memory is nobody else's.
- **Oneshots a second**: \`start many.target\`, which wants 500 units of Type=oneshot running /bin/true, from the start of the client
  to its end. The first round also reads the files.
- **Unit files read, merged and linked** and **a start planned** are measured without core or init, in a process of their own for each
  sample: \`many.target\` wants all units, each of twelve lines and after another one. Cold is the first thing that process does.
  Where none has changed, the unit path is scanned and every file's stamps are compared with what is kept. Of the plans the first
  one runs code that is cold; the warm one is the median of five after it.
- **A target that wants N oneshots** of /bin/true, none of which has been loaded before: \`start --no-block\` is the client from start
  to end (units are loaded and jobs planned by then), the other figure is from its start until a service after the target writes the
  time. One sample a size. **daemon-reload** follows, with all of them loaded and no file changed.
- **Spawning**: a core that only spawns /bin/true through the real init, 300 times, from the call until the record \`execed\`; beside it
  Node's own \`child_process.spawn\`, which returns when the program runs, has no control group, and needs Node as the parent.
- **When core dies**: \`npm run bench -- --deaths --beside DIR,DIR --sizes 1000 --rounds 20\` boots a machine for each of these builds (copies of
  \`.build\`) and kills their cores in turn. Besides the times above it tells core's processor time to the nanosecond, of all threads and of the main one,
  which can be compared while other things run, when core had come how far, and its memory at rest. It writes no document.
`;

const WHERE = `Where it goes. This was found once, by profiles and heap snapshots of 2026-11-22, and is not measured by the run:

- Core starts with code that was compiled when it was built (docs/adr/0008): that is 50 ms of its start. Of the rest about 25 ms are
  Node's own start, and the larger part the first run of the code that loads and starts the log keeper.
- Init at rest is its anonymous memory, 0.25 MB, and the pages that sleeping needs; whatever wakes it maps 1.2 MB of text for half a second.
- Core at rest has collected its heap (11 MB live, bare Node's about 4), given back what the allocator kept, and let go of text: what
  stays is less text than bare Node's, which never lets go of what its start mapped.
- A plan is linear in its units: the first one of 1,000, 2,000, 5,000, 10,000 and 20,000 units took 27, 35, 91, 149 and 254 ms of the main
  thread's time (that of 10,000 had taken 500), on a machine too busy for a clock to tell. It no longer makes the reasons of 120,000
  edges, of which it tells 10,000, nor lists of its own for each job.
- For 10,000 oneshots core takes 24 s of processor time where it took 55, and init 14 s where it took 43; on a busy machine, where it sleeps less
  between two of them, init takes 3. Core looked at every unit after each turn with a failed one, and its young generation was too small
  (docs/adr/0008); init wrote all of its state in each turn.
- A question about a chain of 10,000 units, \`sctl\`'s own start and its answer of 3 to 7 MB included, on a quiet machine: 0.87 s the first time (\`start
  --dry-run\`, which reads their files), 0.3 s from then on, 0.1 to 0.2 s for \`why\`, 0.5 s for \`list-dependencies --all\`; to install its 10,000 jobs and
  say so (\`start --no-block\`) takes 0.8 s, or 1.1 to 1.2 s where nobody has read the files yet; 0.8 s to list or to cancel them. A knot of 5,000: 0.6,
  0.2 and 0.4 s, a plan of its stop in the middle of its start 0.5 s. 2,000 units named in one request: 0.6 s for a dry run, 0.8 s for the start.
  Actors that have nothing to do yet lie dormant (docs/adr/0012); it had been 1.5 s for the start of the chain.
- \`sctl\` as a process is a start of Node: see the same question over an open connection.
`;

export function report({ rows, aims, ours, others, missing, rounds, seconds, deaths }: Measured): string {
  const names = [
    ours,
    ...others,
    ...new Set(rows.flatMap((row) => [...row.by.keys()]).filter((name) => name !== ours && !others.includes(name))),
  ];
  const table = [
    `| | ${names.join(' | ')} |`,
    `|---|${names.map(() => '---').join('|')}|`,
    ...rows.map((row) => {
      const cells = names.map((name) => {
        const figure = row.by.get(name);
        return figure === undefined ? '–' : `${words(figure)}${name === ours ? '' : ratio(row, ours, name)}`;
      });
      return `| ${row.what} | ${cells.join(' | ')} |`;
    }),
  ];
  const verdicts = aims.map(({ what, limit, value }) => {
    if (value.samples.length === 0) return `- Not measured: ${what}.`;
    const met = median(value.samples) <= limit;
    return `- **${met ? 'Met' : 'Not met'}:** ${what}. Measured: ${words(value)}.`;
  });
  const [cpu] = cpus();
  return [
    '# Benchmarks',
    '',
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpu?.model.trim()}, Linux ${release()}, Node ${process.versions.node}; ${rounds} rounds in ${seconds.toFixed(0)} s; load at the end ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}.`,
    '',
    '## Aims',
    '',
    ...verdicts,
    '',
    WHERE,
    '## Figures',
    '',
    ...table,
    '',
    ...missing.map((line) => `Not measured: ${line}\n`),
    ...(deaths === '' ? [] : [deaths, '']),
    '## Method',
    '',
    METHOD,
  ].join('\n');
}
