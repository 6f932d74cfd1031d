/** What others use of the actor host. */
export * from './actor.ts';
export type { DueAt } from './deadlines.ts';
export { foreignLogic } from './foreign.ts';
export { ActorHost } from './host.ts';
export { recordKey } from './keys.ts';
export { type MachineLogicOptions, machineLogic } from './logic.ts';
export { messageOf } from './message.ts';
export type { Migration, Migrations } from './migrate.ts';
export type { ActorHostOptions, RecoveryView, TreeView } from './options.ts';
export {
  RECORDER_BOUNDS,
  type RecordedForm,
  type RecordedPlugin,
  type RecordedStep,
  Recorder,
  type RecorderBounds,
  type Recording,
  type RecordingReason,
} from './recorder.ts';
export { NO_CHECKPOINT, NOT_BEGUN } from './recovery.ts';
