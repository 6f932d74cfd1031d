/**
 * A calendar event in its normal form, which reads back to the same event.
 * Source: systemd.time(7), "Calendar Events", the table of normalized forms.
 */
import { type Calendar, type Parts, SECOND_US } from './calendar.ts';
import type { Zone } from './zone.ts';

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** `Mon,Wed..Fri`; two neighbours are a list, three are a range. */
function weekdaysText(bits: number): string {
  const runs: string[] = [];
  for (let first = 0; first < 7; first += 1) {
    if ((bits & (1 << first)) === 0) continue;
    let last = first;
    while (last < 6 && (bits & (1 << (last + 1))) !== 0) last += 1;
    const link = last > first + 1 ? '..' : ',';
    runs.push(last === first ? `${DAYS[first]}` : `${DAYS[first]}${link}${DAYS[last]}`);
    first = last;
  }
  return runs.join(',');
}

const whole = (value: number, width: number): string => String(value).padStart(width, '0');

function partsText(parts: Parts, width: number): string {
  if (parts === undefined) return '*';
  return parts
    .map(({ start, stop, step }) => {
      const range = stop > 0 ? `..${whole(stop, width)}` : '';
      return `${whole(start, width)}${range}${step > 0 && !(stop > 0 && step === 1) ? `/${step}` : ''}`;
    })
    .join(',');
}

function micro(us: number, width: number): string {
  const rest = us % SECOND_US;
  return `${whole((us - rest) / SECOND_US, width)}${rest > 0 ? `.${whole(rest, 6)}` : ''}`;
}

function secondsText(parts: Parts): string {
  const [first, ...others] = parts ?? [];
  if (first === undefined || (others.length === 0 && first.start === 0 && first.stop < 0 && first.step === SECOND_US))
    return '*';
  return [first, ...others]
    .map(({ start, stop, step }) => {
      const range = stop > 0 ? `..${micro(stop, 2)}` : '';
      return `${micro(start, 2)}${range}${step > 0 && !(stop > 0 && step === SECOND_US) ? `/${micro(step, 1)}` : ''}`;
    })
    .join(',');
}

function zoneText(zone: Calendar['zone'], local: Zone): string {
  switch (zone.kind) {
    case 'utc':
      return ' UTC';
    case 'named':
      return ` ${zone.name}`;
    case 'local': {
      const name = zone.dst === -1 ? '' : local.names[zone.dst];
      return name === '' ? '' : ` ${name}`;
    }
  }
}

/** The normal form. `local` gives the names of local time, where the event asks for one of its two kinds. */
export function calendarText(calendar: Calendar, local: Zone): string {
  const { weekdays, year, month, day, fromEnd, hour, minute, second, zone } = calendar;
  const days = weekdays === undefined ? '' : `${weekdaysText(weekdays)} `;
  const date = `${partsText(year, 4)}-${partsText(month, 2)}${fromEnd ? '~' : '-'}${partsText(day, 2)}`;
  const time = `${partsText(hour, 2)}:${partsText(minute, 2)}:${secondsText(second)}`;
  return `${days}${date} ${time}${zoneText(zone, local)}`;
}
