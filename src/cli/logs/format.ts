/** Log lines for people, in journalctl's forms (journalctl(1), --output=). */
import { hostname } from 'node:os';
import type { Style } from '../output/style.ts';
import { cut } from '../output/table.ts';
import type { Entry } from './entry.ts';

export const FORMS = [
  'short',
  'short-full',
  'short-iso',
  'short-precise',
  'short-unix',
  'short-monotonic',
  'with-unit',
  'cat',
  'json',
  'json-pretty',
  'text',
] as const;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const two = (value: number): string => String(value).padStart(2, '0');
const clock = (date: Date): string => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
const isoDay = (date: Date): string => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

function offset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}${two(Math.abs(minutes) % 60)}`;
}

function moment(entry: Entry, form: string): string {
  const date = new Date(entry.t / 1000);
  switch (form) {
    case 'short-iso':
      return `${isoDay(date)}T${clock(date)}${offset(date)}`;
    case 'short-full':
      return `${DAYS[date.getDay()]} ${isoDay(date)} ${clock(date)}`;
    case 'short-precise':
      return `${MONTHS[date.getMonth()]} ${two(date.getDate())} ${clock(date)}.${String(entry.t % 1_000_000).padStart(6, '0')}`;
    case 'short-unix':
      return (entry.t / 1_000_000).toFixed(6);
    case 'short-monotonic':
      return `[${(entry.m / 1_000_000).toFixed(6).padStart(12)}]`;
    default:
      return `${MONTHS[date.getMonth()]} ${two(date.getDate())} ${clock(date)}`;
  }
}

function colour(priority: number, style: Style): (text: string) => string {
  if (priority <= 3) return style.red;
  if (priority === 4) return style.yellow;
  if (priority === 5) return style.bold;
  return priority >= 7 ? style.grey : (text) => text;
}

export interface FormatOptions {
  readonly form: string;
  readonly style: Style;
  readonly columns: number;
  readonly hostname: boolean;
}

/** Control characters of a service's output must not reach the terminal. Tabs stay. */
export const harmless = (text: string): string =>
  text.replace(
    /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );

/** The line, without its end. */
export function formatEntry(entry: Entry, { form, style, columns, hostname: withHost }: FormatOptions): string {
  if (form === 'cat') return entry.msg;
  if (form === 'json' || form === 'json-pretty') {
    const { t, m, p, u, i, pid, inv, msg } = entry;
    return JSON.stringify(
      { t, m, p, u, i, ...(pid === undefined ? {} : { pid }), inv, msg },
      undefined,
      form === 'json' ? undefined : 2,
    );
  }
  const who = `${form === 'with-unit' && entry.u !== '' ? `${entry.u}/` : ''}${entry.i || entry.u || 'unknown'}${entry.pid === undefined ? '' : `[${entry.pid}]`}`;
  const head = [moment(entry, form), ...(withHost ? [hostname()] : []), `${harmless(who)}: `].join(' ');
  const room = Math.max(20, columns - head.length);
  const text = harmless(entry.msg);
  return `${head}${colour(entry.p, style)(Number.isFinite(columns) ? cut(text, room) : text)}`;
}
