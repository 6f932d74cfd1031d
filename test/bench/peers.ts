/** Who is measured: ours, systemd, runit and busybox's init, each as PID 1 of the same kind of machine. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { debianMissing, debianRoot } from '../integration/support/debian.ts';
import { busybox, cache, unpack } from '../vm/image.ts';
import { inside, type Machine, type Recipe } from './machine.ts';
import { childrenOf } from './measure.ts';
import { thirtyForBusybox, thirtyForRunit, UNITS } from './sets.ts';

export interface Peer {
  readonly name: string;
  /** How to boot the thirty services. */
  readonly thirty: Recipe;
  /** How to boot a set of unit files; absent: it reads none. `plainly`: without the shell that writes when ours executes core. */
  units?(files: Readonly<Record<string, string>>, plainly?: boolean): Recipe;
  /** Client commands, as words for a shell. */
  readonly client?: string;
  readonly isActive?: string;
  /** The processes that are the manager, of which the first is PID 1. */
  processes(machine: Machine): number[];
}

/** @param lib where its programs are inside */
export function ours(root: string, thirty: Readonly<Record<string, string>>, lib = `${inside}/.build`): Peer {
  /** sctl as its wrapper starts it. */
  const sctl = `${lib}/node ${lib}/sctl.mjs`;
  const core = `${lib}/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc ${lib}/core.cjs`;
  const units = (files: Readonly<Record<string, string>>, plainly = false): Recipe => ({
    root,
    argv: [`${lib}/init`, '--config', '/run/init.conf'],
    files: {
      ...files,
      '/run/bench/core': `echo $EPOCHREALTIME >/run/bench/core-execed\nexec ${core}\n`,
      '/run/init.conf': [
        `Core=${plainly ? core : '/bin/bash /run/bench/core'}`,
        `Exec=${lib}/exec`,
        `CoreEnvironment=SYSMASTER_UNIT_PATH=${UNITS}`,
        'CoreEnvironment=SYSMASTER_GENERATOR_PATH=',
        '',
      ].join('\n'),
    },
  });
  return {
    name: 'sysMaster',
    thirty: units(thirty),
    units,
    client: sctl,
    isActive: `${sctl} is-active d0.service`,
    // Core is the first child; the log keeper belongs to what is needed for the same service.
    processes: ({ pid }) => [pid, childrenOf(pid)[0]!],
  };
}

function systemd(root: string, thirty: Readonly<Record<string, string>>): Peer {
  const program = '/lib/systemd/systemd --system --log-level=warning --log-target=console --show-status=no';
  const units = (files: Readonly<Record<string, string>>): Recipe => ({
    root,
    argv: [`env SYSTEMD_UNIT_PATH=${UNITS} SYSTEMD_GENERATOR_PATH= ${program}`],
    files,
  });
  return {
    name: 'systemd',
    thirty: units(thirty),
    units,
    client: 'systemctl',
    isActive: 'systemctl is-active d0.service',
    processes: ({ pid }) => [pid],
  };
}

function runit(root: string): Peer {
  const tree = join(cache, 'runit');
  if (!existsSync(tree)) {
    rmSync(`${tree}.new`, { recursive: true, force: true });
    unpack('runit', `${tree}.new`);
    renameSync(`${tree}.new`, tree);
  }
  const program = (name: string): string => {
    const found = ['usr/bin', 'bin', 'usr/sbin', 'sbin']
      .map((path) => join(tree, path, name))
      .find((path) => existsSync(path));
    if (found === undefined) throw new Error(`runit: ${name}: not in the package`);
    return found;
  };
  const copies = Object.fromEntries(
    ['runit', 'runsvdir', 'runsv', 'sv'].map((name) => [`/usr/bin/${name}`, `<- ${program(name)}`]),
  );
  return {
    name: 'runit',
    thirty: { root, argv: ['/usr/bin/runit'], files: { ...thirtyForRunit(), ...copies } },
    isActive: 'sv status /etc/service/d0',
    // runit, runsvdir and one runsv for each service.
    processes({ pid }) {
      const runsvdir = childrenOf(pid);
      return [pid, ...runsvdir, ...runsvdir.flatMap(childrenOf)];
    },
  };
}

function busyboxInit(root: string): Peer {
  return {
    name: 'busybox init',
    thirty: {
      root,
      argv: ['/run/bench/busybox init'],
      files: { ...thirtyForBusybox(), '/run/bench/busybox': `<- ${busybox()}` },
    },
    processes: ({ pid }) => [pid],
  };
}

/** All that can run here, ours first, and why the others cannot. */
export function peers(thirty: Readonly<Record<string, string>>): {
  readonly there: Peer[];
  readonly missing: string[];
} {
  const why = debianMissing();
  if (why !== undefined)
    return { there: [ours('-', thirty)], missing: [`systemd, runit, busybox init: no Debian root: ${why}`] };
  const root = debianRoot();
  const there = [ours(root, thirty), systemd(root, thirty)];
  const missing: string[] = [];
  for (const make of [runit, busyboxInit]) {
    try {
      there.push(make(root));
    } catch (error) {
      missing.push((error as Error).message);
    }
  }
  return { there, missing };
}

/** Time of one call over a connection that stays open, in µs, for each of `rounds` calls. */
export async function callTimes(machine: Machine, rounds: number): Promise<number[]> {
  const socket = connect(join(machine.state, 'run/sysmaster/api.sock'));
  socket.setEncoding('utf8');
  const samples: number[] = [];
  const call = `${JSON.stringify({ method: 'io.sysmaster.Units.States', parameters: { names: ['d0.service'] } })}\0`;
  await new Promise<void>((resolve, reject) => {
    let asked = process.hrtime.bigint();
    let text = '';
    socket.on('connect', () => socket.write(call));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (part: string) => {
      text += part;
      if (!text.endsWith('\0')) return;
      if (!text.includes('"active":"active"')) return reject(new Error(text));
      text = '';
      samples.push(Number(process.hrtime.bigint() - asked) / 1000);
      if (samples.length === rounds) return resolve();
      asked = process.hrtime.bigint();
      socket.write(call);
    });
  }).finally(() => socket.destroy());
  return samples.slice(Math.floor(rounds / 10));
}
