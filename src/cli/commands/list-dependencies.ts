/**
 * list-dependencies: the trees below units, as systemctl(1) draws them. By default only targets are opened.
 *
 * A ring ends at the unit that closes it, which comes last among its neighbours. What is drawn is bounded: where a whole tree would be too long, each unit is opened
 * once only, and says so. Deep lines are drawn with the branches of the nearest levels (output/tree.ts).
 */
import type { Call } from '../command.ts';
import { expand } from '../names.ts';
import { glyph, stateColour } from '../output/style.ts';
import { branchText, deeper, type Indent, NO_INDENT } from '../output/tree.ts';
import type { ManagerState, Node } from '../wire.ts';

/** The last one of the options counts. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  reverse: ['RequiredBy', 'RequisiteOf', 'WantedBy', 'PartOf', 'BoundBy', 'UpheldBy'],
  before: ['Before'],
  after: ['After'],
  forward: ['Requires', 'Requisite', 'Wants', 'ConsistsOf', 'BindsTo', 'Upholds'],
};

/** Lines of one tree in which units are opened wherever they stand. */
const MAX_LINES = 20_000;
const CLOSED = ' …';

// Options are kept in the order in which they were given.
export const kindsOf = ({ options }: Pick<Call, 'options'>): readonly string[] =>
  KINDS[Object.keys(options).findLast((name) => Object.hasOwn(KINDS, name)) ?? 'forward'] ?? [];

/** Units first, then targets, each by name. */
const inOrder = (names: readonly string[]): string[] =>
  [...names].sort(
    (a, b) => Number(a.endsWith('.target')) - Number(b.endsWith('.target')) || (a < b ? -1 : a > b ? 1 : 0),
  );

type Nodes = ReadonlyMap<string, Node>;

interface Level {
  readonly name: string;
  readonly indent: Indent;
  readonly below: readonly string[];
  next: number;
}

/** Walk the tree without recursion. `line` gets each unit, and says whether those below it are to be visited. */
function walk(root: string, nodes: Nodes, line: (name: string, above: Level, last: boolean, ring: boolean) => boolean) {
  const path = new Set([root]);
  // What closes a ring comes last.
  const levelOf = (name: string, indent: Indent): Level => {
    const below = inOrder(nodes.get(name)?.below ?? []);
    const rings = below.filter((other) => path.has(other));
    return { name, indent, below: [...below.filter((other) => !path.has(other)), ...rings], next: 0 };
  };
  const levels = [levelOf(root, NO_INDENT)];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const child = level.below[level.next];
    level.next += 1;
    if (child === undefined) {
      path.delete(level.name);
      levels.pop();
      continue;
    }
    const last = level.next === level.below.length;
    if (!line(child, level, last, path.has(child)) || path.has(child)) continue;
    path.add(child);
    levels.push(levelOf(child, deeper(level.indent, last)));
  }
}

const opens = ({ options }: Call, name: string): boolean => options.all === true || name.endsWith('.target');

/** Without a tree, for scripts: each unit is opened once, and not named again below. */
function flat(root: string, nodes: Nodes, call: Call): string[] {
  const lines = [root];
  const opened = new Set([root]);
  walk(root, nodes, (name) => {
    if (opened.has(name)) return false;
    lines.push(`  ${name}`);
    if (!opens(call, name)) return false;
    opened.add(name);
    return true;
  });
  return lines;
}

/** @returns undefined where it has more than `limit` lines */
function tree(root: string, nodes: Nodes, call: Call, limit: number): string[] | undefined {
  const { style } = call;
  const lines = [root];
  const opened = new Set([root]);
  const once = limit === Number.POSITIVE_INFINITY;
  walk(root, nodes, (name, { indent }, last, ring) => {
    const open = opens(call, name) && lines.length <= limit;
    const closed = ring || (once && open && opened.has(name) && (nodes.get(name)?.below.length ?? 0) > 0);
    if (open) opened.add(name);
    const active = nodes.get(name)?.active ?? 'inactive';
    const dot = stateColour(style, active)(glyph(active));
    lines.push(`${dot} ${branchText(indent, last)}${name}${closed ? CLOSED : ''}`);
    return open && !closed;
  });
  return lines.length > limit ? undefined : lines;
}

const draw = (root: string, nodes: Nodes, call: Call): readonly string[] =>
  call.options.plain === true
    ? flat(root, nodes, call)
    : (tree(root, nodes, call, MAX_LINES) ?? tree(root, nodes, call, Number.POSITIVE_INFINITY) ?? []);

export async function run(call: Call): Promise<number> {
  const { client, args } = call;
  const names =
    args.length > 0
      ? await expand(call, args)
      : [(await client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get')).manager.defaultTarget];
  const answers = await client.calls<{ nodes: Node[] }>(
    'io.sysmaster.Units.Dependencies',
    names.map((name) => ({ name, kinds: kindsOf(call) })),
  );
  const all = answers.map((answer, index) => {
    if (!('nodes' in answer)) throw answer;
    const { nodes } = answer;
    if (nodes[0]?.load === 'not-found') call.warn(`Unit ${names[index]} could not be found.`);
    return nodes;
  });
  call.print(all.length === 1 ? all[0] : all, () =>
    all.flatMap((nodes, index) => [
      ...(index > 0 ? [''] : []),
      ...draw(nodes[0]?.name ?? names[index]!, new Map(nodes.map((node) => [node.name, node])), call),
    ]),
  );
  return 0;
}
