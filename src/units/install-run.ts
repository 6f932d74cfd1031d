/**
 * An install request from beginning to end: planned, told in steps, and, unless it is only tried, carried out.
 */
import { sentence } from './finding.ts';
import { type InstallOptions, planInstall } from './install.ts';
import { applyChanges, type Change, type InstallRequest } from './install-plan.ts';

/** One link made or removed, in the order in which it is done. */
export interface InstallStep {
  readonly kind: 'symlink' | 'unlink';
  readonly path: string;
  /** Where a link that is made points; empty for one that is removed. */
  readonly target: string;
}

export type InstallOutcome =
  | {
      readonly steps: readonly InstallStep[];
      readonly carriesInstallInfo: boolean;
      /** Sentences for a person. */
      readonly findings: readonly string[];
      /** All that belongs to it, also what is so already. */
      readonly changes: readonly Change[];
    }
  | {
      readonly refused: {
        readonly error: 'NoSuchUnit' | 'BadRequest';
        readonly unit: string;
        readonly why: string;
        readonly todo: string;
      };
    };

/** Nothing is written if it is refused, or with `dryRun`. Throws HostError where files cannot be written. */
export function runInstall(options: InstallOptions, request: InstallRequest, dryRun: boolean): InstallOutcome {
  const { files } = options;
  const planned = planInstall(options, request);
  if (!planned.ok) {
    const first = planned.findings.find(({ severity }) => severity === 'error');
    const why = first?.why ?? 'cannot be done';
    return {
      refused: {
        error: /does not exist|no such/i.test(why) ? 'NoSuchUnit' : 'BadRequest',
        unit: first?.what ?? request.units[0] ?? '',
        why,
        todo: first?.todo ?? '',
      },
    };
  }
  // What an earlier step removes a later one makes anew (reenable), and it is told.
  const removed = new Set<string>();
  const steps = planned.changes
    .filter((step) => {
      if (step.type === 'symlink') return removed.delete(step.path) || files.readlink(step.path) !== step.target;
      if (removed.has(step.path) || files.lstat(step.path) === undefined) return false;
      removed.add(step.path);
      return true;
    })
    .map(
      (step): InstallStep =>
        step.type === 'symlink'
          ? { kind: 'symlink', path: step.path, target: step.target }
          : { kind: 'unlink', path: step.path, target: '' },
    );
  if (!dryRun) applyChanges(files, planned.changes);
  return {
    steps,
    carriesInstallInfo: planned.carriesInstallInfo,
    findings: planned.findings.map((finding) => sentence(finding)),
    changes: planned.changes,
  };
}
