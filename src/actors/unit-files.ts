/** Changes of unit files (enable, mask, preset …): planned by src/units, carried out here, told in systemd's words. */
import type { Change, ChangeAnswer } from '../api/manager.ts';
import type { FilePort, Host } from '../host/ports.ts';
import { applyChanges, type Change as Link } from '../units/install-plan.ts';
import { runInstall } from '../units/install-run.ts';
import type { Registry } from './registry.ts';

interface Tools {
  readonly host: Host;
  readonly registry: Registry;
}

/** What is to be done to `files`, and what is answered; nothing is done yet. Refused or only tried: there is nothing to do. */
export function planUnitFiles(
  { host, registry }: Tools,
  change: Extract<Change, { what: 'unit-files' }>,
  files: FilePort = host.files,
): { readonly answer: ChangeAnswer; readonly links: readonly Link[] } {
  const outcome = runInstall(
    { files, facts: host.facts, paths: registry.loader.paths },
    {
      verb: change.verb,
      units: change.names,
      runtime: change.runtime,
      force: change.force,
      presetMode: change.presetMode,
      ...(change.target === '' ? {} : { target: change.target }),
    },
    true,
  );
  if ('refused' in outcome) return { answer: { error: outcome.refused }, links: [] };
  const { changes, ...told } = outcome;
  return { answer: { result: { what: 'unit-files', ...told } }, links: change.dryRun === true ? [] : changes };
}

/** Do it; doing it again changes nothing. @throws HostError */
export function linkUnitFiles({ host, registry }: Tools, links: readonly Link[]): void {
  applyChanges(host.files, links);
  registry.loader.refresh(); // the catalog: unit files have moved; units in memory stay until a reload
}
