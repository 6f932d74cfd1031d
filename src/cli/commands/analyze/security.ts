/**
 * analyze security: how exposed services are (systemd-analyze(1)).
 *
 * Without words all services of the manager, one a line; with words each in full. `--offline=yes` asks no manager. Either
 * way the files are read here, as they are now.
 */
import type { Command } from 'commander';
import { PlainFiles } from '../../../host/node/plain-files.ts';
import { parseBoolean } from '../../../units/syntax/scalar.ts';
import type { Unit } from '../../../units/types.ts';
import type { Call } from '../../command.ts';
import { CliError } from '../../context.ts';
import { findingLine } from '../../output/finding.ts';
import type { Summary } from '../../wire.ts';
import { answer, offline, wordsOf } from './offline.ts';
import { oneUnit } from './one-unit.ts';
import { type Assessment, assess, type Policy, tenths } from './security/assess.ts';
import { columns, defineLookup } from './words.ts';

export function define(command: Command): void {
  defineLookup(command)
    .option('--offline <boolean>', 'ask no manager', 'no')
    .option('--threshold <tenths>', 'exit with 1 where the exposure is above this (0 to 100)', '100')
    .option('--security-policy <path>', 'other weights, from a JSON file');
}

interface Options {
  readonly alone: boolean;
  readonly threshold: number;
  readonly policy: Policy;
}

function optionsOf(call: Call): Options {
  const { offline: alone, threshold, securityPolicy } = call.options;
  const truth = parseBoolean(String(alone));
  if (truth === undefined) throw new CliError(`--offline=${String(alone)}: not a boolean; use yes or no`);
  const limit = Number(threshold);
  if (!/^\d{1,3}$/.test(String(threshold)) || limit > 100)
    throw new CliError(`--threshold=${String(threshold)}: not from 0 to 100; it counts tenths of the exposure`);
  return {
    alone: truth,
    threshold: limit,
    policy: typeof securityPolicy === 'string' ? readPolicy(securityPolicy) : {},
  };
}

function readPolicy(path: string): Policy {
  const text = new PlainFiles().readText(path);
  if (text === undefined) throw new CliError(`--security-policy=${path}: no such file`);
  try {
    const policy: unknown = JSON.parse(text);
    if (typeof policy === 'object' && policy !== null && !Array.isArray(policy)) return policy as Policy;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CliError(`--security-policy=${path}: not JSON: ${error.message}`);
  }
  throw new CliError(`--security-policy=${path}: not an object of checks; use {"PrivateTmp": {"weight": 500}}`);
}

const LOAD_FAULTS: Readonly<Record<string, string>> = {
  'not-found': 'not found.',
  'bad-setting': 'has a bad unit file setting.',
  masked: 'is masked.',
  error: 'cannot be read.',
};

/** What is wrong with a unit is told; undefined: it cannot be judged. */
function judge(unit: Unit, policy: Policy, call: Call): Assessment | undefined {
  for (const finding of unit.findings) {
    if (finding.severity === 'note') continue;
    const at = finding.at ?? { file: '', line: 0, column: 0 };
    call.warn(findingLine({ ...finding, ...at }, call.style));
  }
  const fault = LOAD_FAULTS[unit.loadState];
  if (fault !== undefined) {
    call.context.err(`Unit ${unit.name} ${fault}\n`);
    return undefined;
  }
  const assessment = assess(unit, policy);
  if (assessment === undefined) call.context.err(`Unit ${unit.name} is not a service unit, refusing.\n`);
  return assessment;
}

function inFull({ rows, unit, exposure, predicate, smiley }: Assessment, call: Call): string[] {
  const sorted = rows.toSorted((a, b) => (b.exposure ?? -1) - (a.exposure ?? -1));
  const lines = columns(
    ['NAME', 'DESCRIPTION', 'EXPOSURE'],
    sorted.map((row) => [row.name, row.about, row.exposure === null ? '' : tenths(row.exposure)]),
    new Set(),
    call.options.legend !== false,
  );
  const marks = sorted.map(({ set }) => (set === null ? ' ' : set ? '✓' : '✗'));
  const shown = call.options.legend === false ? marks : [' ', ...marks];
  return [
    ...lines.map((line, index) => `${shown[index] ?? ' '} ${line}`.trimEnd()),
    '',
    `→ Overall exposure level for ${unit}: ${tenths(exposure)} ${predicate} ${smiley}`,
  ];
}

function inShort(found: readonly Assessment[], call: Call): string[] {
  return columns(
    ['UNIT', 'EXPOSURE', 'PREDICATE', 'HAPPY'],
    found.map(({ unit, exposure, predicate, smiley }) => [unit, tenths(exposure), predicate, smiley]),
    new Set([1]),
    call.options.legend !== false,
  );
}

const dataOf = ({ rows }: Assessment) =>
  rows.map((row) => ({
    set: row.set,
    name: row.name,
    json_field: row.field,
    description: row.about,
    exposure: row.exposure === null ? null : tenths(row.exposure),
  }));

/** Loaded services of the manager, by name; templates' instances too. */
async function serviceNames({ client }: Call): Promise<string[]> {
  const { units } = await client.call<{ units: Summary[] }>('io.sysmaster.Units.List', {});
  return units
    .filter(({ name, load }) => name.endsWith('.service') && load === 'loaded')
    .map(({ name }) => name)
    .sort();
}

export async function run(call: Call): Promise<number> {
  const { alone, threshold, policy } = optionsOf(call);
  const words = await wordsOf(call);
  if (words.length === 0 && alone)
    throw new CliError('--offline=yes wants units or files: sctl analyze security --offline=yes ./foo.service');
  if (words.length === 0) {
    const { loader } = offline(call);
    const found = (await serviceNames(call))
      .map((name) => assess(loader.load(name), policy))
      .filter((assessment) => assessment !== undefined);
    answer(
      call,
      found.map(({ unit, exposure, predicate, smiley }) => ({
        unit,
        exposure: tenths(exposure),
        predicate,
        happy: smiley,
      })),
      () => inShort(found, call),
    );
    return found.some(({ exposure }) => exposure > threshold) ? 1 : 0;
  }
  let status = 0;
  const blocks: Assessment[] = [];
  for (const word of words) {
    try {
      const assessment = judge(oneUnit(call, word), policy, call);
      if (assessment === undefined) status = 1;
      else blocks.push(assessment);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      call.context.err(`${error.message}\n`);
      status = 1;
    }
  }
  const [only] = blocks;
  const data =
    blocks.length === 1 && only !== undefined && words.length === 1
      ? dataOf(only)
      : blocks.map((block) => ({
          unit: block.unit,
          exposure: tenths(block.exposure),
          predicate: block.predicate,
          checks: dataOf(block),
        }));
  if (blocks.length > 0)
    answer(call, data, () => blocks.flatMap((block, index) => [...(index > 0 ? [''] : []), ...inFull(block, call)]));
  return blocks.some(({ exposure }) => exposure > threshold) ? 1 : status;
}
