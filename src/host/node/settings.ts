/**
 * What a person can set of core itself: /etc/sysmaster/system.conf, section [Manager], with systemd's names (systemd-system.conf(5)).
 *
 * Honoured: LogLevel= (debug, info, notice, warning, err), LogTarget= (kmsg, file, stderr, null), DefaultEnvironment=, of our own
 * FlightRecorderSec=, FlightRecorderSteps=, FlightRecorderSize=; and in the section [X-Chaos], which systemd passes over, Enabled=,
 * MaxUnits=, MaxSec=, Protect=. Everything else is named in the log, with its place, and has no effect (law 8).
 */
import { readFileSync } from 'node:fs';
import ini from 'ini';
import type { ChaosSettings } from '../../api/chaos.ts';
import { RECORDER_BOUNDS, type RecorderBounds } from '../../supervisor/recorder.ts';
import { parseBoolean } from '../../units/syntax/scalar.ts';
import { parseSize } from '../../units/syntax/size.ts';
import { parseSpan } from '../../units/syntax/timespan.ts';
import type { LogPort } from '../ports.ts';
import { codeOf } from './errors.ts';
import type { LogTarget } from './log.ts';

export interface Settings {
  readonly logLevel: Parameters<LogPort['log']>[0] | undefined;
  readonly logTarget: LogTarget | undefined;
  /** NAME=value, for every service. */
  readonly defaultEnvironment: readonly string[];
  /** How much the flight recorder keeps. */
  readonly recorder: RecorderBounds;
  readonly chaos: ChaosSettings;
  /** Sentences about what was not understood; for the log, once there is one. */
  readonly findings: readonly string[];
}

const LEVELS: Readonly<Record<string, Settings['logLevel']>> = {
  debug: 'debug',
  info: 'info',
  notice: 'notice',
  warning: 'warning',
  err: 'error',
  error: 'error',
};

/** Chaos is off, and where it is on it is small, unless somebody says more. */
const NO_CHAOS = { enabled: false, maxUnits: 10, maxMs: 600_000, protect: [] } as const;
/** Whoever asks for more of [X-Chaos] than this has made a mistake. */
const CHAOS_UNITS_MAX = 1000;
const CHAOS_MS_MAX = 86_400_000;

/** More of the flight recorder than this is memory that units lack. */
const RECORDER_STEPS_MAX = 65_536;
const RECORDER_BYTES_MAX = 256 * 1024 * 1024;

/** Core's log file is rotated at this size. */
const LOG_BYTES = 4 * 1024 * 1024;

/** Read the file; a missing one sets nothing. Never throws: what is wrong is a finding. */
export function readSettings(path: string, runDirectory: string): Settings {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return parseSettings('', path, runDirectory);
    return {
      ...parseSettings('', path, runDirectory),
      findings: [`${path}: cannot be read: ${String(cause)}; defaults count`],
    };
  }
  return parseSettings(text, path, runDirectory);
}

/** The settings of a text. */
export function parseSettings(text: string, path: string, runDirectory: string): Settings {
  const findings: string[] = [];
  const lineOf = (key: string) => text.split('\n').findIndex((line) => line.trimStart().startsWith(key)) + 1;
  const targets: Readonly<Record<string, LogTarget>> = {
    kmsg: 'kmsg',
    stderr: 'stderr',
    null: 'none',
    file: { file: `${runDirectory}/core.log`, maxBytes: LOG_BYTES },
  };
  let settings: Settings = {
    logLevel: undefined,
    logTarget: undefined,
    defaultEnvironment: [],
    recorder: RECORDER_BOUNDS,
    chaos: { ...NO_CHAOS, path },
    findings,
  };
  for (const [section, keys] of Object.entries(ini.parse(text) as Record<string, unknown>)) {
    const isChaos = section === 'X-Chaos';
    if ((section !== 'Manager' && !isChaos) || typeof keys !== 'object' || keys === null) {
      findings.push(
        `${path}:${lineOf(typeof keys === 'object' ? `[${section}` : section)}: ${section}: not known here; use the sections [Manager] and [X-Chaos]`,
      );
      continue;
    }
    for (const [key, value] of Object.entries(keys as Record<string, unknown>)) {
      const wrong = (why: string) => findings.push(`${path}:${lineOf(key)}: ${key}=${String(value)}: ${why}`);
      const word = String(value);
      if (isChaos) {
        const read = chaosSetting(key, word);
        if ('wrong' in read) wrong(read.wrong);
        else settings = { ...settings, chaos: { ...settings.chaos, ...read } };
      } else if (key === 'LogLevel') {
        const logLevel = LEVELS[word];
        if (logLevel === undefined) wrong(`not a level; use one of ${Object.keys(LEVELS).join(', ')}`);
        else settings = { ...settings, logLevel };
      } else if (key === 'LogTarget') {
        const logTarget = targets[word];
        if (logTarget === undefined) wrong(`not a target; use one of ${Object.keys(targets).join(', ')}`);
        else settings = { ...settings, logTarget };
      } else if (key === 'DefaultEnvironment') {
        const words = word.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
        const plain = words.map((one) => one.replaceAll(/["']/g, ''));
        const bad = plain.find((one) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(one));
        if (bad === undefined) settings = { ...settings, defaultEnvironment: plain };
        else wrong(`${bad} is not NAME=value; quote what holds spaces`);
      } else if (key.startsWith('FlightRecorder')) {
        const read = recorderSetting(key, word);
        if ('wrong' in read) wrong(read.wrong);
        else settings = { ...settings, recorder: { ...settings.recorder, ...read } };
      } else wrong('not honoured; remove it, or see docs/guide/system.conf.md');
    }
  }
  return settings;
}

/** One bound of the flight recorder; an empty one is the default again. What is wrong leaves it as it was. */
function recorderSetting(key: string, word: string): Partial<RecorderBounds> | { readonly wrong: string } {
  switch (key) {
    case 'FlightRecorderSec': {
      if (word === '') return { ageMs: RECORDER_BOUNDS.ageMs };
      const ageMs = parseSpan(word);
      return ageMs === undefined || (ageMs !== 'infinity' && ageMs < 0)
        ? { wrong: 'not a time span; 0 keeps nothing, infinity leaves it to the other bounds' }
        : { ageMs };
    }
    case 'FlightRecorderSteps': {
      if (word === '') return { records: RECORDER_BOUNDS.records };
      const records = /^\d{1,9}$/.test(word) ? Number(word) : Number.NaN;
      return records <= RECORDER_STEPS_MAX ? { records } : { wrong: `not a number from 0 to ${RECORDER_STEPS_MAX}` };
    }
    case 'FlightRecorderSize': {
      if (word === '') return { bytes: RECORDER_BOUNDS.bytes };
      const bytes = parseSize(word);
      return typeof bytes === 'number' && bytes <= RECORDER_BYTES_MAX
        ? { bytes }
        : { wrong: `not a number of bytes up to ${RECORDER_BYTES_MAX / 1024 / 1024}M; K and M stand behind it` };
    }
    default:
      return { wrong: 'not honoured; use FlightRecorderSec=, FlightRecorderSteps=, FlightRecorderSize=' };
  }
}

/** One setting of [X-Chaos]. What is wrong leaves it as it was, which is the smaller one. */
function chaosSetting(key: string, word: string): Partial<ChaosSettings> | { readonly wrong: string } {
  switch (key) {
    case 'Enabled': {
      const enabled = parseBoolean(word);
      return enabled === undefined ? { wrong: 'not a boolean; use yes or no' } : { enabled };
    }
    case 'MaxUnits': {
      const maxUnits = /^\d{1,9}$/.test(word) ? Number(word) : 0;
      if (maxUnits < 1 || maxUnits > CHAOS_UNITS_MAX) return { wrong: `not a number from 1 to ${CHAOS_UNITS_MAX}` };
      return { maxUnits };
    }
    case 'MaxSec': {
      const maxMs = parseSpan(word);
      if (maxMs === undefined || maxMs === 'infinity' || maxMs <= 0 || maxMs > CHAOS_MS_MAX)
        return { wrong: 'not a time span above 0 and up to 1d' };
      return { maxMs };
    }
    case 'Protect':
      return { protect: word.split(/\s+/).filter((one) => one !== '') };
    default:
      return { wrong: 'not honoured; use Enabled=, MaxUnits=, MaxSec=, Protect=' };
  }
}
