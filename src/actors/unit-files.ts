/** Changes of unit files (enable, mask, preset …): planned by src/units, carried out here, told in systemd's words. */
import type { Change, ChangeAnswer } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import { runInstall } from '../units/install-run.ts';
import type { Registry } from './registry.ts';

export function carryOutUnitFiles(
  { host, registry }: { readonly host: Host; readonly registry: Registry },
  change: Extract<Change, { what: 'unit-files' }>,
): ChangeAnswer {
  const options = { files: host.files, facts: host.facts, paths: registry.loader.paths };
  const dryRun = change.dryRun === true;
  const outcome = runInstall(
    options,
    {
      verb: change.verb,
      units: change.names,
      runtime: change.runtime,
      force: change.force,
      presetMode: change.presetMode,
      ...(change.target === '' ? {} : { target: change.target }),
    },
    dryRun,
  );
  if ('refused' in outcome) return { error: outcome.refused };
  if (!dryRun) registry.loader.refresh(); // the catalog: unit files have moved; units in memory stay until a reload
  return { result: { what: 'unit-files', ...outcome } };
}
