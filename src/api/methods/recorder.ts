/** io.sysmaster.Recorder. */
import type { CallContext, Handled } from '../session.ts';

export const recorder = {
  Get: (_: unknown, { manager }: CallContext): Handled => ({ reply: { recording: manager.recording() } }),
};
