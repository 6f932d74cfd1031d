/**
 * Recordings on disk: what the flight recorder holds is written into the run directory when something fails.
 *
 * One file for one failure: another one of the same sort and the same actor within ten minutes is the same story, and failures that
 * come together share a file. Files are few and small, the newest stay, and only root may read them. What cannot be
 * written is said once; core runs on.
 */
import { type Host, HostError } from '../host/ports.ts';
import {
  type RecordedPlugin,
  Recorder,
  type RecorderBounds,
  type Recording,
  type RecordingReason,
} from '../supervisor/index.ts';

/** Files that are kept. */
export const RECORDINGS_MAX = 8;
/** Size of one file, in characters. */
const RECORDING_CHARS = 4 * 1024 * 1024;
/** Steps of one file: making the text takes time in which nothing else is done. */
const STEPS = 256;
/** From one file to the next at least: a storm of failures must not become a storm of writing. */
const PAUSE_MS = 5000;
/** A failure that was written is not written again for so long. */
const AGAIN_MS = 600_000;
/** Failures that are remembered as written. */
const WRITTEN_MAX = 256;

export interface Recordings {
  readonly recorder: Recorder;
  /** What is in the ring now. */
  now(): Recording;
  /** A failure that only those who know units can see. */
  failed(what: string, actor: string, why: string): void;
  /** Core has come back from a death: what happens now, seen from the state it found, is worth keeping once some of it has happened. */
  cameBack(why: string): void;
  /** The settings may be others now. */
  reload(): void;
}

export interface RecordingParts {
  readonly host: Host;
  readonly version: string;
  /** How much is kept now. */
  bounds(): RecorderBounds;
  /** Machine plugins by the kind of their actors. */
  readonly plugins: Readonly<Record<string, RecordedPlugin>>;
  /** Where files go; undefined: nothing is written. */
  readonly directory: string | undefined;
  /** Number of the last event. */
  seq(): number;
}

const FILE = /^(\d{6})-[a-z0-9-]+\.json$/;

export function createRecordings({ host, version, bounds, plugins, directory, seq }: RecordingParts): Recordings {
  const written = new Map<string, number>();
  let waiting: RecordingReason[] = [];
  let lastMs = Number.NEGATIVE_INFINITY;
  let said = false;

  const recorder = new Recorder({
    bounds: bounds(),
    ...(directory === undefined ? {} : { onTurn: (reasons, nowMs) => write(directory, reasons, nowMs) }),
  });
  const about = (reasons: readonly RecordingReason[]) => ({
    version,
    bootId: host.facts.bootId,
    atMs: host.clock.nowMs(),
    realMs: host.clock.realMs(),
    reasons,
    plugins,
  });

  function isNews({ what, actor }: RecordingReason, nowMs: number): boolean {
    const key = `${what} ${actor}`;
    const last = written.get(key);
    if (last !== undefined && nowMs - last < AGAIN_MS) return false;
    written.delete(key);
    if (written.size >= WRITTEN_MAX) written.delete(written.keys().next().value as string);
    written.set(key, nowMs);
    return true;
  }

  function write(into: string, reasons: readonly RecordingReason[], nowMs: number): void {
    for (const reason of reasons) if (isNews(reason, nowMs) && waiting.length < WRITTEN_MAX) waiting.push(reason);
    if (recorder.isOff) waiting = [];
    if (waiting.length === 0 || nowMs - lastMs < PAUSE_MS) return;
    lastMs = nowMs;
    const named = waiting;
    waiting = [];
    try {
      writeFile(into, named);
    } catch (error) {
      // Whatever it is: the turn that is ending must not be lost for it.
      const why = error instanceof HostError ? `${error.about} (${error.code})` : String(error);
      if (!said) host.log.log('warning', { why }, 'recordings cannot be written');
      said = true;
    }
  }

  function writeFile(into: string, reasons: readonly RecordingReason[]): void {
    let steps = STEPS;
    let text = JSON.stringify(recorder.recording(about(reasons), steps));
    while (text.length > RECORDING_CHARS && steps > 0) {
      // What an actor begins with may be long, and is in it with the first of its steps: in the end there are none.
      steps = Math.floor(Math.min(steps / 2, (steps * RECORDING_CHARS) / text.length));
      text = JSON.stringify(recorder.recording(about(reasons), steps));
    }
    host.files.mkdirs(into, 0o700);
    const found = host.files.lstat(into);
    if (found?.kind !== 'directory' || (found.mode & 0o022) !== 0)
      throw new HostError('EPERM', `${into}: not a directory of core's own`);
    const files = (host.files.list(into) ?? []).filter((name) => FILE.test(name)).sort();
    const number = Number(FILE.exec(files.at(-1) ?? '')?.[1] ?? 0) + 1;
    const path = `${into}/${String(number).padStart(6, '0')}-${reasons[0]?.what ?? 'failure'}.json`;
    host.files.writeText(path, `${text}\n`, 0o600);
    for (const name of files.slice(0, Math.max(0, files.length + 1 - RECORDINGS_MAX))) {
      host.files.remove(`${into}/${name}`);
    }
    host.log.log(
      'notice',
      { path, reasons: reasons.map(({ what, actor }) => `${what} ${actor}`) },
      'recording written',
    );
  }

  return {
    recorder,
    now: () => recorder.recording(about([])),
    failed: (what, actor, why) => recorder.failure({ what, actor, why, seq: seq() }),
    cameBack(why) {
      waiting.push({ what: 'core-came-back', actor: '', why, seq: seq() });
      lastMs = host.clock.nowMs();
    },
    reload: () => recorder.rebound(bounds()),
  };
}
