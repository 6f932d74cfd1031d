/** How units are, for whoever asks about many. */
import type { ActiveState } from '../jobs/types.ts';
import { activeState, type UnitSnapshot } from '../machines/view.ts';
import type { ActorHost } from '../supervisor/index.ts';

/** Of a unit by its main name. One without an actor is inactive, and so is one whose actor has heard nothing yet. */
export function activeOf(actors: Pick<ActorHost, 'readBegun'>, unit: string): ActiveState {
  const snapshot = actors.readBegun<UnitSnapshot>(`unit:${unit}`);
  return snapshot === undefined ? 'inactive' : activeState(snapshot);
}
