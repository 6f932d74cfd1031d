/** systemd's own programs as oracles. Each is asked on a tree or on words, never about this machine's manager. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { type FilePort, HostError } from '../../src/host/ports.ts';
import { diskFiles } from '../unit/units-support.ts';

export interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run a program with a bounded time; the environment is made plain so that messages are not translated. */
export function ask(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Answer {
  const done = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 30_000,
    maxBuffer: 64 * 1024 * 1024,
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      LC_ALL: 'C.UTF-8',
      SYSTEMD_COLORS: '0',
      SYSTEMD_LOG_TARGET: 'console',
      ...env,
    },
  });
  if (done.error !== undefined) throw done.error;
  return { status: done.status ?? -1, stdout: done.stdout, stderr: done.stderr };
}

/** Is the program there, and of version 252 or later? */
export function has(program: string): boolean {
  const done = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const version = Number(/^systemd (\d+)/.exec(done.stdout ?? '')?.[1] ?? 0);
  return done.error === undefined && version >= 252;
}

/** A fresh directory with these files; values `-> x` are links. */
export function makeTree(tree: Readonly<Record<string, string>>): string {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'sysmaster-units-'));
  for (const [name, value] of Object.entries(tree)) {
    const whole = path.join(root, name);
    fs.mkdirSync(path.dirname(whole), { recursive: true });
    if (value.startsWith('-> ')) fs.symlinkSync(value.slice(3), whole);
    else fs.writeFileSync(whole, value);
  }
  return root;
}

/** All links below a directory, as `path -> target`, sorted. */
export function linksBelow(directory: string): string[] {
  const out: string[] = [];
  const walk = (at: string) => {
    if (!fs.existsSync(at)) return;
    for (const entry of fs.readdirSync(at, { withFileTypes: true })) {
      const whole = path.join(at, entry.name);
      if (entry.isSymbolicLink()) out.push(`${path.relative(directory, whole)} -> ${fs.readlinkSync(whole)}`);
      else if (entry.isDirectory()) walk(whole);
    }
  };
  walk(directory);
  return out.sort();
}

/** The real disk, for writing too. */
export function writableDisk(): FilePort {
  return {
    ...diskFiles(),
    writeText: (file, text, mode) => fs.writeFileSync(file, text, { mode }),
    mkdirs: (directory, mode) => void fs.mkdirSync(directory, { recursive: true, mode }),
    symlink: (target, link) => fs.symlinkSync(target, link),
    remove(file) {
      try {
        fs.unlinkSync(file);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? 'EIO';
        if (code !== 'ENOENT') throw new HostError(code, file, error);
      }
    },
    removeTree: (directory) => fs.rmSync(directory, { recursive: true, force: true }),
  };
}
