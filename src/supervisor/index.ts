/** What others use of the actor host. */
export * from './actor.ts';
export type { DueAt } from './deadlines.ts';
export { ActorHost, type ActorHostOptions, type RecoveryView, type TreeView } from './host.ts';
export { recordKey } from './keys.ts';
export { type MachineLogicOptions, machineLogic } from './logic.ts';
