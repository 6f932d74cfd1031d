/** io.sysmaster.Insight. */
import { globber } from '../glob.ts';
import type { CutView } from '../insight.ts';
import type { CallContext, Handled, Reply } from '../session.ts';
import { unitName } from './wire.ts';

type Maybe<T> = T | null | undefined;

/** Records of one answer, unless more are asked for. */
const RECORDS = 1000;

const cutReply = ({ edge: _, ...cut }: CutView): Reply => cut;

export const insight = {
  Why: ({ name, not }: { name: string; not?: Maybe<boolean> }, { manager }: CallContext): Handled => ({
    reply: { explanation: manager.insight.why(/^\d+$/.test(name) ? name : unitName(name), not === true) },
  }),
  History: (
    { units, count }: { units?: Maybe<string[]>; count?: Maybe<number> },
    { manager }: CallContext,
  ): Handled => ({ reply: { records: manager.insight.history(globber(units ?? []), Math.max(0, count ?? RECORDS)) } }),
  Cycles: ({ units }: { units?: Maybe<string[]> }, { manager }: CallContext): Handled => {
    if (units !== undefined && units !== null) manager.look(units.map(unitName));
    return {
      reply: { cycles: manager.insight.cycles().map((cycle) => ({ ...cycle, cuts: cycle.cuts.map(cutReply) })) },
    };
  },
  Cuts: ({ name }: { name: string }, { manager }: CallContext): Handled => ({
    reply: { cuts: manager.insight.cuts(unitName(name)).map(cutReply) },
  }),
  Stall: (_: unknown, { manager }: CallContext): Handled => ({ reply: { stall: manager.insight.stall() } }),
  Times: (_: unknown, { manager }: CallContext): Handled => ({ reply: { ...manager.insight.times() } }),
};
