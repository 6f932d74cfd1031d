/** Changes of unit files (enable, mask, preset …): planned by src/units, carried out here, told in systemd's words. */
import type { Change, ChangeAnswer, UnitFileStep } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import { sentence } from '../units/finding.ts';
import { planInstall } from '../units/install.ts';
import { applyChanges } from '../units/install-plan.ts';
import type { Registry } from './registry.ts';

export function carryOutUnitFiles(
  { host, registry }: { readonly host: Host; readonly registry: Registry },
  change: Extract<Change, { what: 'unit-files' }>,
): ChangeAnswer {
  const options = { files: host.files, facts: host.facts, paths: registry.loader.paths };
  const planned = planInstall(options, {
    verb: change.verb,
    units: change.names,
    runtime: change.runtime,
    force: change.force,
    presetMode: change.presetMode,
    ...(change.target === '' ? {} : { target: change.target }),
  });
  if (!planned.ok) {
    const [first] = planned.findings.filter(({ severity }) => severity === 'error');
    return {
      error: {
        error: /not.?found|no such|does not exist/i.test(first?.why ?? '') ? 'NoSuchUnit' : 'BadRequest',
        unit: first?.what ?? change.names[0] ?? '',
        why: first?.why ?? 'cannot be done',
        todo: first?.todo ?? '',
      },
    };
  }
  const steps: UnitFileStep[] = planned.changes
    .filter((step) =>
      step.type === 'symlink'
        ? host.files.readlink(step.path) !== step.target
        : host.files.lstat(step.path) !== undefined,
    )
    .map((step) =>
      step.type === 'symlink'
        ? { kind: 'symlink', path: step.path, target: step.target }
        : { kind: 'unlink', path: step.path, target: '' },
    );
  if (change.dryRun !== true) applyChanges(host.files, planned.changes);
  if (change.dryRun !== true) registry.loader.refresh(); // the catalog: unit files have moved; units in memory stay until a reload
  return {
    result: {
      what: 'unit-files',
      steps,
      carriesInstallInfo: planned.carriesInstallInfo,
      findings: planned.findings.map((finding) => sentence(finding)),
    },
  };
}
