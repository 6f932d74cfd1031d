/**
 * Finds and loads the addon, and turns its errors and Node's into {@link HostError}.
 *
 * The addon is looked for in SYSMASTER_ADDON, then beside the bundle, then in .build of the source tree. It is loaded with
 * process.dlopen, which works alike in an ES module, in a bundle and under a test runner.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type * as Addon from '../../../native/addon/index.d.ts';
import { HostError } from '../ports.ts';

export type { Frame, Peeked, Peer, Sent } from '../../../native/addon/index.d.ts';

/** Bits of epoll_ctl(2). */
export const EPOLL = {
  in: 1,
  pri: 2,
  out: 4,
  err: 8,
  hup: 16,
  rdhup: 0x2000,
  oneshot: 0x4000_0000,
  edge: 0x8000_0000,
} as const;

function locate(): string {
  const here: string | undefined = import.meta.dirname;
  const beside = process.argv[1] === undefined ? [] : [join(dirname(process.argv[1]), 'addon.node')];
  const candidates =
    here === undefined ? beside : [join(here, 'addon.node'), join(here, '../../../.build/addon.node'), ...beside];
  const found = process.env['SYSMASTER_ADDON'] ?? candidates.find((path) => existsSync(path));
  if (found === undefined) {
    throw new HostError('ENOENT', `the addon; looked for ${candidates.join(', ')}; build it, or set SYSMASTER_ADDON`);
  }
  return found;
}

function load(): typeof Addon {
  const target = { exports: {} };
  process.dlopen(target as NodeJS.Module, locate());
  return target.exports as typeof Addon;
}

/** The addon; loaded when this module is. */
export const addon: typeof Addon = load();
