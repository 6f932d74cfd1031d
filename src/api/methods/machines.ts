/** io.sysmaster.Machines. */
import { activeIds } from '../chart.ts';
import type { CallContext, Handled } from '../session.ts';

export const machines = {
  Get: ({ actor }: { actor: string }, { manager }: CallContext): Handled => {
    const view = manager.machine(actor);
    return { reply: { machine: { ...view, active: activeIds(view.chart, view.value) } } };
  },
};
