/**
 * Conditions and asserts: what must be asked of the machine, and what the answers mean.
 *
 * Core may not touch the paths a unit names, since they can hang (law 9). So a condition is decided in two steps:
 * `conditionChecks` says which paths to look at, a helper looks, and `evaluate` decides from facts and answers.
 * Source: systemd.unit(5), "Conditions and Asserts".
 */
import type { MachineFacts } from '../host/ports.ts';
import { architectureName } from './specifiers.ts';
import { CAPABILITIES } from './syntax/capability.ts';
import { parseCpuList } from './syntax/cpu-list.ts';
import { matchesGlob } from './syntax/glob.ts';
import { parseBoolean, parseFraction, parseInteger } from './syntax/scalar.ts';
import { parseSize } from './syntax/size.ts';
import { holds, holdsNumber, takeOperator } from './syntax/version.ts';
import { splitWords } from './syntax/words.ts';
import type { Condition, Unit } from './types.ts';
import { isContainer } from './virtualization.ts';

export type CheckKind =
  | 'exists'
  | 'glob'
  | 'directory'
  | 'symlink'
  | 'mountpoint'
  | 'readwrite'
  | 'directory-not-empty'
  | 'file-not-empty'
  | 'executable'
  | 'encrypted'
  | 'read-text';

/** One thing to look at. A symlink is not followed, all others are. */
export interface Check {
  readonly kind: CheckKind;
  readonly path: string;
}

/** The request of HelperPort.checkPaths, as JSON. */
export interface CheckRequest {
  readonly checks: readonly Check[];
}

/** The answer, as a JSON array in the order of the checks: true or false; for `read-text` the text, or null if it cannot be read. */
export type CheckAnswer = boolean | string | null;

export interface Verdict {
  /** All asserts and conditions hold. */
  readonly result: boolean;
  /** False: the unit is skipped, which is no failure. */
  readonly conditionResult: boolean;
  /** False: starting the unit fails. */
  readonly assertResult: boolean;
  /** Those that decided against it, in order. */
  readonly failed: readonly Condition[];
  /** Every one with its own outcome. */
  readonly each: readonly { readonly condition: Condition; readonly holds: boolean }[];
}

/** What one condition needs and how it decides. */
interface Test {
  readonly checks: readonly Check[];
  /** Before negation. */
  decide(answers: readonly CheckAnswer[]): boolean;
}

/** What must be looked at for a unit's conditions. Empty: `evaluate` needs no answers. */
export function conditionChecks(unit: Pick<Unit, 'conditions'>, facts: MachineFacts): CheckRequest {
  return { checks: unit.conditions.flatMap((condition) => testOf(condition, facts).checks) };
}

/**
 * Decide. `answers` are those to the request of {@link conditionChecks} for the same conditions; a missing one counts as no.
 *
 * Without a `|` every condition must hold; of those with a `|` at least one must. Asserts likewise, apart.
 */
export function evaluate(
  conditions: readonly Condition[],
  facts: MachineFacts,
  answers: readonly CheckAnswer[],
): Verdict {
  let at = 0;
  const each = conditions.map((condition) => {
    const test = testOf(condition, facts);
    const own = answers.slice(at, at + test.checks.length);
    at += test.checks.length;
    return { condition, holds: test.decide(own) !== condition.negate };
  });
  const failed: Condition[] = [];
  const decide = (assert: boolean): boolean => {
    const group = each.filter((one) => one.condition.assert === assert);
    const plain = group.filter((one) => !one.condition.trigger && !one.holds);
    const triggers = group.filter((one) => one.condition.trigger);
    const triggered = triggers.length === 0 || triggers.some((one) => one.holds);
    failed.push(...plain.map((one) => one.condition), ...(triggered ? [] : triggers.map((one) => one.condition)));
    return plain.length === 0 && triggered;
  };
  const conditionResult = decide(false);
  const assertResult = decide(true);
  return { result: conditionResult && assertResult, conditionResult, assertResult, failed, each };
}

/** `ConditionPathExists=!/etc/x`, for people. */
export function conditionText(condition: Condition): string {
  return `${condition.assert ? 'Assert' : 'Condition'}${condition.kind}=${condition.trigger ? '|' : ''}${condition.negate ? '!' : ''}${condition.argument}`;
}

const known = (value: boolean): Test => ({ checks: [], decide: () => value });
const check = (kind: CheckKind, path: string): Test => ({
  checks: [{ kind, path }],
  decide: ([answer]) => answer === true,
});
/** Reads files, and decides from their texts; undefined for one that cannot be read. */
const reading = (paths: readonly string[], decide: (...texts: readonly (string | undefined)[]) => boolean): Test => ({
  checks: paths.map((path) => ({ kind: 'read-text', path })),
  decide: (answers) =>
    decide(...paths.map((_, index) => (typeof answers[index] === 'string' ? (answers[index] as string) : undefined))),
});

/** Kinds that are one look at a path. */
const PATH_CHECKS: Readonly<Record<string, CheckKind>> = {
  PathExists: 'exists',
  PathExistsGlob: 'glob',
  PathIsDirectory: 'directory',
  PathIsSymbolicLink: 'symlink',
  PathIsMountPoint: 'mountpoint',
  PathIsReadWrite: 'readwrite',
  PathIsEncrypted: 'encrypted',
  DirectoryNotEmpty: 'directory-not-empty',
  FileNotEmpty: 'file-not-empty',
  FileIsExecutable: 'executable',
};

function testOf(condition: Condition, facts: MachineFacts): Test {
  const { kind, argument } = condition;
  const path = PATH_CHECKS[kind];
  if (path !== undefined) return check(path, argument);
  switch (kind) {
    case 'NeedsUpdate':
      return needsUpdate(argument, facts);
    case 'FirstBoot':
      return firstBoot(argument, facts);
    case 'Architecture':
      return known(argument === 'native' || argument === architectureName(facts));
    case 'Firmware':
      return firmware(argument);
    case 'Virtualization':
      return virtualization(argument, facts);
    case 'Host':
      return known(
        sameId(argument, facts.machineId) || matchesGlob(argument.toLowerCase(), facts.hostname.toLowerCase()),
      );
    case 'KernelCommandLine':
      return known(
        commandLineWords(facts.kernelCommandLine).some(
          (word) => word === argument || (!argument.includes('=') && word.startsWith(`${argument}=`)),
        ),
      );
    case 'KernelVersion':
      return known(expressionsHold(argument, facts.kernelRelease));
    case 'Credential':
      return credential(argument, facts);
    case 'Security':
      return security(argument);
    case 'Capability':
      return reading(['/proc/self/status'], (status) => hasCapability(argument, status ?? ''));
    case 'ACPower':
      return acPower(argument);
    case 'Memory':
      return reading(['/proc/meminfo'], (text) => {
        const kib = Number(/^MemTotal:\s+([0-9]+) kB/m.exec(text ?? '')?.[1] ?? Number.NaN);
        return Number.isNaN(kib) ? false : numberHolds(argument, kib * 1024, (word) => parseSize(word));
      });
    case 'CPUs':
      return reading(['/proc/self/status'], (text) => {
        const list = parseCpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(text ?? '')?.[1] ?? '');
        return numberHolds(argument, list?.length ?? 0, (word) => parseInteger(word, 0, 1_000_000));
      });
    case 'CPUFeature':
      return reading(['/proc/cpuinfo'], (text) => hasCpuFeature(argument, text ?? '', facts));
    case 'Environment': {
      const equals = argument.indexOf('=');
      const value = facts.environment[equals < 0 ? argument : argument.slice(0, equals)];
      return known(equals < 0 ? value !== undefined : value === argument.slice(equals + 1));
    }
    case 'User':
      return known(argument === '0' || argument === 'root' || argument === '@system');
    case 'Group':
      return known(argument === '0' || argument === 'root');
    case 'ControlGroupController':
      return reading(['/sys/fs/cgroup/cgroup.controllers', '/proc/cgroups'], (unified, legacy) =>
        hasControllers(argument, unified, legacy),
      );
    case 'OSRelease':
      return reading(['/etc/os-release', '/usr/lib/os-release'], (own, vendor) =>
        osReleaseHolds(argument, own ?? vendor ?? ''),
      );
    case 'MemoryPressure':
      return pressure('memory', argument);
    case 'CPUPressure':
      return pressure('cpu', argument);
    case 'IOPressure':
      return pressure('io', argument);
    default:
      return known(false);
  }
}

/** Words of the kernel command line, quotes taken off. */
export function commandLineWords(commandLine: string): string[] {
  const split = splitWords(commandLine, { quotes: true, escapes: false, relaxed: true });
  return 'fault' in split
    ? commandLine.split(/\s+/).filter((word) => word !== '')
    : split.words.map((word) => word.text);
}

/** A boolean option of the kernel command line; without a value it is true. Undefined: not there. */
function bootOption(facts: MachineFacts, name: string): boolean | undefined {
  let found: boolean | undefined;
  for (const word of commandLineWords(facts.kernelCommandLine)) {
    if (word === name) found = true;
    else if (word.startsWith(`${name}=`)) found = parseBoolean(word.slice(name.length + 1)) ?? found;
  }
  return found;
}

function needsUpdate(argument: string, facts: MachineFacts): Test {
  const option = bootOption(facts, 'systemd.condition-needs-update');
  if (option !== undefined) return known(option);
  const directory = argument.replace(/\/+$/, '');
  if (directory !== '/etc' && directory !== '/var') return known(false);
  const stamp = `${directory}/.updated`;
  return {
    checks: [
      { kind: 'readwrite', path: directory },
      { kind: 'exists', path: stamp },
      { kind: 'read-text', path: stamp },
      { kind: 'exists', path: '/etc/initrd-release' },
    ],
    decide: ([writable, stamped, text, initrd]) => {
      if (initrd === true || writable !== true) return false;
      if (stamped !== true) return true;
      const ns = /^TIMESTAMP_NSEC=([0-9]{1,20})$/m.exec(typeof text === 'string' ? text : '')?.[1];
      // Without a time on either side there is nothing to compare, and an update that is not needed must not run.
      if (ns === undefined || facts.usrModifiedMs === undefined) return false;
      return Math.floor(facts.usrModifiedMs) > Math.floor(Number(ns) / 1_000_000);
    },
  };
}

function firstBoot(argument: string, facts: MachineFacts): Test {
  const wanted = parseBoolean(argument);
  const option = bootOption(facts, 'systemd.condition-first-boot');
  if (option !== undefined) return known(option === wanted);
  return {
    checks: [
      { kind: 'exists', path: `${facts.runDirectory}/first-boot` },
      { kind: 'exists', path: '/run/systemd/first-boot' },
    ],
    decide: ([own, systemd]) => (own === true || systemd === true) === wanted,
  };
}

function firmware(argument: string): Test {
  if (argument === 'uefi') return check('directory', '/sys/firmware/efi');
  if (argument === 'device-tree') return check('directory', '/sys/firmware/devicetree');
  const call = /^(device-tree-compatible|smbios-field)\((.*)\)$/s.exec(argument);
  const inner = call?.[2]?.trim() ?? '';
  if (call?.[1] === 'device-tree-compatible')
    return reading(['/proc/device-tree/compatible'], (text) => (text ?? '').split('\0').includes(inner));
  if (call?.[1] === 'smbios-field') {
    const field = /^[A-Za-z0-9_]+/.exec(inner)?.[0] ?? '';
    const { operator, rest } = takeOperator(inner.slice(field.length));
    if (field === '' || operator === undefined) return known(false);
    const wanted = splitWords(rest, { quotes: true });
    const value = 'fault' in wanted ? rest : wanted.words.map((word) => word.text).join(' ');
    return reading([`/sys/class/dmi/id/${field}`], (text) => text !== undefined && holds(text.trim(), operator, value));
  }
  return known(false);
}

function virtualization(argument: string, facts: MachineFacts): Test {
  const kind = facts.virtualization === '' ? 'none' : facts.virtualization;
  if (argument === 'private-users')
    return reading(['/proc/self/uid_map'], (map) => map !== undefined && !/^\s*0\s+0\s+4294967295\s*$/.test(map));
  const truth = parseBoolean(argument);
  if (truth !== undefined) return known(truth === (kind !== 'none'));
  if (argument === 'container') return known(isContainer(kind));
  if (argument === 'vm') return known(kind !== 'none' && !isContainer(kind));
  return known(kind !== 'none' && argument === kind);
}

function sameId(argument: string, machineId: string): boolean {
  const plain = argument.replaceAll('-', '').toLowerCase();
  return /^[0-9a-f]{32}$/.test(plain) && plain === machineId.replaceAll('-', '').trim().toLowerCase();
}

/** ConditionKernelVersion=: all expressions hold; one without an operator is a pattern. */
function expressionsHold(argument: string, actual: string): boolean {
  const split = splitWords(argument, { quotes: true });
  if ('fault' in split) return false;
  const words = split.words.map((word) => word.text);
  for (let i = 0; i < words.length; i++) {
    const { operator, rest } = takeOperator(words[i] ?? '');
    let wanted = rest;
    if (operator !== undefined && wanted === '') {
      i += 1;
      wanted = words[i] ?? '';
      if (wanted === '') return false;
    }
    if (!holds(actual, operator ?? '$=', wanted)) return false;
  }
  return words.length > 0;
}

function numberHolds(argument: string, actual: number, parse: (word: string) => number | undefined): boolean {
  const { operator, rest } = takeOperator(argument);
  const wanted = parse(rest.trim());
  return wanted === undefined ? false : (holdsNumber(actual, operator ?? '>=', wanted) ?? false);
}

function credential(argument: string, facts: MachineFacts): Test {
  const directories = [
    facts.environment.CREDENTIALS_DIRECTORY,
    facts.environment.ENCRYPTED_CREDENTIALS_DIRECTORY,
  ].filter((path) => path?.startsWith('/'));
  if (directories.length === 0 || argument.includes('/') || argument === '.' || argument === '..') return known(false);
  return {
    checks: directories.map((path) => ({ kind: 'exists', path: `${path}/${argument}` })),
    decide: (answers) => answers.includes(true),
  };
}

function security(argument: string): Test {
  switch (argument) {
    case 'selinux':
      return check('exists', '/sys/fs/selinux/enforce');
    case 'smack':
      return check('exists', '/sys/fs/smackfs/load');
    case 'apparmor':
      return reading(['/sys/module/apparmor/parameters/enabled'], (text) => text?.trim() === 'Y');
    case 'tomoyo':
      return check('exists', '/sys/kernel/security/tomoyo/version');
    case 'ima':
      return check('directory', '/sys/kernel/security/ima');
    case 'audit':
      return check('exists', '/proc/self/loginuid');
    case 'uefi-secureboot':
      // Four bytes of attributes, then the value.
      return reading(
        ['/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c'],
        (text) => text?.charCodeAt(text.length - 1) === 1,
      );
    case 'tpm2':
      return check('directory-not-empty', '/sys/class/tpmrm');
    default:
      return known(false);
  }
}

function hasCapability(argument: string, status: string): boolean {
  const number = CAPABILITIES.indexOf(argument.toUpperCase());
  const mask = /^CapBnd:\s*([0-9a-f]{1,16})$/m.exec(status)?.[1];
  return number >= 0 && mask !== undefined && ((BigInt(`0x${mask}`) >> BigInt(number)) & 1n) === 1n;
}

/** Mains supplies have no fixed names, and a helper cannot list; these are the ones drivers use. */
const MAINS = [
  'AC',
  'AC0',
  'AC1',
  'ACAD',
  'ADP0',
  'ADP1',
  'ADP',
  'ACPI0003:00',
  'Mains',
  'mains',
  'ac',
  'axp20x-ac',
  'ucsi-source-psy-USBC000:001',
];

function acPower(argument: string): Test {
  const wanted = parseBoolean(argument);
  return reading(
    MAINS.map((name) => `/sys/class/power_supply/${name}/online`),
    (...texts) => {
      const found = texts.filter((text) => text !== undefined);
      const onAc = found.length === 0 || found.some((text) => text.trim() !== '0');
      return onAc === wanted;
    },
  );
}

/** CPUID's names as /proc/cpuinfo has them, where they differ. */
const CPU_FLAGS: Readonly<Record<string, string>> = { fma3: 'fma', pclmul: 'pclmulqdq', osxsave: 'xsave' };

function hasCpuFeature(argument: string, cpuinfo: string, facts: MachineFacts): boolean {
  if (!['x86-64', 'x86'].includes(architectureName(facts))) return false;
  const flags = /^flags\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(' ') ?? [];
  const name = argument.toLowerCase();
  return flags.includes((Object.hasOwn(CPU_FLAGS, name) ? CPU_FLAGS[name] : undefined) ?? name);
}

/** systemd's names of the controllers that /proc/cgroups calls otherwise. */
const LEGACY_CONTROLLERS: Readonly<Record<string, string>> = { io: 'blkio' };
const ASKED_CONTROLLERS: ReadonlySet<string> = new Set(['cpu', 'cpuset', 'io', 'memory', 'pids']);

function hasControllers(argument: string, unified: string | undefined, legacy: string | undefined): boolean {
  if (argument === 'v2') return unified !== undefined;
  if (argument === 'v1') return unified === undefined;
  const available = new Set(unified?.split(/\s+/));
  if (unified === undefined)
    for (const line of legacy?.split('\n') ?? []) {
      const [name, , , enabled] = line.split(/\s+/);
      if (name !== undefined && enabled === '1') available.add(name);
    }
  return argument
    .split(/\s+/)
    .filter((name) => ASKED_CONTROLLERS.has(name))
    .every((name) => available.has(name) || (unified === undefined && available.has(LEGACY_CONTROLLERS[name] ?? name)));
}

/** Fields of os-release(5). */
export function parseOsRelease(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
    if (match?.[1] === undefined) continue;
    const split = splitWords((match[2] ?? '').trim(), { quotes: true, relaxed: true });
    fields[match[1]] = 'fault' in split ? (match[2] ?? '') : split.words.map((word) => word.text).join(' ');
  }
  return fields;
}

function osReleaseHolds(argument: string, text: string): boolean {
  const fields = parseOsRelease(text);
  const split = splitWords(argument, { quotes: true });
  if ('fault' in split || split.words.length === 0) return false;
  return split.words.every((word) => {
    const key = /^[A-Za-z0-9_]+/.exec(word.text)?.[0] ?? '';
    const { operator, rest } = takeOperator(word.text.slice(key.length));
    return key !== '' && operator !== undefined && rest !== '' && holds(fields[key] ?? '', operator, rest);
  });
}

const WINDOWS: Readonly<Record<string, string>> = {
  '10sec': 'avg10',
  '10s': 'avg10',
  '1min': 'avg60',
  '60s': 'avg60',
  '5min': 'avg300',
  '300s': 'avg300',
};

function pressure(resource: 'memory' | 'cpu' | 'io', argument: string): Test {
  const colon = argument.indexOf(':');
  const slice = colon < 0 ? '' : argument.slice(0, colon).trim();
  const [limit, window = '5min'] = argument
    .slice(colon + 1)
    .split('/')
    .map((part) => part.trim());
  const most = parseFraction(limit ?? '', 1);
  const field = Object.hasOwn(WINDOWS, window) ? WINDOWS[window] : undefined;
  if (most === undefined || field === undefined) return known(false);
  const path = slice === '' ? `/proc/pressure/${resource}` : `/sys/fs/cgroup/${slicePath(slice)}/${resource}.pressure`;
  return reading([path], (text) => {
    if (text === undefined) return true; // a kernel that does not measure has no pressure
    const line = /^full .*$/m.exec(text)?.[0] ?? /^some .*$/m.exec(text)?.[0] ?? '';
    const now = Number(new RegExp(`${field}=([0-9.]+)`).exec(line)?.[1] ?? Number.NaN);
    return Number.isNaN(now) || now / 100 <= most;
  });
}

/** a-b.slice -> a.slice/a-b.slice. */
function slicePath(slice: string): string {
  const name = slice.endsWith('.slice') ? slice.slice(0, -'.slice'.length) : slice;
  if (name === '-') return '';
  const parts = name.split('-');
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`).join('/');
}
