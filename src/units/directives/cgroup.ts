/** Settings of systemd.resource-control(5): what becomes a control-group attribute, and what is only known. */
import { formatCpuList } from '../syntax/cpu-list.ts';
import { parseBoolean, parseFraction, parseInteger } from '../syntax/scalar.ts';
import { parseSize } from '../syntax/size.ts';
import { parseSpanUs } from '../syntax/timespan.ts';
import { plainWords } from '../syntax/words.ts';
import { known, section } from './build.ts';
import type { Checker, Context, Directive, Draft, Mutable, Parser } from './draft.ts';
import { boolean, checked, integer, oneOf, orNothing, span, unitName, verbatim, words } from './parsers.ts';
import {
  bindRule,
  bpfProgram,
  cpuNumbers,
  cpuSet,
  deviceLimit,
  deviceRule,
  filterPath,
  interfaces,
  prefixes,
} from './values.ts';

interface Grouped {
  readonly Slice: string;
  readonly CgroupAttributes: readonly (readonly [attribute: string, value: string])[];
}

/** The attributes with one replaced or, for `undefined`, taken away. Their order is that of first assignment. */
function withAttribute(target: Mutable<Grouped>, attribute: string, value: string | undefined): void {
  const others = target.CgroupAttributes.filter(([name]) => name !== attribute);
  target.CgroupAttributes = value === undefined ? others : [...others, [attribute, value]];
}

function attribute(target: Grouped, name: string): string | undefined {
  return target.CgroupAttributes.find(([known]) => known === name)?.[1];
}

/** Bytes, a percentage of the machine's memory, or infinity. */
function memory(value: string, ctx: Context): string | undefined {
  if (value === 'infinity') return 'max';
  const fraction = parseFraction(value, 1);
  if (fraction !== undefined) {
    if (ctx.capacity.memoryBytes === undefined) {
      ctx.fault('the memory of this machine is not known, so a part of it is not either', 'give a number of bytes');
      return undefined;
    }
    return String(Math.floor((ctx.capacity.memoryBytes * fraction) / 4096) * 4096);
  }
  const bytes = parseSize(value);
  if (bytes === undefined) ctx.fault('not a size', 'use bytes, a number with K, M, G or T, a percentage, or infinity');
  return bytes === undefined ? undefined : String(bytes);
}

function tasks(value: string, ctx: Context): string | undefined {
  if (value === 'infinity') return 'max';
  const fraction = parseFraction(value, 1);
  if (fraction !== undefined) {
    if (ctx.capacity.tasks === undefined) {
      ctx.fault('the number of tasks this machine can have is not known', 'give a number');
      return undefined;
    }
    return String(Math.floor(ctx.capacity.tasks * fraction));
  }
  const count = parseInteger(value, 1, Number.MAX_SAFE_INTEGER);
  if (count === undefined) ctx.fault('not a number of tasks', 'use a number above 0, a percentage, or infinity');
  return count === undefined ? undefined : String(count);
}

function cpuWeight(value: string, ctx: Context): string | undefined {
  if (value === 'idle') return 'idle';
  return weight(value, ctx);
}

function weight(value: string, ctx: Context): string | undefined {
  const number = parseInteger(value, 1, 10_000);
  if (number === undefined) ctx.fault('not a weight', 'use 1 to 10000');
  return number === undefined ? undefined : String(number);
}

function cpus(value: string, ctx: Context): string | undefined {
  const list = cpuNumbers(value, ctx);
  return list === undefined ? undefined : formatCpuList(list);
}

const DEFAULT_PERIOD_US = 100_000;

/** CPUQuota=: the share as a fraction; `cpu.max` holds quota and period, so either may come first. */
function cpuMax(target: Mutable<Grouped>, share: number | undefined, periodUs: number): void {
  if (share === undefined && periodUs === DEFAULT_PERIOD_US) withAttribute(target, 'cpu.max', undefined);
  else
    withAttribute(
      target,
      'cpu.max',
      `${share === undefined ? 'max' : Math.max(1000, Math.round(share * periodUs))} ${periodUs}`,
    );
}

function cpuMaxNow(target: Grouped): { share: number | undefined; periodUs: number } {
  const [quota, period] = (attribute(target, 'cpu.max') ?? `max ${DEFAULT_PERIOD_US}`).split(' ');
  const periodUs = Number(period);
  return { share: quota === 'max' ? undefined : Number(quota) / periodUs, periodUs };
}

type Reader = (value: string, ctx: Context) => string | undefined;

/** Keys that are one attribute each. */
const ATTRIBUTES: readonly (readonly [key: string, attribute: string, read: Reader, form: string])[] = [
  ['MemoryMin', 'memory.min', memory, 'BYTES'],
  ['MemoryLow', 'memory.low', memory, 'BYTES'],
  ['MemoryHigh', 'memory.high', memoryAboveZero, 'BYTES'],
  ['MemoryMax', 'memory.max', memoryAboveZero, 'BYTES'],
  ['MemorySwapMax', 'memory.swap.max', memory, 'BYTES'],
  ['MemoryZSwapMax', 'memory.zswap.max', memory, 'BYTES'],
  ['TasksMax', 'pids.max', tasks, 'NUMBER'],
  ['IOWeight', 'io.weight', weight, 'WEIGHT'],
  ['AllowedCPUs', 'cpuset.cpus', cpus, 'CPUS'],
  ['AllowedMemoryNodes', 'cpuset.mems', cpus, 'NODES'],
];

/** A limit that must leave something (MemoryMax=, MemoryHigh=). */
function memoryAboveZero(value: string, ctx: Context): string | undefined {
  const bytes = memory(value, ctx);
  if (bytes !== '0') return bytes;
  ctx.fault('a limit of 0 leaves nothing', 'use a number above 0, or infinity');
  return undefined;
}

const pressure: Checker = checked(
  (text) => parseFraction(text, 1),
  'not a percentage from 0% to 100%',
  'use for example 60%',
);
/** Settings of the older control groups, before weights. */
const shares: Checker = integer(2, 262_144, 'a number of shares');
const blockWeight: Checker = integer(10, 1000, 'a weight');

/** `DEVICE VALUE` of the older control groups, where only the value is looked at. */
function oldDeviceLimit(value: Checker): Checker {
  return (text, ctx) => {
    if (text === '') return undefined;
    const [, rest] = /^\S+\s+(.+)$/.exec(text) ?? [];
    if (rest === undefined) ctx.fault('not a device and a weight', 'use for example /dev/sda 500');
    return rest === undefined ? undefined : value(rest, ctx, undefined as never);
  };
}

/** A slice's own place follows from its name (systemd.slice(5)). */
const ownSlice: Parser<string> = (_value, ctx) => {
  ctx.fault('a slice lies where its name says: a-b.slice in a.slice', 'remove it, or rename the unit');
  return undefined;
};

/** The rows of one section. `delegate` is where there is a Delegate= (services and scopes). */
export function cgroupDirectives(
  name: string,
  pick: (draft: Draft) => Mutable<Grouped> | undefined,
  delegate?: (draft: Draft) => { Delegate: boolean } | undefined,
): readonly Directive[] {
  const group = section<Grouped>(name, pick);
  const rows: Directive[] = [
    group.set('Slice', 'Slice', name === 'Slice' ? ownSlice : unitName('slice'), { form: 'SLICE' }),
    ...ATTRIBUTES.map(([key, attributeName, read, form]) =>
      group.does(
        key,
        (target, value, ctx) => {
          const parsed = value === '' ? undefined : read(value, ctx);
          if (value === '' || parsed !== undefined) withAttribute(target, attributeName, parsed);
        },
        { form },
      ),
    ),
    group.does(
      'CPUWeight',
      (target, value, ctx) => {
        const parsed = value === '' ? undefined : cpuWeight(value, ctx);
        if (value !== '' && parsed === undefined) return;
        withAttribute(target, 'cpu.idle', parsed === 'idle' ? '1' : undefined);
        withAttribute(target, 'cpu.weight', parsed === 'idle' ? undefined : parsed);
      },
      { form: 'WEIGHT' },
    ),
    group.does(
      'CPUQuota',
      (target, value, ctx) => {
        const share = value === '' ? undefined : parseFraction(value, Number.MAX_SAFE_INTEGER);
        if (value !== '' && (share === undefined || share === 0))
          ctx.fault('not a percentage above 0', 'use for example 20% (of one CPU)');
        else cpuMax(target, share, cpuMaxNow(target).periodUs);
      },
      { form: 'PERCENT' },
    ),
    group.does(
      'CPUQuotaPeriodSec',
      (target, value, ctx) => {
        const given = value === '' ? 'infinity' : parseSpanUs(value, 1_000_000);
        const us = given === 'infinity' ? DEFAULT_PERIOD_US : given;
        if (us === undefined) ctx.fault('not a time span', 'use 1ms to 1s');
        else cpuMax(target, cpuMaxNow(target).share, Math.min(1_000_000, Math.max(1000, us)));
      },
      { form: 'SECONDS' },
    ),
    ...known(
      name,
      'CPUAccounting MemoryAccounting TasksAccounting IOAccounting IPAccounting BlockIOAccounting',
      boolean,
      { status: 'accepted' },
    ),
    ...known(name, 'StartupAllowedCPUs StartupAllowedMemoryNodes', cpuSet, { form: 'CPUS' }),
    ...known(name, 'StartupCPUWeight', orNothing(cpuWeight), { form: 'WEIGHT|idle' }),
    ...known(name, 'StartupIOWeight', orNothing(weight), { form: 'WEIGHT' }),
    ...known(name, 'DefaultMemoryMin DefaultMemoryLow', orNothing(memory), { form: 'BYTES' }),
    ...known(name, 'DeviceAllow', deviceRule, { form: 'DEVICE [rwm]' }),
    ...known(name, 'IODeviceWeight', deviceLimit('weight'), { form: 'DEVICE WEIGHT' }),
    ...known(name, 'IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax', deviceLimit('rate'), {
      form: 'DEVICE RATE',
    }),
    ...known(name, 'IODeviceLatencyTargetSec', deviceLimit('latency'), { form: 'DEVICE SECONDS' }),
    ...known(name, 'IPAddressAllow IPAddressDeny', prefixes, { form: 'ADDRESS[/LENGTH]...' }),
    ...known(name, 'IPIngressFilterPath IPEgressFilterPath', filterPath, { form: 'PATH' }),
    ...known(name, 'BPFProgram', bpfProgram, { form: 'TYPE:PATH' }),
    ...known(name, 'SocketBindAllow SocketBindDeny', bindRule, { form: '[FAMILY:][PROTOCOL:]PORTS' }),
    ...known(name, 'RestrictNetworkInterfaces', interfaces, { form: '[~]INTERFACE...' }),
    ...known(name, 'ManagedOOMMemoryPressureLimit', orNothing(pressure), { form: 'PERCENT' }),
    ...known(name, 'DevicePolicy', oneOf('a device policy', ['auto', 'closed', 'strict']), {
      form: 'auto|closed|strict',
    }),
    ...known(name, 'ManagedOOMSwap ManagedOOMMemoryPressure', orNothing(oneOf('auto or kill', ['auto', 'kill'])), {
      form: 'auto|kill',
    }),
    ...known(name, 'ManagedOOMPreference', oneOf('a preference', ['none', 'avoid', 'omit']), {
      form: 'none|avoid|omit',
    }),
    ...known(
      name,
      'DisableControllers',
      words((word) => (CONTROLLERS.includes(word) ? undefined : 'not a controller')),
      { form: 'CONTROLLER...' },
    ),
    // Newer than 252.
    ...known(name, 'MemoryZSwapWriteback CoredumpReceive', boolean),
    ...known(name, 'MemoryPressureWatch', verbatim, { form: 'BOOLEAN|auto|skip' }),
    ...known(name, 'MemoryPressureThresholdSec ManagedOOMMemoryPressureDurationSec', orNothing(span), {
      form: 'SECONDS',
    }),
    ...known(name, 'NFTSet', verbatim, { form: 'FAMILY:TABLE:SET...' }),
    ...known(name, 'DelegateSubgroup', verbatim, { form: 'NAME' }),
    ...known(name, 'CPUShares', orNothing(shares), { renamedTo: 'CPUWeight', form: 'SHARES', obsolete: true }),
    ...known(name, 'StartupCPUShares', orNothing(shares), {
      renamedTo: 'StartupCPUWeight',
      form: 'SHARES',
      obsolete: true,
    }),
    ...known(name, 'MemoryLimit', orNothing(memoryAboveZero), {
      renamedTo: 'MemoryMax',
      form: 'BYTES',
      obsolete: true,
    }),
    ...known(name, 'BlockIOWeight', orNothing(blockWeight), { renamedTo: 'IOWeight', form: 'WEIGHT' }),
    ...known(name, 'StartupBlockIOWeight', orNothing(blockWeight), {
      renamedTo: 'StartupIOWeight',
      form: 'WEIGHT',
    }),
    ...known(name, 'BlockIODeviceWeight', oldDeviceLimit(blockWeight), {
      renamedTo: 'IODeviceWeight',
      form: 'DEVICE WEIGHT',
      obsolete: true,
    }),
    ...known(name, 'BlockIOReadBandwidth', deviceLimit('rate'), {
      renamedTo: 'IOReadBandwidthMax',
      form: 'DEVICE RATE',
      obsolete: true,
    }),
    ...known(name, 'BlockIOWriteBandwidth', deviceLimit('rate'), {
      renamedTo: 'IOWriteBandwidthMax',
      form: 'DEVICE RATE',
      obsolete: true,
    }),
  ];
  if (delegate === undefined) return [...rows, ...known(name, 'Delegate', (value) => value)];
  const delegating = section<{ readonly Delegate: boolean }>(name, delegate);
  rows.push(
    delegating.does(
      'Delegate',
      (target, value, ctx) => {
        if (value === '') {
          target.Delegate = true; // delegation without controllers
          return;
        }
        const truth = parseBoolean(value);
        if (truth !== undefined) target.Delegate = truth;
        else {
          const unknown = plainWords(value).filter((word) => !CONTROLLERS.includes(word.text));
          for (const word of unknown)
            ctx.fault(`${word.text}: not a controller`, `use yes, no or ${CONTROLLERS.join(', ')}`, word.offset);
          target.Delegate = true;
        }
      },
      { form: 'BOOLEAN or CONTROLLER...' },
    ),
  );
  return rows;
}

const CONTROLLERS = [
  'cpu',
  'cpuacct',
  'cpuset',
  'io',
  'blkio',
  'memory',
  'devices',
  'pids',
  'bpf-firewall',
  'bpf-devices',
  'bpf-foreign',
  'bpf-socket-bind',
  'bpf-restrict-network-interfaces',
];
