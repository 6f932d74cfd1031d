/**
 * report: one file with everything a maintainer needs to see what a unit did, made from what the API and the logs say.
 *
 * What cannot be had (a core that does not answer a question, a log that may not be read) says so in its place, and the rest is
 * there all the same. Secrets are masked as in recordings; names of the machine are left out.
 */
import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import { findFiles, logDirectories, readLogs } from '../logs/files.ts';
import { unitName } from '../names.ts';
import type { ManagerState } from '../wire.ts';
import { VERSION } from './version.ts';

/** Of the file. */
const FORMAT = 1;
const LOG_LINES = 500;
const HISTORY_RECORDS = 500;

export function define(command: Command): void {
  command
    .option('-o, --file <file>', 'where to write it; - for standard output')
    .option('-f, --force', 'replace a file that is there')
    .option('-q, --quiet', 'do not say what was written')
    .option('--socket <path>', 'the API socket of another manager');
}

type Data = Parameters<typeof import('../../replay.ts').masked>[0];

const NOTE =
  'Masked (***): values of environment variables and of SetCredential=, and whatever is named as a credential, a password, a secret or ' +
  'a token. Left out: host name and machine id. Everything else is as it is on the machine, such as command lines, paths and what ' +
  'the unit wrote to its log: look through it before you pass it on.';

/** Settings whose values are secrets, in unit files. */
const SECRET_SETTING =
  /^(\s*(?:Environment|DefaultEnvironment|UnsetEnvironment|SetCredential|SetCredentialEncrypted)\s*=)/i;

/** The lines that follow a masked setting are gone as well: they were part of its value, behind comments among them too (systemd.syntax(7)). */
export function maskedUnitFile(text: string, mask: string): string {
  let isValue = false;
  const lines = text.split('\n').flatMap((line) => {
    if (isValue) {
      isValue = line.endsWith('\\') || /^\s*[#;]/.test(line);
      return [];
    }
    const name = SECRET_SETTING.exec(line)?.[1];
    if (name === undefined) return [line];
    isValue = line.endsWith('\\');
    return [`${name}${mask}`];
  });
  return lines.join('\n');
}

/** A finding quotes the line that it is about, and often the value again where it says why. */
function maskedFinding<F extends { readonly what: string; readonly why: string }>(finding: F, mask: string): F {
  const name = SECRET_SETTING.exec(finding.what)?.[1];
  if (name === undefined) return finding;
  const value = finding.what.slice(name.length);
  const words = value.split(/[\s"']+/).filter((word) => word !== '');
  const why = finding.why.slice(finding.why.lastIndexOf(': ') + 1).trim();
  return { ...finding, what: `${name}${mask}`, why: words.some((word) => why.includes(word)) ? mask : why };
}

/** The same of all findings in it, at whatever depth. */
function withoutQuotes(value: unknown, mask: string): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutQuotes(item, mask));
  if (typeof value !== 'object' || value === null) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutQuotes(item, mask)]));
  const { what, why } = inner;
  return typeof what === 'string' && typeof why === 'string' ? maskedFinding({ ...inner, what, why }, mask) : inner;
}

async function logLines(call: Call, unit: string, logDirectory: string): Promise<unknown> {
  const own = call.context.env['SYSMASTER_LOGS'];
  const directories = logDirectory === '' || own ? logDirectories(call.context, undefined) : [logDirectory];
  const files = await findFiles(directories, (name) => name === unit);
  const { entries, torn } = await readLogs(files, LOG_LINES, Number.NEGATIVE_INFINITY, ({ u }) => u === unit);
  return { torn, entries };
}

export async function run(call: Call): Promise<number> {
  const { client, args, context, options, quiet } = call;
  const { MASK, masked, maskedText } = await import('../../replay.ts');
  const name = unitName(args[0] ?? '');
  const missing: string[] = [];
  const part = async (what: string, get: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await get();
    } catch (error) {
      if (!(error instanceof CliError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
      missing.push(what);
      return { unavailable: (error as Error).message };
    }
  };
  const ask = <T>(method: string, parameters: object = {}) => client.call<T>(`io.sysmaster.${method}`, parameters);

  // Without core there is nothing to report: this one may fail.
  const { manager } = await ask<{ manager: ManagerState & Record<string, unknown> }>('Manager.Get');
  const { hostname: _hostname, machineId: _machineId, environment, ...facts } = manager;
  const { unit } = await ask<{ unit: { name: string } }>('Units.Get', { name });
  const own = unit.name;
  const files = await part('files', async () => {
    const { files: read } = await ask<{ files: { path: string; text: string }[] }>('Units.Cat', { name: own });
    return read.map(({ path, text, ...more }) => ({ path, text: maskedText(maskedUnitFile(text, MASK)), ...more }));
  });
  const properties = await part('properties', async () => {
    const answer = await ask<{ properties: Record<string, string> }>('Units.Properties', { name: own });
    return Object.fromEntries(
      Object.entries(answer.properties).map(([key, value]) => [
        key,
        /^Environment$|^SetCredential/.test(key) && value !== '' ? MASK : value,
      ]),
    );
  });
  const rest = {
    machine: await part('machine', () => ask('Machines.Get', { actor: own })),
    findings: await part('findings', () => ask('Manager.Findings', { unit: own })),
    why: await part('why', () => ask('Insight.Why', { name: own })),
    history: await part('history', () => ask('Insight.History', { units: [own], count: HISTORY_RECORDS })),
    historyOfAll: await part('history', () => ask('Insight.History', { count: HISTORY_RECORDS })),
    jobs: await part('jobs', () => ask('Jobs.List')),
    planOfStart: await part('plan', () => ask('Jobs.Plan', { verb: 'start', units: [own], mode: 'replace' })),
    log: await part('log', () => logLines(call, own, manager.logDirectory)),
  };
  const recording = await part('recording', async () => (await ask<{ recording: object }>('Recorder.Get')).recording);
  const report = {
    report: FORMAT,
    note: NOTE,
    made: { sctl: VERSION, manager: manager.version, realUs: context.nowUs() },
    unit: own,
    missing: [...new Set(missing)],
    manager: {
      ...(masked(facts as unknown as Data) as object),
      environmentVariables: (environment as string[]).length,
    },
    view: masked(withoutQuotes(unit, MASK) as Data),
    // The texts are masked already; keys such as Environment= are the masks' own.
    files,
    properties: masked(properties as Data),
    ...(masked(withoutQuotes(rest, MASK) as Data) as object),
    recording,
  };
  const text = `${JSON.stringify(report, undefined, 1)}\n`;
  const path = (options['file'] as string | undefined) ?? `${own}.report.json`;
  if (path === '-') {
    context.out(text);
    return 0;
  }
  await write(path, text, options.force !== undefined);
  for (const what of report.missing) call.warn(`${what}: could not be had; the report says why`);
  if (!quiet) context.out(`${path} is written; sctl replay ${path} runs what it recorded again.\n`);
  return 0;
}

/** For the owner alone, and never through a link that somebody else has put there. */
async function write(path: string, text: string, force: boolean): Promise<void> {
  try {
    const { rm } = await import('node:fs/promises');
    if (force) await rm(path, { force: true });
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const why = code === 'EEXIST' ? 'is there already; --force replaces it' : `cannot be written (${code})`;
    throw new CliError(`${path} ${why}`, 1, cause);
  }
}
