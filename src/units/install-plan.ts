/**
 * What an install request is, what its plan is, and how a plan is carried out. How plans are made is in install.ts.
 */
import type { FilePort } from '../host/ports.ts';
import type { Finding } from './types.ts';

export type InstallVerb =
  | 'enable'
  | 'disable'
  | 'reenable'
  | 'preset'
  | 'preset-all'
  | 'mask'
  | 'unmask'
  | 'link'
  | 'revert'
  | 'add-wants'
  | 'add-requires'
  | 'set-default';

export interface InstallRequest {
  readonly verb: InstallVerb;
  /** Names, or absolute paths for enable, link and mask; for add-wants and add-requires those that are wanted. */
  readonly units: readonly string[];
  /** The unit that gets the dependency (add-wants, add-requires). */
  readonly target?: string;
  /** Until the next boot only. */
  readonly runtime?: boolean;
  /** Replace links that point elsewhere. */
  readonly force?: boolean;
  /** preset and preset-all: only one half of it. */
  readonly presetMode?: 'full' | 'enable-only' | 'disable-only';
}

/** One step, in order. Parents of links are made, directories left empty are removed. */
export type Change =
  | { readonly type: 'symlink'; readonly path: string; readonly target: string }
  | { readonly type: 'remove'; readonly path: string };

export interface InstallPlan {
  readonly changes: readonly Change[];
  /** Errors mean that (part of) the request cannot be done; `ok` is then false. */
  readonly findings: readonly Finding[];
  readonly ok: boolean;
  /** False: none of the units says how it is to be enabled. */
  readonly carriesInstallInfo: boolean;
}

/** Carry out a plan. Idempotent: a link that is there already is left, one that is gone already is no error. */
export function applyChanges(files: FilePort, changes: readonly Change[]): void {
  for (const change of changes) {
    const parent = change.path.slice(0, change.path.lastIndexOf('/'));
    if (change.type === 'symlink') {
      if (files.readlink(change.path) === change.target) continue;
      files.mkdirs(parent, 0o755);
      files.remove(change.path);
      files.symlink(change.target, change.path);
      continue;
    }
    if (files.lstat(change.path)?.kind === 'directory') files.removeTree(change.path);
    else files.remove(change.path);
    // Only directories that are made for links go with the last one of these.
    if (/\.(wants|requires|upholds|d)$/.test(parent) && files.list(parent)?.length === 0) files.removeTree(parent);
  }
}
