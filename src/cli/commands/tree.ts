/** tree: the supervision tree from init down, or the part below one actor; with --follow again whenever it changes. */
import type { Call } from '../command.ts';
import { agoText } from '../output/time.ts';
import { branches } from '../output/tree.ts';
import type { Supervisor } from '../wire.ts';

/** Between two looks with --follow, in ms. */
const EVERY_MS = 1000;

/** `×3, last 2min ago at exited: not a number`, and of which child where `whose` is another. */
function failureText({ id, failures, last }: Supervisor, { context }: Call): string {
  if (!last) return '';
  const whose = last.actor === id ? '' : ` of ${last.actor}`;
  const at = last.event === '' ? '' : ` at ${last.event}`;
  return ` failed ${failures}×, last ${agoText(last.at.realUs, context.nowUs())}${whose}${at}: ${last.why}`;
}

/** `, shutdown 5s`; a supervisor has all the time that its children need. */
const shutdownText = ({ shutdown, shutdownMs }: Supervisor): string =>
  shutdown === undefined ? '' : `, shutdown ${typeof shutdownMs === 'number' ? `${shutdownMs / 1000}s` : shutdown}`;

/** `core restarted 20×, the last died by SIGKILL 5s ago in unit:a.service`: init has one child, and remembers its last deaths. */
function initText({ restarts, last }: Supervisor, { context }: Call): string {
  if (restarts === 0) return '';
  const at = last?.event ? ` in ${last.event}` : '';
  const death = last ? `, the last died by ${last.why} ${agoText(last.at.realUs, context.nowUs())}${at}` : '';
  return ` core restarted ${restarts}×${death}`;
}

function label(node: Supervisor, call: Call): string {
  const { id, restart, strategy, intensity, periodMs, state, restarts, held } = node;
  const { style } = call;
  const budget =
    typeof intensity === 'number' && typeof periodMs === 'number'
      ? `, at most ${intensity} in ${periodMs / 1000}s`
      : '';
  const kind =
    strategy === undefined || strategy === null
      ? `${restart}${shutdownText(node)}`
      : `${strategy}, ${restart}${budget}`;
  const colour = state === 'running' ? style.green : style.red;
  if (id === 'init') return `${style.bold(id)} ${style.grey(`(${kind})`)}${style.yellow(initText(node, call))}`;
  return [
    style.bold(id),
    ` ${style.grey(`(${kind})`)}`,
    state === 'running' ? '' : ` ${colour(state)}`,
    restarts > 0 ? style.yellow(` restarted ${restarts}× in the period`) : '',
    style.yellow(failureText(node, call)),
    held > 0 ? ` ${held} events held` : '',
  ].join('');
}

const read = async (call: Call): Promise<Supervisor> => {
  const [id] = call.args;
  const { tree } = await call.client.call<{ tree: Supervisor }>(
    'io.sysmaster.Manager.Supervisors',
    id === undefined ? {} : { id },
  );
  return tree;
};

const lines = (tree: Supervisor, call: Call): string[] =>
  branches(
    tree,
    (node) => label(node, call),
    ({ children }) => children,
  );

/** On a terminal the screen is drawn anew; elsewhere, and as JSON, each different tree is told once. Until interrupted. */
async function follow(call: Call): Promise<never> {
  const { context } = call;
  const redraws = context.terminal && !call.json;
  let before = '';
  for (;;) {
    const tree = await read(call);
    const now = JSON.stringify(tree);
    if (redraws) {
      const rows = lines(tree, call).map((line) => `${line}\x1b[K\n`);
      context.out(`\x1b[H${rows.join('')}\x1b[J`);
    } else if (now !== before) call.print(tree, () => lines(tree, call));
    before = now;
    await context.pause(EVERY_MS);
  }
}

export async function run(call: Call): Promise<number> {
  if (call.options.follow === true) return await follow(call);
  const tree = await read(call);
  call.print(tree, () => lines(tree, call));
  return 0;
}
