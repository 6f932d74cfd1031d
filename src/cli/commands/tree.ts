/** tree: the supervision tree of core. */
import type { Call } from '../command.ts';
import { branches } from '../output/tree.ts';
import type { Supervisor } from '../wire.ts';

function label({ id, restart, strategy, intensity, periodMs, state, restarts }: Supervisor, { style }: Call): string {
  const budget =
    typeof intensity === 'number' && typeof periodMs === 'number'
      ? `, at most ${intensity} in ${periodMs / 1000}s`
      : '';
  const kind = strategy === undefined || strategy === null ? restart : `${strategy}, ${restart}${budget}`;
  const colour = state === 'running' ? style.green : style.red;
  return `${style.bold(id)} ${style.grey(`(${kind})`)}${state === 'running' ? '' : ` ${colour(state)}`}${restarts > 0 ? style.yellow(` restarted ${restarts}×`) : ''}`;
}

export async function run(call: Call): Promise<number> {
  const { tree } = await call.client.call<{ tree: Supervisor }>('io.sysmaster.Manager.Supervisors');
  call.print(tree, () =>
    branches(
      tree,
      (node) => label(node, call),
      ({ children }) => children,
    ),
  );
  return 0;
}
