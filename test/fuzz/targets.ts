/** What is fed: the reader, the loader with every directive, and every parser of a value by itself. */
import { commandLineWords, parseOsRelease } from '../../src/units/conditions.ts';
import { DIRECTIVES } from '../../src/units/directives.ts';
import { sentence } from '../../src/units/finding.ts';
import { createUnitLoader, plainPaths } from '../../src/units/index.ts';
import { escapeName, escapePath, mangleName, parseName, unescapeName, unescapePath } from '../../src/units/names.ts';
import { readUnitText } from '../../src/units/reader.ts';
import { parseListen } from '../../src/units/syntax/address.ts';
import { parseCapability } from '../../src/units/syntax/capability.ts';
import { parseCommands } from '../../src/units/syntax/command.ts';
import { parseCpuList } from '../../src/units/syntax/cpu-list.ts';
import { base64Length, hexLength, isCredentialName } from '../../src/units/syntax/credential.ts';
import { isVariableAssignment } from '../../src/units/syntax/environment.ts';
import { matchesGlob } from '../../src/units/syntax/glob.ts';
import { parseBindRule, parsePrefixes } from '../../src/units/syntax/ip.ts';
import { pathFault } from '../../src/units/syntax/path.ts';
import { parseLimit } from '../../src/units/syntax/rlimit.ts';
import { parseBoolean, parseFraction, parseInteger, parseMode } from '../../src/units/syntax/scalar.ts';
import { parseExit, parseSignal } from '../../src/units/syntax/signal.ts';
import { parseSize } from '../../src/units/syntax/size.ts';
import { parseSyscallFilter } from '../../src/units/syntax/syscall-filter.ts';
import { formatSpanUs, parseSpanExact, parseSpanNs } from '../../src/units/syntax/timespan.ts';
import { compareVersions } from '../../src/units/syntax/version.ts';
import { quoteWord, splitWords, unescapeText } from '../../src/units/syntax/words.ts';
import { parseCalendar } from '../../src/units/time/calendar.ts';
import { nextElapse } from '../../src/units/time/calendar-next.ts';
import { calendarText } from '../../src/units/time/calendar-text.ts';
import { parsePosixZone } from '../../src/units/time/posix-zone.ts';
import { momentText, parseMoment } from '../../src/units/time/timestamp.ts';
import { parseZoneFile } from '../../src/units/time/zone.ts';
import { zonesOf } from '../../src/units/time/zones.ts';
import { memoryFiles, testFacts } from '../unit/units-support.ts';

export interface Target {
  readonly name: string;
  /** Good values to begin with. */
  readonly corpus: readonly string[];
  /** Its share of the inputs. */
  readonly weight: number;
  readonly feed: (text: string) => void;
}

const BERLIN = 'CET-1CEST,M3.5.0,M10.5.0/3';
/** A TZif file without changes, with rules: enough to be a zone. */
const zoneFile = (rules: string): Uint8Array => {
  const block = (version: number): number[] => [
    ...[0x54, 0x5a, 0x69, 0x66, version, ...Array<number>(15).fill(0)],
    ...Array<number>(16).fill(0),
    ...[0, 0, 0, 1],
    ...[0, 0, 0, 4],
    ...[0, 0, 0x0e, 0x10, 0, 0],
    ...[0x43, 0x45, 0x54, 0],
  ];
  return new Uint8Array([...block(0x32), ...block(0x32), 10, ...[...rules].map((char) => char.charCodeAt(0)), 10]);
};

const files = memoryFiles({ '/usr/share/zoneinfo/Europe/Berlin': zoneFile(BERLIN) });
const zones = zonesOf(files, BERLIN);

/** A property that must hold of whatever is read; throws where it does not. */
function holds(true_: boolean, what: string, text: string): void {
  if (!true_) throw new Error(`${what}: ${JSON.stringify(text.slice(0, 500))}`);
}

function calendar(text: string): void {
  const parsed = parseCalendar(text, zones);
  if ('fault' in parsed) {
    const { offset } = parsed.fault;
    holds(offset >= 0 && offset <= text.length, 'the place of a fault lies outside of its text', text);
    return;
  }
  const normal = calendarText(parsed.value, zones.local);
  const again = parseCalendar(normal, zones);
  holds('value' in again && calendarText(again.value, zones.local) === normal, 'a normal form is no fixed point', text);
  const base = 1_735_689_600_000_000;
  const next = nextElapse(parsed.value, base, zones);
  holds(typeof next !== 'number' || next > base, 'an elapse is not after its base', text);
}

function span(text: string): void {
  parseSpanNs(text);
  const parsed = parseSpanExact(text, 1_000_000);
  if ('fault' in parsed) return;
  const again = parseSpanExact(formatSpanUs(parsed.value), 1_000_000);
  holds('value' in again && again.value === parsed.value, 'a printed span reads back to another one', text);
}

function moment(text: string): void {
  const parsed = parseMoment(text, 1_735_689_600_000_000n, zones);
  if ('value' in parsed) momentText(parsed.value, zones.local);
}

function name(text: string): void {
  parseName(text);
  const whole = new TextDecoder().decode(new TextEncoder().encode(text));
  holds(unescapeName(escapeName(whole)) === whole, 'an escaped string does not come back', text);
  const path = escapePath(text);
  if (path !== undefined && text.startsWith('/'))
    holds(escapePath(unescapePath(path) ?? '') === path, 'an escaped path does not come back', text);
  unescapeName(text);
  unescapePath(text);
  const mangled = mangleName(text);
  holds(mangled === undefined || mangleName(mangled) === mangled, 'a mangled name is no fixed point', text);
}

const expand = (text: string): { readonly text: string } => ({ text });

/** One loader for some thousand inputs: it is made anew so that nothing of it can grow unseen for long. */
function loading(): (unit: string, text: string) => void {
  const make = () => createUnitLoader({ files, facts: testFacts, paths: plainPaths(['/etc/units']) });
  let loader = make();
  let count = 0;
  return (unit, text) => {
    count += 1;
    if (count % 2000 === 0) loader = make();
    const loaded = loader.loadText(unit, text, `/etc/units/${unit}`);
    for (const finding of loaded.findings) sentence(finding);
  };
}

const load = loading();
const TYPES: Readonly<Record<string, string>> = {
  Unit: 'service',
  Install: 'service',
};

const VALUES = [
  'yes',
  '5min 30s',
  'infinity',
  '10%',
  '1G',
  '0755',
  'SIGTERM',
  'a.service b@.socket',
  '/usr/bin/true --x "a b" $A \u0024{B} ; /bin/false',
  "-@+!!/bin/sh -c 'echo %n'",
  '127.0.0.1:80',
  '[::1]:8080',
  '/run/x.sock',
  'A=b "C=d e"',
  '0-3,8 12',
  '~@mount @system-service:EPERM',
  'CAP_SYS_ADMIN CAP_KILL',
  '/dev/null rw',
  '10.0.0.0/8 any localhost',
  'Mon..Fri *-*-* 09:00 Europe/Berlin',
  'cred:/etc/x',
  '/a:/b:rbind -/c',
  '1024:infinity',
  'tty',
  'mode=0755,size=10%,nosuid',
];
const UNIT_TEXT = `# comment\n[Unit]\nDescription=x \\\n  y\nAfter=a.service b.target\nConditionPathExists=|!/etc/x\n\n[Service]\nType=notify\nExecStart=/bin/sh -c 'sleep 1' \\\n; more\n  "two"\nExecStart=\nExecStart=-/bin/true\nEnvironment=A=b "C=d"\n[Install]\nWantedBy=multi-user.target\n[X-More]\nKey=value\r\n`;

const perDirective: readonly Target[] = DIRECTIVES.map((row) => ({
  name: `${row.section}.${row.key}`,
  corpus: VALUES,
  weight: 1,
  feed: (text) =>
    load(`a@b.${TYPES[row.section] ?? row.section.toLowerCase()}`, `[${row.section}]\n${row.key}=${text}\n`),
}));

const DATES = [
  'Mon..Fri *-*-* 09,17:30',
  '*-02~03/2',
  'Sat,Thu,Mon-Wed 12-10-15 1:2:3.5/0.25 UTC',
  'minutely',
  'quarterly Europe/Berlin',
  '*-*-* 0/7:*:0..59/3',
  '@1700000000',
  '2024..2040/4-02-29 CEST',
];

/** Everything; weights are shares of the inputs. */
export const TARGETS: readonly Target[] = [
  {
    name: 'reader',
    corpus: [UNIT_TEXT, '[A]\n\\\n\\\nb=\n', '\ufeff[A]\r\nb=c\\\\\r\n;x\n'],
    weight: 150,
    feed: (text) => void readUnitText(text, '/a.service'),
  },
  { name: 'unit', corpus: [UNIT_TEXT], weight: 40, feed: (text) => load('a@b.service', text) },
  { name: 'calendar', corpus: DATES, weight: 150, feed: calendar },
  { name: 'span', corpus: ['1h 30min', '5.5 s', '1y 2M 3w 4us', 'infinity', '.5d+3'], weight: 60, feed: span },
  {
    name: 'moment',
    corpus: ['Fri 2012-11-23 11:12:13.5 UTC', '+3h', '5min ago', 'tomorrow Europe/Berlin', '@1.5', '10:20 CEST'],
    weight: 60,
    feed: moment,
  },
  {
    name: 'rules of a zone',
    corpus: [BERLIN, 'EST5EDT', '<+0330>-3:30', 'A-1:2:3BCD,J60/-5,300/167'],
    weight: 30,
    feed: (text) => void parsePosixZone(text)?.at(1e9),
  },
  {
    name: 'file of a zone',
    corpus: [String.fromCharCode(...zoneFile(BERLIN))],
    weight: 30,
    feed: (text) => void parseZoneFile(Uint8Array.from(text, (char) => char.charCodeAt(0) & 255))?.at(1e9),
  },
  { name: 'name', corpus: ['a-b.service', 'a@b\\x2d.mount', '/home/x y', '/dev/sda', 'foo*'], weight: 60, feed: name },
  {
    name: 'words',
    corpus: ['a "b c" d\\x41', '\'x\' \\u00e9 "\\"', 'a\\\tb'],
    weight: 60,
    feed: (text) => {
      splitWords(text);
      unescapeText(text);
      quoteWord(text);
    },
  },
  { name: 'command', corpus: VALUES, weight: 40, feed: (text) => void parseCommands(text, expand) },
  {
    name: 'small values',
    corpus: VALUES,
    weight: 100,
    feed: (text) => {
      parseBoolean(text);
      parseInteger(text, -1e9, 1e9);
      parseMode(text);
      parseFraction(text, 1);
      parseSize(text);
      parseSignal(text);
      parseExit(text);
      parseCpuList(text);
      parseLimit(text, 'CPU');
      parseLimit(text, 'NOFILE');
      parseLimit(text, 'NICE');
      parsePrefixes(text);
      parseBindRule(text);
      parseCapability(text);
      parseSyscallFilter(text, true);
      pathFault(text);
      isVariableAssignment(text);
      isCredentialName(text);
      base64Length(text);
      hexLength(text);
      compareVersions(text, '1.2~rc3');
      for (const kind of ['stream', 'datagram', 'netlink', 'message-queue'] as const) parseListen(kind, text);
    },
  },
  {
    name: 'glob',
    corpus: ['a*b?c[x-z]', '**a**', '[!a]*[', 'a'],
    weight: 30,
    feed: (text) => void matchesGlob(text, 'abcabcabcabcabcabcabcabcabcabcab'),
  },
  {
    name: 'files of the machine',
    corpus: ['ID=debian\nNAME="x \\" y"\n', 'quiet root="a b" x.y=1'],
    weight: 30,
    feed: (text) => {
      parseOsRelease(text);
      commandLineWords(text);
    },
  },
  ...perDirective,
];
