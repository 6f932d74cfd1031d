/**
 * Properties of settings that are kept in another shape than they are shown in: limits, control-group attributes, socket
 * options, timers, watched paths, conditions; and, by the table of directives, of those that no file gives.
 *
 * Lists that `systemctl show` prints an entry a line (`Listen=` twice) are one text here, with a line for each entry.
 */

import { propertiesOf } from '../../units/directives/properties.ts';
import { DIRECTIVES, type Directive, sectionsOf } from '../../units/directives.ts';
import { parseCalendar } from '../../units/time/calendar.ts';
import { calendarText } from '../../units/time/calendar-text.ts';
import { zonesOf } from '../../units/time/zones.ts';
import type { Condition, PathSection, SocketSection, TimerSection, Unit } from '../../units/types.ts';
import { type Properties, spanUs, yesNo } from './text.ts';

/** By control-group attribute: the property, and the value where none is written. */
const ATTRIBUTES: readonly (readonly [attribute: string, property: string, unset: string])[] = [
  ['memory.min', 'MemoryMin', '0'],
  ['memory.low', 'MemoryLow', '0'],
  ['memory.high', 'MemoryHigh', 'infinity'],
  ['memory.max', 'MemoryMax', 'infinity'],
  ['memory.swap.max', 'MemorySwapMax', 'infinity'],
  ['memory.zswap.max', 'MemoryZSwapMax', 'infinity'],
  ['pids.max', 'TasksMax', 'infinity'],
  ['io.weight', 'IOWeight', '[not set]'],
  ['cpu.weight', 'CPUWeight', '[not set]'],
  ['cpuset.cpus', 'AllowedCPUs', ''],
  ['cpuset.mems', 'AllowedMemoryNodes', ''],
];
/** What cpu.max has for a period where none is asked for. */
const QUOTA_PERIOD_US = 100_000;

/** Settings of systemd.resource-control(5) under their own names. */
export function attributeProperties(attributes: readonly (readonly [string, string])[]): Properties {
  const written = new Map(attributes);
  const into: Properties = {};
  for (const [attribute, property, unset] of ATTRIBUTES) {
    const value = written.get(attribute);
    into[property] = value === undefined ? unset : value === 'max' ? 'infinity' : value;
  }
  if (written.get('cpu.idle') === '1') into['CPUWeight'] = 'idle';
  const [quota = 'max', period = String(QUOTA_PERIOD_US)] = (written.get('cpu.max') ?? '').split(' ').filter(Boolean);
  into['CPUQuotaPerSecUSec'] =
    quota === 'max' ? 'infinity' : String(Math.round((Number(quota) / Number(period)) * 1_000_000));
  into['CPUQuotaPeriodUSec'] = Number(period) === QUOTA_PERIOD_US ? 'infinity' : period;
  return into;
}

/** The kernel's numbers, which systemd shows. */
const PROTOCOLS: ReadonlyMap<unknown, number> = new Map([
  ['sctp', 132],
  ['udplite', 136],
  ['mptcp', 262],
]);
/** What systemd shows for options that no file gives; booleans are off. */
const OPTION_UNSET: ReadonlyMap<string, string> = new Map([
  ['BindIPv6Only', 'default'],
  ['BindToDevice', ''],
  ['KeepAliveTimeUSec', '0'],
  ['KeepAliveIntervalUSec', '0'],
  ['KeepAliveProbes', '0'],
  ['Priority', '-1'],
  ['DeferAcceptUSec', '0'],
  ['ReceiveBuffer', '0'],
  ['SendBuffer', '0'],
  ['IPTOS', '-1'],
  ['IPTTL', '-1'],
  ['Mark', '-1'],
  ['PipeSize', '0'],
  ['MessageQueueMaxMessages', '0'],
  ['MessageQueueMessageSize', '0'],
  ['Timestamping', 'off'],
  ['TCPCongestion', ''],
  ['SocketProtocol', '0'],
]);

/** Socket options that are set. */
export function optionProperties(options: SocketSection['options']): Properties {
  const into: Properties = {};
  for (const [name, value] of Object.entries(options)) {
    if (name.endsWith('Sec')) into[name.replace(/Sec$/, 'USec')] = String(Number(value) * 1_000_000);
    else if (name === 'SocketProtocol') into[name] = String(PROTOCOLS.get(value) ?? 0);
    else into[name] = typeof value === 'boolean' ? yesNo(value) : String(value);
  }
  return into;
}

/** Times in the machine's own zones need none of its files to be written in their normal form. */
const noZones = zonesOf({ readBytes: () => undefined, stat: () => undefined });

function calendarLine(text: string): string {
  const parsed = parseCalendar(text, noZones);
  return `{ OnCalendar=${'fault' in parsed ? text : calendarText(parsed.value, noZones.local)} ; next_elapse=(null) }`;
}

/** Timers, the last one first as systemd has them; without when they elapse, which is not of the files. */
export function timerProperties(timer: TimerSection): Properties {
  return {
    TimersMonotonic: timer.monotonic
      .toReversed()
      .map(({ base, span }) => `{ ${base.replace(/Sec$/, 'USec')}=@${spanUs(span)} ; next_elapse=0 }`)
      .join('\n'),
    TimersCalendar: timer.OnCalendar.toReversed().map(calendarLine).join('\n'),
  };
}

/** What a path unit watches, the last one first as systemd has them. */
export const pathLines = ({ specs }: PathSection): string =>
  specs
    .toReversed()
    .map(({ kind, path }) => `${path} (${kind})`)
    .join('\n');

const conditionText = ({ kind, assert, negate, trigger, argument }: Condition): string =>
  `${assert ? 'Assert' : 'Condition'}${kind}=${trigger ? '|' : ''}${negate ? '!' : ''}${argument}`;

/** Conditions and assertions as they would be written, one a line. */
export function conditionProperties(conditions: readonly Condition[]): Properties {
  const of = (assert: boolean): string =>
    conditions
      .filter((condition) => condition.assert === assert)
      .map(conditionText)
      .join('\n');
  return { Conditions: of(false), Asserts: of(true) };
}

/** What a directive is worth in `show` where no file gives it and nothing else tells. */
function unsetText(row: Directive, property: string): string {
  return OPTION_UNSET.get(property) ?? (row.default === '' && row.form === 'BOOLEAN' ? 'no' : row.default);
}

/**
 * Adds the defaults of what is honoured in the unit's sections and not told yet. Limits and commands that are not given are
 * left out: the former are init's, and of the latter systemctl shows nothing either.
 */
export function restOfTable(into: Properties, unit: Unit): void {
  const sections = new Set(sectionsOf(unit.type));
  for (const row of DIRECTIVES) {
    // Without the section there is no supervision, and so nothing that it would be set to.
    if (row.status !== 'honoured' || !sections.has(row.section) || row.section === 'X-Supervisor') continue;
    for (const property of propertiesOf(row))
      if (!(property in into) && !/^(Exec|Limit)/.test(property)) into[property] = unsetText(row, property);
  }
}
