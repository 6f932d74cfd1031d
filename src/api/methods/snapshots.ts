/** io.sysmaster.Snapshots. */
import { type ChangeResult, ManagerError } from '../manager.ts';
import type { CallContext, Handled, Reply } from '../session.ts';
import { confirmMsOf, outcomeReply } from './jobs.ts';
import { refusalReply } from './wire.ts';

type Maybe<T> = T | null | undefined;
type Result<What extends ChangeResult['what']> = Extract<ChangeResult, { readonly what: What }>;
type Named = { readonly name: string; readonly requestId?: Maybe<string> };
type AskedChange = Named & { readonly dryRun?: Maybe<boolean> };

type AskedRestore = Named & {
  readonly confirmWithinUs?: Maybe<number>;
  readonly noBlock?: Maybe<boolean>;
  readonly transaction?: Maybe<boolean>;
};

const change = (verb: 'save' | 'delete', { name, requestId, dryRun }: AskedChange): Handled => ({
  change: { what: 'snapshot', verb, name, dryRun: dryRun === true },
  requestId: requestId ?? undefined,
  form: (answer: Result<'snapshot'>) => ({ name: answer.name }),
});

export const snapshots = {
  List: (_: unknown, { manager }: CallContext): Handled => {
    const summary = (name: string): Reply => {
      try {
        const { madeUs, by, units } = manager.snapshot(name);
        const states = Object.values(units);
        return {
          name,
          madeUs,
          by,
          units: states.length,
          active: states.filter(({ active }) => active === 'active').length,
        };
      } catch (error) {
        // One that cannot be read is listed all the same, so that it can be deleted.
        if (!(error instanceof ManagerError)) throw error;
        return { name, madeUs: 0, by: '', units: 0, active: 0, fault: error.fault.why };
      }
    };
    return { reply: { snapshots: manager.snapshots().map(summary) } };
  },
  Get: ({ name }: Named, { manager }: CallContext): Handled => ({ reply: { snapshot: manager.snapshot(name) } }),
  Plan: ({ name }: Named, { manager, peer }: CallContext): Handled => {
    const { plan, files, notes } = manager.restoring(name, `uid ${peer.uid}, pid ${peer.pid}`);
    if (plan === undefined) return { reply: { files, notes } };
    return { reply: { ...('refused' in plan ? { refusal: refusalReply(plan) } : { plan }), files, notes } };
  },
  Save: (asked: AskedChange): Handled => change('save', asked),
  Delete: (asked: AskedChange): Handled => change('delete', asked),
  Restore: (asked: AskedRestore): Handled => {
    const confirmMs = confirmMsOf(asked.confirmWithinUs);
    return {
      change: {
        what: 'restore',
        name: asked.name,
        until: asked.noBlock === true ? 'enqueued' : 'done',
        tellAll: asked.transaction === true,
        ...(confirmMs === undefined ? {} : { confirmMs }),
      },
      requestId: asked.requestId ?? undefined,
      form: ({ outcomes }: Result<'request'>) => ({ outcomes: outcomes.map(outcomeReply) }),
    };
  },
};
