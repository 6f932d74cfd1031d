/**
 * Core's own log: pino for the form of a line, and a sink that never waits for the place it goes to.
 *
 * Lines go to a file of bounded size, to the kernel's log, or to standard error. What cannot be written at once is dropped and
 * counted, and the count is the next line that gets through. Lines wait in memory until the loop is idle for the first time, and are
 * written in any case when core leaves. pino is loaded a while later, since loading it takes as long as the rest of the start; until then
 * lines are made without it.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, renameSync } from 'node:fs';
import type { LogPort } from '../ports.ts';
import { addon } from './addon.ts';
import { codeOf } from './errors.ts';
import { openOwnLog, putAside } from './places.ts';

export type LogTarget = { readonly file: string; readonly maxBytes: number } | 'kmsg' | 'stderr' | 'none';

type Level = Parameters<LogPort['log']>[0];

/** pino's numbers for the levels, and the syslog priorities of /dev/kmsg (syslog(3)). */
const LEVELS: Readonly<Record<Level, number>> = { debug: 20, info: 30, notice: 35, warning: 40, error: 50 };
const PRIORITIES: Readonly<Record<string, number>> = { debug: 7, info: 6, notice: 5, warning: 4, error: 3 };
/** LOG_DAEMON. */
const FACILITY = 3 << 3;
/** A record of /dev/kmsg is cut at 1024 bytes, its prefix included. */
const KMSG_BYTES = 976;
/** Lines that wait for pino. */
const EARLY_MAX = 1024;

/** Something that takes whole lines, and may drop them. */
interface Sink {
  write(line: string): void;
}

type Writer = (level: Level, fields: Readonly<Record<string, unknown>>, message: string, timeMs: number) => void;

export class NodeLog implements LogPort {
  readonly #sink: LineSink;
  readonly #console: string | undefined;
  readonly #minimum: number;
  #early: Parameters<Writer>[] = [];
  #dropped = 0;
  #write: Writer | undefined;

  /**
   * @param console the file that is the console; undefined: there is none
   * @param tell what is wrong with the place of the log, a sentence
   */
  constructor(
    target: LogTarget,
    minimum: Level = 'info',
    console: string | undefined = undefined,
    tell: (what: string) => void = () => {},
  ) {
    this.#sink = new LineSink(target, tell);
    this.#console = console;
    this.#minimum = LEVELS[minimum];
  }

  /** Lines that were lost so far. */
  get dropped(): number {
    return this.#sink.dropped + this.#dropped;
  }

  log(level: Level, fields: Readonly<Record<string, unknown>>, message: string): void {
    if (LEVELS[level] < this.#minimum) return;
    const timeMs = addon.clockMs('realtime');
    if (this.#write !== undefined) this.#write(level, fields, message, timeMs);
    else if (this.#early.length < EARLY_MAX) this.#early.push([level, fields, message, timeMs]);
    else this.#dropped += 1;
    // A core that is busy for long, or dies soon, must not take along what a person has to know.
    if (LEVELS[level] >= LEVELS.warning) this.flush();
  }

  /** Opened for each line, never waited for, and never made our terminal; what cannot be written at once is dropped. */
  console(line: string): void {
    if (this.#console === undefined) return;
    let fd: number | undefined;
    try {
      fd = openSync(this.#console, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY);
      addon.writeLine(fd, `${line}\r\n`);
    } catch (cause) {
      if (codeOf(cause) === undefined) throw cause;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  /** Write what waits, and from now on each line at once. */
  begin(): void {
    this.#begin(this.#plain);
  }

  /** Load pino and write what waits; where it cannot be loaded, lines have the same form without it. */
  async open(): Promise<void> {
    try {
      const { pino } = await import('pino');
      const logger = pino(
        {
          base: null,
          level: 'debug',
          customLevels: { notice: LEVELS.notice, warning: LEVELS.warning },
          formatters: { level: (label) => ({ level: label }) },
          // The line's own time, which for early lines is not now.
          timestamp: false,
        },
        this.#sink satisfies Sink,
      );
      this.#begin((level, fields, message, timeMs) => logger[level]({ time: stamp(timeMs), ...fields }, message));
    } catch (cause) {
      this.#begin(this.#plain);
      this.log('error', { why: String(cause) }, 'pino cannot be loaded');
    }
  }

  /** Write what still waits, in the same form but without pino: what must not be lost before it is loaded. */
  flush(): void {
    if (this.#write !== undefined) return;
    this.#begin(this.#plain);
    this.#write = undefined;
  }

  readonly #plain: Writer = (level, fields, msg, timeMs) =>
    this.#sink.write(`${JSON.stringify({ level, time: stamp(timeMs), ...fields, msg })}\n`);

  #begin(write: Writer): void {
    this.#write = write;
    for (const line of this.#early.splice(0)) write(...line);
  }
}

const stamp = (timeMs: number): string => new Date(timeMs).toISOString();

/** Where lines end up. */
class LineSink implements Sink {
  readonly #target: LogTarget;
  #fd: number | undefined;
  #bytes = 0;
  /** Lost, and not yet said so. */
  #unsaid = 0;
  readonly #tell: (what: string) => void;
  /** It has been told that there is no place for the log. */
  #told = false;
  dropped = 0;

  constructor(target: LogTarget, tell: (what: string) => void) {
    this.#target = target;
    this.#tell = tell;
    this.#open();
  }

  write(line: string): void {
    if (this.#unsaid > 0) {
      const count = this.#unsaid;
      const notice = `${JSON.stringify({ level: 'warning', time: new Date().toISOString(), count, msg: 'log lines were lost' })}\n`;
      if (this.#put(notice)) this.#unsaid = 0;
    }
    if (this.#put(line)) return;
    this.#unsaid += 1;
    this.dropped += 1;
  }

  #put(line: string): boolean {
    if (this.#target === 'none') return true;
    if (this.#fd === undefined) this.#open();
    if (this.#fd === undefined) return false;
    try {
      const done = addon.writeLine(this.#fd, this.#target === 'kmsg' ? forKmsg(line) : line);
      if (done < 0) return false;
      this.#bytes += done;
      if (typeof this.#target === 'object' && this.#bytes > this.#target.maxBytes) this.#rotate(this.#target.file);
      return true;
    } catch (cause) {
      // A full disk, a terminal that is gone: counted, and said when lines get through again.
      if (codeOf(cause) === undefined) throw cause;
      return false;
    }
  }

  /** One former file is kept, so the whole takes at most twice the bound. */
  #rotate(file: string): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    const former = `${file}.1`;
    let said: string | undefined;
    try {
      if (lstatSync(former, { throwIfNoEntry: false })?.isDirectory()) said = putAside(former, 'a directory');
      renameSync(file, former);
    } catch (cause) {
      if (codeOf(cause) === undefined) throw cause;
      // Longer than it should be: better than lost. Tried again after as much.
      said = `${file}: it cannot be named ${former}: ${codeOf(cause)}`;
    }
    this.#open();
    this.#bytes = 0;
    if (said !== undefined) this.#tell(said);
  }

  #open(): void {
    if (this.#target === 'none') return;
    if (this.#target === 'stderr') {
      this.#fd = 2;
      return;
    }
    const append = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY;
    try {
      if (this.#target === 'kmsg') {
        this.#fd = openSync('/dev/kmsg', append);
      } else {
        const { fd, said } = openOwnLog(this.#target.file, 0o640);
        this.#fd = fd;
        this.#bytes = fstatSync(fd).size;
        this.#told = false;
        if (said !== undefined) this.#tell(said);
      }
    } catch (cause) {
      // Tried again with the next line; what is lost meanwhile is counted.
      if (codeOf(cause) === undefined) throw cause;
      if (this.#told) return;
      this.#told = true;
      this.#tell(`what core has to say is lost: ${cause instanceof Error ? cause.message : codeOf(cause)}`);
    }
  }
}

/** A JSON line as one record of /dev/kmsg: priority, who, the line, cut to what the kernel takes. */
function forKmsg(line: string): string {
  const level = /"level":"(\w+)"/.exec(line)?.[1] ?? 'info';
  const text = line.trimEnd();
  return `<${FACILITY | (PRIORITIES[level] ?? 6)}>sysmaster: ${Buffer.byteLength(text) > KMSG_BYTES ? `${text.slice(0, KMSG_BYTES / 2)}…` : text}\n`;
}
