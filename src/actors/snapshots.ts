/**
 * Snapshots on disk, one file each, written whole or not at all; and the present in the same form.
 *
 * They lie in the state directory, which outlasts a boot: /var/lib/sysmaster, or $SYSMASTER_STATE_DIRECTORY; beside init's own
 * run-time directory where the machine is not ours to write to (core as a child of another system, a read-only root).
 */
import { ManagerError, type UnitFile, type UnitSummary } from '../api/manager.ts';
import { whyNotOwn } from '../host/own-directory.ts';
import type { Host } from '../host/ports.ts';
import { HostError } from '../host/ports.ts';
import {
  isSnapshotName,
  type Restoring,
  readSnapshot,
  restoring,
  type Snapshot,
  type SnapshotUnit,
} from '../jobs/snapshot.ts';
import type { JobRequest } from '../jobs/types.ts';
import { isUpOrComing } from '../jobs/verbs.ts';
import { isUnitName } from '../units/index.ts';
import type { Registry } from './registry.ts';
import { settingsHash } from './settings-hash.ts';

/** Snapshots that may be there. */
const MAX_SNAPSHOTS = 256;
const SUFFIX = '.json';

const isNoUnit = (name: string) => !isUnitName(name);

/** Where things are kept that outlast a boot. */
function stateDirectory({ facts, files, hello }: Pick<Host, 'facts' | 'files' | 'hello'>): string {
  const named = facts.environment['SYSMASTER_STATE_DIRECTORY'];
  if (named?.startsWith('/') === true) return named;
  return hello.role !== 'subreaper' && files.access('/var/lib', 'w') ? '/var/lib/sysmaster' : facts.runDirectory;
}

export interface Snapshots {
  names(): readonly string[];
  read(name: string): Snapshot;
  /** Things as they are. */
  now(name: string, by: string): Snapshot;
  save(name: string, by: string): void;
  /** Throws ManagerError as {@link save} does for a name that cannot be one, and where there is no room for another. */
  mayBeSaved(name: string): void;
  /** One that is gone already is no error. */
  remove(name: string): void;
  /** What leads back to it; a request for nothing where only unit files do. Brings what was active back into memory. */
  restoring(name: string, by: string): Restoring & { readonly request: JobRequest };
}

export interface SnapshotParts {
  readonly host: Host;
  readonly registry: Registry;
  summaries(): readonly UnitSummary[];
  unitFiles(): readonly UnitFile[];
}

export function createSnapshots({ host, registry, summaries, unitFiles }: SnapshotParts): Snapshots {
  const state = stateDirectory(host);
  const directory = `${state}/snapshots`;
  const fail = (error: 'BadRequest' | 'NoSuchSnapshot' | 'BadSnapshot', why: string, todo: string): never => {
    throw new ManagerError({ error, unit: '', why, todo });
  };
  const pathOf = (name: string): string => {
    if (!isSnapshotName(name))
      fail(
        'BadRequest',
        `${JSON.stringify(name.slice(0, 80))} cannot be the name of a snapshot`,
        'use up to 64 letters, digits and _.@-, but not "now"',
      );
    return `${directory}/${name}${SUFFIX}`;
  };
  /** Neither followed nor written into where it is another's work; a link to where things are to be kept may be ours, who run as its owner. */
  const mustBeOwn = (): void => {
    const own = host.files.stat('/proc/self')?.uid ?? 0;
    for (const path of [state, directory]) {
      const found = host.files.lstat(path);
      if (found === undefined || (found.kind === 'symlink' && path === state && found.uid === own)) continue;
      const why = whyNotOwn(found, own);
      if (why !== undefined) fail('BadSnapshot', `${path}: ${why}`, 'put it right, or remove it');
    }
  };
  const names = (): string[] => {
    mustBeOwn();
    return namesIn(host.files.list(directory) ?? []);
  };
  const namesIn = (files: readonly string[]): string[] =>
    files
      .filter((file) => file.endsWith(SUFFIX))
      .map((file) => file.slice(0, -SUFFIX.length))
      .filter(isSnapshotName)
      .sort();
  const missing = (name: string): never =>
    fail('NoSuchSnapshot', `there is no snapshot ${name}`, 'sctl snapshot list names those there are');

  const unitsNow = (): Snapshot['units'] => {
    const found = new Map<string, SnapshotUnit>();
    for (const { name, state } of unitFiles()) {
      const settings = /@\.[a-z]+$/.test(name) ? undefined : registry.loader.load(name);
      found.set(name, {
        active: 'inactive',
        sub: 'dead',
        load: settings?.loadState ?? 'stub',
        file: state,
        settings: settings === undefined || settings.fragmentPath === '' ? '' : settingsHash(settings, host),
      });
    }
    for (const { name, active, sub, load } of summaries()) {
      const unit = registry.unit(name);
      const settings = unit === undefined || unit.fragmentPath === '' ? '' : settingsHash(unit, host);
      found.set(name, { active, sub, load, file: found.get(name)?.file ?? unit?.unitFileState ?? '', settings });
    }
    return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  };

  const now = (name: string, by: string): Snapshot => ({
    format: 'sysmaster-snapshot',
    version: 1,
    name,
    madeUs: Math.round(host.clock.realMs() * 1000),
    by,
    machineId: host.facts.machineId,
    bootId: host.facts.bootId,
    defaultTarget: registry.graph.canonical('default.target'),
    units: unitsNow(),
  });

  const kept = (path: string, name: string): string | undefined => {
    try {
      return host.files.readOwn(path);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return fail('BadSnapshot', error.message, `remove it: sctl snapshot delete ${name}`);
    }
  };

  const read = (name: string): Snapshot => {
    const path = pathOf(name);
    mustBeOwn();
    const text = kept(path, name);
    if (text === undefined) return missing(name);
    const snapshot = readSnapshot(text);
    const stranger = typeof snapshot === 'string' ? undefined : Object.keys(snapshot.units).find(isNoUnit);
    if (typeof snapshot !== 'string' && stranger === undefined) return snapshot;
    const why = stranger === undefined ? snapshot : `${JSON.stringify(stranger).slice(0, 80)} is no name of a unit`;
    return fail('BadSnapshot', `${path}: cannot be used: ${why}`, `remove it: sctl snapshot delete ${name}`);
  };

  const mayBeSaved = (name: string): string => {
    const path = pathOf(name);
    const there = names();
    if (there.length >= MAX_SNAPSHOTS && !there.includes(name))
      fail('BadRequest', `there are ${there.length} snapshots already`, 'delete some: sctl snapshot delete NAME');
    return path;
  };

  return {
    names,
    now,
    read,
    restoring(name, by) {
      const then = read(name);
      if (then.machineId !== host.facts.machineId)
        fail(
          'BadSnapshot',
          `snapshot ${name} was made on another machine (${then.machineId || 'without an id'})`,
          'make one here: sctl snapshot save NAME',
        );
      const active = Object.entries(then.units).filter(([, unit]) => isUpOrComing(unit.active));
      registry.look(active.map(([unit]) => unit));
      const { request = { verb: 'stop', units: [], mode: 'replace', by }, ...rest } = restoring(
        then,
        now('now', by),
        registry.jobGraph,
        by,
      );
      return { ...rest, request };
    },
    mayBeSaved,
    save(name, by) {
      const path = mayBeSaved(name);
      try {
        host.files.mkdirs(directory, 0o755);
        host.files.writeText(path, `${JSON.stringify(now(name, by), undefined, 1)}\n`, 0o600);
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        fail('BadRequest', `the snapshot cannot be written: ${error.message}`, 'see what is wrong with its directory');
      }
    },
    remove(name) {
      const path = pathOf(name);
      mustBeOwn();
      host.files.remove(path);
    },
  };
}
