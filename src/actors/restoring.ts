/**
 * Snapshots are brought back, and plans that nobody has confirmed are undone: what has to be in memory first, and how it is kept.
 */
import { type Change, ManagerError } from '../api/manager.ts';
import { HostError } from '../host/ports.ts';
import type { Confirmation, Wish } from '../jobs/apply.ts';
import type { JobsWorld } from '../jobs/protocol.ts';
import type { FileChange } from '../jobs/snapshot.ts';
import type { JobRequest } from '../jobs/types.ts';
import { partsOf } from '../jobs/verbs.ts';
import type { EffectCall } from '../supervisor/index.ts';
import { applyChanges, type Change as Link } from '../units/install-plan.ts';
import { overlay } from '../units/overlay.ts';
import { asItRuns, bringIn, type LoadingTools, loadAgain } from './loading.ts';
import { shortHash } from './names.ts';
import { createRegistry } from './registry.ts';
import { settingsIn } from './settings-hash.ts';
import type { Snapshots } from './snapshots.ts';
import { linkUnitFiles, planUnitFiles } from './unit-files.ts';

export interface RestoringTools extends LoadingTools {
  readonly snapshots: Snapshots;
}

/** Whom a request names. */
export const unitsOf = (request: JobRequest) => partsOf(request).flatMap(({ units }) => units);

/** The way back from a restored snapshot; the same one when the effect is issued again, since it is named after what asked for it. */
const backOf = (name: string, key: string): string => `undo-${name.slice(0, 40)}-${shortHash(key)}`;

/** Things as they are are kept first, where they may have to be brought back. */
export function restoreAsked(
  tools: RestoringTools,
  call: EffectCall,
  key: string,
  by: string,
  { name, tellAll, confirmMs }: Extract<Change, { what: 'restore' }>,
): void {
  const snapshot = confirmMs === undefined ? undefined : backOf(name, key);
  if (snapshot !== undefined) {
    tools.snapshots.read(name); // one that cannot be restored leaves none behind
    if (!tools.snapshots.names().includes(snapshot)) tools.snapshots.save(snapshot, by);
  }
  restore(tools, call, name, by, {
    wish: {
      id: snapshot === undefined ? `snapshot ${name}` : name,
      by,
      tellAll,
      ...(snapshot === undefined ? {} : { snapshot, confirmMs }),
    },
    client: { errand: key, index: 0 },
  });
}

/** Nobody has confirmed: what leads back is brought into memory, or is a snapshot; then it is the job engine's turn. */
export function undo(
  tools: RestoringTools,
  call: Pick<EffectCall, 'post'>,
  { id, undo: request, snapshot }: Confirmation,
): void {
  const units = request === undefined ? [] : unitsOf(request);
  bringIn(tools, call, units);
  if (snapshot !== undefined) {
    const by = `the undoing of snapshot ${id}, which nobody confirmed`;
    try {
      restore(tools, call, snapshot, by, { wish: { id, by } });
    } catch (error) {
      if (!(error instanceof ManagerError || error instanceof HostError)) throw error;
      tools.host.log.log('error', { snapshot }, `snapshot ${id} cannot be undone: ${error.message}`);
    }
  }
  call.post('jobs', { type: 'undo', id, considered: units });
}

/** It was confirmed, or has served. */
export function dropSnapshot({ snapshots }: RestoringTools, name: string): void {
  if (snapshots.names().includes(name)) snapshots.remove(name);
}

/**
 * The units in memory and those of a request as they will be once unit files have been changed and read, before anything is: what was
 * masked can be started, what was enabled is wanted. Units that are up keep their settings, as {@link loadAgain} has it.
 *
 * @returns also the changes that can be made, and why the others cannot
 */
export function foreseen(
  { host, registry, actors }: Pick<LoadingTools, 'host' | 'registry' | 'actors'>,
  files: readonly FileChange[],
  request: JobRequest,
): {
  readonly world: Pick<JobsWorld, 'graph' | 'settings'>;
  readonly files: readonly FileChange[];
  readonly notes: readonly string[];
} {
  const changed = overlay(host.files);
  const notes: string[] = [];
  const possible = files.filter((file) => {
    const { links, refused } = linksOf({ host, registry }, file, changed);
    applyChanges(changed, links);
    notes.push(...refused);
    return refused.length === 0;
  });
  const then = createRegistry({ files: changed, facts: host.facts, paths: registry.loader.paths });
  const were = registry.units();
  then.look([...were.map(({ name }) => name), ...unitsOf(request)]);
  for (const was of were) {
    const held = asItRuns({ actors }, was, then.unit(was.name));
    if (held !== undefined) then.put(held);
  }
  const settings = (name: string) => settingsIn(then, name, host);
  return { world: { graph: () => then.jobGraph, settings }, files: possible, notes };
}

/** What one change of a snapshot comes to in links, and why it cannot be made. */
function linksOf(
  tools: Pick<LoadingTools, 'host' | 'registry'>,
  { verb, unit, runtime }: FileChange,
  files = tools.host.files,
): { readonly links: readonly Link[]; readonly refused: readonly string[] } {
  const plain = { force: false, presetMode: 'full', target: '', reload: false } as const;
  const { answer, links } = planUnitFiles(tools, { what: 'unit-files', verb, names: [unit], runtime, ...plain }, files);
  return { links, refused: 'error' in answer ? [`${verb} ${unit} left out: ${answer.error.why}`] : [] };
}

/** Unit files first, since what is masked cannot be started; then the units. */
function restore(
  tools: RestoringTools,
  call: Pick<EffectCall, 'post'>,
  name: string,
  by: string,
  asked: { readonly wish: Wish; readonly client?: unknown },
): void {
  const { files, request, notes: told } = tools.snapshots.restoring(name, by);
  const notes = [...told];
  for (const file of files) {
    const { links, refused } = linksOf(tools, file);
    notes.push(...refused);
    linkUnitFiles(tools, links);
  }
  if (files.length > 0) loadAgain(tools, call);
  for (const note of notes) tools.host.log.log('notice', { snapshot: name }, note);
  const units = unitsOf(request);
  const bringBack = { type: 'bring-back', request, considered: units, notes, ...asked };
  bringIn(tools, call, units, () => call.post('jobs', bringBack));
}
