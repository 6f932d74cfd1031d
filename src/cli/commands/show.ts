/** show: properties under systemd's names, for scripts. */
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { expand } from '../names.ts';
import { dateText, spanText } from '../output/time.ts';
import type { Job } from '../wire.ts';

type Properties = Readonly<Record<string, string>>;

/** Numbers become dates and spans, by the name's ending, as systemctl prints them. */
export function showValue(name: string, value: string): string {
  if (/Timestamp$/.test(name)) return value === '0' ? '' : dateText(Number(value));
  if (/USec$/.test(name) && /^\d+$/.test(value)) return spanText(Number(value));
  if (/^Exec/.test(name)) return value.replace(/@(\d+)\]/g, (_, us: string) => `${dateText(Number(us))}]`);
  if (name === 'TimersMonotonic') return value.replace(/@(\d+)/g, (_, us: string) => spanText(Number(us)));
  return value;
}

/** Lists that systemctl prints an entry a line, each under the name. */
const ENTRIES = /^(Exec|EnvironmentFiles$|Listen$|Timers|Paths$|Conditions$|Asserts$)/;

/** The values under one name; a text of several lines that is no list stays one. */
function entries(name: string, value: string): string[] {
  const shown = showValue(name, value);
  if (!ENTRIES.test(name)) return [shown];
  // The words of a command may have line breaks of their own.
  return shown.split(name.startsWith('Exec') ? /\n(?=\{ path=)/ : '\n');
}

function lines(properties: Properties, call: Call, wanted: readonly string[]): string[] {
  const { options } = call;
  const bare = options.value === true || options.P !== undefined;
  const shown = Object.entries(properties).filter(([name, value]) =>
    wanted.length > 0 ? wanted.includes(name) : options.all === true || showValue(name, value) !== '',
  );
  return shown.flatMap(([name, value]) => entries(name, value).map((entry) => (bare ? entry : `${name}=${entry}`)));
}

/** systemctl(1), "show": a number is that of a job. */
const JOB = /^\d+$/;

async function jobsOf({ client, args }: Call): Promise<Properties[]> {
  const { jobs } = await client.call<{ jobs: Job[] }>('io.sysmaster.Jobs.List');
  return args
    .filter((word) => JOB.test(word))
    .map((word) => {
      const job = jobs.find(({ id }) => String(id) === word);
      if (job === undefined) throw new CliError(`Failed to get properties: Job ${word} does not exist.`);
      return { Id: word, Unit: job.unit, JobType: job.type, State: job.state };
    });
}

export async function run(call: Call): Promise<number> {
  const { client, args, options } = call;
  const wanted = [...(options.property ?? []), ...(options.P ?? [])];
  const pick = (properties: Properties): Properties =>
    wanted.length === 0
      ? properties
      : Object.fromEntries(Object.entries(properties).filter(([name]) => wanted.includes(name)));
  if (args.length === 0) {
    const { properties } = await client.call<{ properties: Properties }>('io.sysmaster.Manager.Properties');
    call.print(pick(properties), () => lines(properties, call, wanted));
    return 0;
  }
  const units = args.filter((word) => !JOB.test(word));
  const names = await expand(call, units);
  const answers = await client.calls<{ properties: Properties }>(
    'io.sysmaster.Units.Properties',
    names.map((name) => ({ name })),
  );
  const all = answers.map((answer) => {
    if (!('properties' in answer)) throw answer;
    return answer.properties;
  });
  if (units.length < args.length) all.push(...(await jobsOf(call)));
  call.print(all.length === 1 ? pick(all[0]!) : all.map(pick), () =>
    all.flatMap((properties, index) => [...(index > 0 ? [''] : []), ...lines(properties, call, wanted)]),
  );
  return 0;
}
