#!/usr/bin/env node
/**
 * sctl: the program; start.ts runs it with code that is kept.
 * Called as systemctl, poweroff, reboot, halt, shutdown, journalctl, systemd-analyze or systemd-escape it behaves like it.
 */
import { basename } from 'node:path';
import type { Context } from './context.ts';
import { main } from './run.ts';

const NAMES: ReadonlySet<string> = new Set([
  'systemctl',
  'poweroff',
  'reboot',
  'halt',
  'shutdown',
  'journalctl',
  'systemd-analyze',
  'systemd-escape',
]);

/** By the link it was started through, or by the argv[0] that a wrapper set (`exec -a systemctl node …`). */
function calledAs(): string {
  const given = [process.env['SCTL_NAME'] ?? '', process.argv0, process.argv[1] ?? ''].map((path) => basename(path));
  return given.find((name) => NAMES.has(name)) ?? 'sctl';
}

/** What a signal may be answered with before the command ends by it. */
const INTERRUPTS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const LAST_WORDS_MS = 500;

/** The command dies of the very signal, so that a shell sees an interrupt (130) and ends its loops, too. */
function onInterrupt(does: () => Promise<void>): () => void {
  const die = (signal: keyof typeof INTERRUPTS): void => {
    process.kill(process.pid, signal);
    // Whoever ignores the signal for us (nohup, PID 1 of a container) still gets the status.
    process.exit(128 + INTERRUPTS[signal]);
  };
  const heard = (signal: NodeJS.Signals): void => {
    off();
    const end = () => die(signal as keyof typeof INTERRUPTS);
    setTimeout(end, LAST_WORDS_MS);
    does().then(end, end);
  };
  const signals = Object.keys(INTERRUPTS) as (keyof typeof INTERRUPTS)[];
  const off = () => {
    for (const signal of signals) process.off(signal, heard);
  };
  for (const signal of signals) process.on(signal, heard);
  return off;
}

const context: Context = {
  out: (text) => {
    process.stdout.write(text);
  },
  err: (text) => {
    process.stderr.write(text);
  },
  input: async () => {
    let text = '';
    process.stdin.setEncoding('utf8');
    for await (const chunk of process.stdin) text += String(chunk);
    return text;
  },
  terminal: process.stdout.isTTY === true,
  errorTerminal: process.stderr.isTTY === true,
  person: async () => (await import('./person.ts')).person(),
  // A terminal may be made wider or narrower while a command waits.
  get columns() {
    return Number(process.env['COLUMNS']) || process.stdout.columns || 80;
  },
  onInterrupt,
  env: process.env,
  nowUs: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
  monotonicUs: () => Number(process.hrtime.bigint() / 1000n),
  name: calledAs(),
  uid: process.getuid?.() ?? 0,
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

// A reader that goes away (`sctl logs | head`) ends us quietly, as a program in C would be by SIGPIPE.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

void main(process.argv.slice(2), context).then((status) => {
  process.exitCode = status;
});
