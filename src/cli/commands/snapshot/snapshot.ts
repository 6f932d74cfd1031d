/** Snapshots as core answers them. */

export interface SnapshotUnit {
  readonly active: string;
  readonly sub: string;
  readonly load: string;
  readonly file: string;
  readonly settings: string;
}

export interface Snapshot {
  readonly name: string;
  readonly madeUs: number;
  readonly by: string;
  readonly machineId: string;
  readonly bootId: string;
  readonly defaultTarget: string;
  readonly units: Readonly<Record<string, SnapshotUnit>>;
}

/** What is different about one unit; `field` is what a person calls it. */
export interface Difference {
  readonly unit: string;
  readonly field: 'there' | 'active' | 'load' | 'file' | 'settings';
  readonly before: string;
  readonly after: string;
}

const FIELDS = ['active', 'load', 'file', 'settings'] as const;

/** Differences by unit, sorted. A unit without a file that is inactive is as good as not there. */
export function differences(before: Snapshot, after: Snapshot): Difference[] {
  const idle = (unit: SnapshotUnit | undefined) =>
    unit === undefined || (unit.active === 'inactive' && unit.file === '');
  const units = [...new Set([...Object.keys(before.units), ...Object.keys(after.units)])].sort();
  return units.flatMap((unit): Difference[] => {
    const [was, is] = [before.units[unit], after.units[unit]];
    if (idle(was) && idle(is)) return [];
    if (was === undefined || is === undefined) return [{ unit, field: 'there', before: words(was), after: words(is) }];
    return FIELDS.filter((field) => was[field] !== is[field]).map((field) => ({
      unit,
      field,
      before: was[field],
      after: is[field],
    }));
  });
}

const words = (unit: SnapshotUnit | undefined): string =>
  unit === undefined ? 'not there' : `${unit.active}${unit.file === '' ? '' : `, ${unit.file}`}`;
