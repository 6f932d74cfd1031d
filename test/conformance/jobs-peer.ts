/**
 * A live systemd 252 to compare with: it is given random sets of units and requests, and says what became of them.
 *
 * It runs as PID 1 of its own namespaces on the Debian root of the tests, with only the units of the sets. What its jobs did is
 * read off its debug log, since nothing else tells the results of all of them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isIdle } from '../../src/cli/commands/idle.ts';
import { MARKER, type Machine, start } from '../bench/machine.ts';
import { debianRoot } from '../integration/support/debian.ts';
import { NEXT_MS, type SetRequest, textsOf, type UnitSet } from '../simulation/generate.ts';

const UNITS = '/run/bench/units';
const LOG = '/run/bench/log';

/** What one request led to. */
export interface Outcome {
  /** Units named in the request whose transaction was refused, sorted. */
  readonly refused: readonly string[];
  /** `type unit result`, in the order in which the jobs ended; a restart is told as its start phase. */
  readonly jobs: readonly string[];
  /** `active/sub/result` of each unit, when nothing moved any more. */
  readonly states: Readonly<Record<string, string>>;
  /** Jobs of one transaction contradicted each other, and one was left out; of ours only, since nobody else tells. */
  readonly gaveUp?: boolean;
  /** A job was deleted for it to break an ordering cycle; of systemd only. */
  readonly deleted?: boolean;
}

/** What became of a set, request by request. */
export interface Told {
  /** Up to the one after which it did not come to rest. */
  readonly outcomes: readonly Outcome[];
  /** After some seconds jobs were still there. */
  readonly restless: boolean;
}

/** Boot one, and give it sets (of different prefixes) one after the other. One that does not come to rest is booted anew. */
export async function playPeer(sets: readonly UnitSet[]): Promise<readonly Told[]> {
  const told: Told[] = [];
  for (let left = sets; left.length > 0; left = sets.slice(told.length)) {
    const machine = await boot(left);
    try {
      for (const set of left) {
        const one = playOne(machine, set);
        told.push(one);
        if (one.restless || set === left.at(-1) || !cleared(machine, set)) break;
      }
    } finally {
      await machine.end();
    }
  }
  return told;
}

const TARGET = '[Unit]\nDefaultDependencies=no\nWants=mark.service\n';
const MARK = `[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo >${MARKER}"\n`;

function boot(sets: readonly UnitSet[]): Promise<Machine> {
  const program = '/lib/systemd/systemd --system --log-level=debug --log-target=console --show-status=no';
  const units = sets.flatMap((set) => Object.entries(set.units));
  return start({
    root: debianRoot(),
    argv: [program],
    files: {
      // It logs to /dev/console only if that is a terminal: one of script(1)'s, which writes it all to a file.
      '/run/bench/init': [
        'echo $EPOCHREALTIME >/run/bench/execed',
        `script -qf -c 'sleep infinity' ${LOG} >/dev/null </dev/null &`,
        'until [ -e /dev/pts/0 ]; do sleep 0.01; done',
        'ln -s /dev/pts/0 /dev/console',
        `exec env SYSTEMD_UNIT_PATH=${UNITS} SYSTEMD_GENERATOR_PATH= SYSTEMD_LOG_COLOR=0 ${program}`,
        '',
      ].join('\n'),
      [`${UNITS}/default.target`]: TARGET,
      [`${UNITS}/mark.service`]: MARK,
      ...Object.fromEntries(units.map(([name, text]) => [`${UNITS}/${name}`, text])),
    },
  });
}

/** A request that it has not carried out by then, in s, keeps it busy for ever. */
const PATIENCE_S = 10;
/** Rounds of waiting, of some 40 ms each. */
const LIMIT = 150;

/** One request, then until nothing moves: no job for a while. */
function requestScript({ requests }: UnitSet, index: number): string {
  const asked = requests[index]!;
  return [
    askScript(asked),
    ...(asked.next === undefined ? [] : [`sleep ${NEXT_MS / 1000}`, askScript(asked.next)]),
    `quiet=0; for i in $(seq ${LIMIT}); do if [ -z "$(systemctl list-jobs --no-legend)" ]; then quiet=$((quiet+1)); else quiet=0; fi; [ $quiet -lt 3 ] || break; sleep 0.02; done`,
    '[ $quiet -ge 3 ] || echo restless',
  ].join('\n');
}

/** Types of jobs that systemctl has no verb for. */
const BARE_TYPES: ReadonlySet<string> = new Set(['verify-active', 'try-reload', 'reload-or-start']);

function askScript({ verb, mode, units }: SetRequest): string {
  if (!BARE_TYPES.has(verb))
    return `systemctl ${verb} --job-mode=${mode} --no-block ${units.join(' ')} 2>&1 >/dev/null | sed -n "s/^Failed to [a-z-]* \\([^ ]*\\): .*/refused \\1/p"`;
  const call =
    'dbus-send --peer=unix:path=/run/systemd/private --print-reply --reply-timeout=1000 /org/freedesktop/systemd1';
  // Its answers get lost as often as not, though the requests are carried out: refusals of these are not compared.
  return units
    .map(
      (unit) =>
        `${call} org.freedesktop.systemd1.Manager.EnqueueUnitJob string:${unit} string:${verb} string:${mode} >/dev/null 2>&1`,
    )
    .join('\n');
}

function playOne(machine: Machine, set: UnitSet): Told {
  const log = () => readFileSync(join(machine.state, LOG), 'utf8');
  const names = Object.keys(textsOf(set));
  let restless = false;
  const outcomes = set.requests.flatMap((_, index): Outcome[] => {
    if (restless) return [];
    const from = log().length;
    const said = machine.run(
      'bash',
      '-c',
      `timeout ${PATIENCE_S} bash -c '${requestScript(set, index)}' || echo restless`,
    );
    restless ||= said.includes('restless');
    if (restless) return [];
    const text = log().slice(from);
    const deleted = text.includes('Found ordering cycle');
    const refused = said.split('\n').flatMap((line) => /^refused (\S+)/.exec(line)?.[1] ?? []);
    const states = statesOf(machine, names);
    const jobs = jobsIn(text).filter((job) => names.includes(unitOf(job)));
    return [{ refused: refused.sort(), jobs, states, deleted }];
  });
  return { outcomes, restless };
}

/** The text of a unit that anybody may stop, and that comes up for nobody. */
export const stoppable = (text: string): string =>
  text.replace(/^(RefuseManualStop|Upholds|OnFailure|OnSuccess|Restart)=.*\n/gm, '');

/** Before another set is played, none of the units of this one runs any more. */
function cleared(machine: Machine, set: UnitSet): boolean {
  for (const [name, text] of Object.entries(set.units))
    if (!text.startsWith('-> ')) writeFileSync(join(machine.state, UNITS, name), stoppable(text));
  const names = Object.keys(textsOf(set)).join(' ');
  const script = [
    'systemctl daemon-reload',
    `for i in 1 2 3 4 5; do systemctl stop --job-mode=ignore-dependencies ${names} >/dev/null 2>&1`,
    `[ -n "$(systemctl list-units --plain --no-legend --state=active,activating,deactivating,reloading ${names})" ] || { echo cleared; break; }; done`,
    'systemctl reset-failed',
  ].join('\n');
  return machine.run('bash', '-c', `timeout ${PATIENCE_S} bash -c '${script}' || true`).includes('cleared');
}

/** The units of a request of ours that were refused, where sctl says so. */
export const refusedOf = (
  verb: string,
  outcomes: readonly { readonly unit: string; readonly refusal?: { readonly error: string } | null | undefined }[],
): string[] =>
  outcomes.flatMap(({ unit, refusal }) =>
    refusal && !isIdle(verb, refusal.error) && !BARE_TYPES.has(verb) ? [unit] : [],
  );

/** The unit of a job as told in {@link Outcome}. */
export const unitOf = (job: string): string => job.split(' ')[1] ?? '';

function jobsIn(text: string): string[] {
  return [...text.matchAll(/Job \d+ (\S+)\/(\S+) finished, result=(\S+)/g)]
    .map(([, unit, type, result]) => `${type} ${unit} ${result}`)
    .filter((job) => !/^restart \S+ done$/.test(job));
}

function statesOf(machine: Machine, names: readonly string[]): Record<string, string> {
  const shown = machine.run('systemctl', 'show', '--property=Id,ActiveState,SubState,Result', ...names);
  return Object.fromEntries(
    shown
      .trim()
      .split('\n\n')
      .map((block) => {
        const of = Object.fromEntries(block.split('\n').map((line) => line.split('=') as [string, string]));
        return [of['Id'] ?? '', `${of['ActiveState']}/${of['SubState']}/${of['Result'] ?? 'success'}`];
      }),
  );
}
