/** Who may do what: the one place that decides it. */

/** Methods that only look. Everything else changes something. */
const READS: ReadonlySet<string> = new Set([
  'org.varlink.service.GetInfo',
  'org.varlink.service.GetInterfaceDescription',
  'io.sysmaster.Manager.Get',
  'io.sysmaster.Manager.Properties',
  'io.sysmaster.Manager.Supervisors',
  'io.sysmaster.Manager.Findings',
  'io.sysmaster.Units.List',
  'io.sysmaster.Units.States',
  'io.sysmaster.Units.Get',
  'io.sysmaster.Units.Properties',
  'io.sysmaster.Units.Cat',
  'io.sysmaster.Units.Files',
  'io.sysmaster.Units.FileStates',
  'io.sysmaster.Units.Dependencies',
  'io.sysmaster.Units.Edges',
  'io.sysmaster.Jobs.List',
  'io.sysmaster.Jobs.Plan',
  'io.sysmaster.Jobs.Confirmations',
  'io.sysmaster.Snapshots.List',
  'io.sysmaster.Snapshots.Get',
  'io.sysmaster.Snapshots.Plan',
  'io.sysmaster.Insight.Why',
  'io.sysmaster.Insight.History',
  'io.sysmaster.Insight.Cycles',
  'io.sysmaster.Insight.Cuts',
  'io.sysmaster.Insight.Stall',
  'io.sysmaster.Insight.Times',
  'io.sysmaster.Machines.Get',
  'io.sysmaster.Events.Subscribe',
  'io.sysmaster.Chaos.List',
]);

/** Root, and the user that core itself runs as, may do everything. */
export const isOwner = (uid: number, coreUid: number): boolean => uid === 0 || uid === coreUid;

/** May a peer with this uid call the method? Others than the owner may look. A method that is new changes something until it is listed. */
export function may(uid: number, method: string, coreUid: number): boolean {
  return isOwner(uid, coreUid) || READS.has(method);
}
