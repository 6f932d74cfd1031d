/** list-dependencies: the tree below a unit. By default only targets are opened, as systemctl does. */
import type { Call } from '../command.ts';
import { unitName } from '../names.ts';
import { glyph, stateColour } from '../output/style.ts';
import type { ManagerState, Node } from '../wire.ts';

const FORWARD = ['Requires', 'Requisite', 'Wants', 'ConsistsOf', 'BindsTo', 'Upholds'];
const REVERSE = ['RequiredBy', 'RequisiteOf', 'WantedBy', 'PartOf', 'BoundBy', 'UpheldBy'];

/** Lines of one tree; a tree that grows past this is cut, and says so. */
const MAX_LINES = 20_000;

function kindsOf({ options }: Call): string[] {
  if (options.after === true || options.before === true)
    return [...(options.after === true ? ['After'] : []), ...(options.before === true ? ['Before'] : [])];
  return options.reverse === true ? REVERSE : FORWARD;
}

/** Units first, then targets, each by name. */
const inOrder = (names: readonly string[]): string[] =>
  [...names].sort(
    (a, b) => Number(a.endsWith('.target')) - Number(b.endsWith('.target')) || (a < b ? -1 : a > b ? 1 : 0),
  );

function tree(root: string, nodes: ReadonlyMap<string, Node>, { options, style }: Call): string[] {
  const lines = [root];
  const opened = new Set<string>();
  const walk = (name: string, indent: string, path: readonly string[]): void => {
    const below = inOrder(nodes.get(name)?.below ?? []);
    for (const [index, child] of below.entries()) {
      if (lines.length >= MAX_LINES) {
        if (lines.length === MAX_LINES) lines.push('… the tree goes on; ask for a part of it');
        return;
      }
      const last = index === below.length - 1;
      const active = nodes.get(child)?.active ?? 'inactive';
      const ring = path.includes(child);
      if (options.plain === true) lines.push(`${'  '.repeat(path.length)}${child}`);
      else
        lines.push(
          `${stateColour(style, active)(glyph(active))} ${indent}${last ? '└─' : '├─'}${child}${ring ? ' …' : ''}`,
        );
      // With --all, and in a plain list, a unit is opened once only: else a tree can be far larger than its graph.
      const once = options.all === true || options.plain === true;
      if (ring || (once && opened.has(child)) || !(options.all === true || child.endsWith('.target'))) continue;
      opened.add(child);
      walk(child, `${indent}${last ? '  ' : '│ '}`, [...path, child]);
    }
  };
  walk(root, '', [root]);
  return lines;
}

export async function run(call: Call): Promise<number> {
  const { client, args } = call;
  const name =
    args[0] === undefined
      ? (await client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get')).manager.defaultTarget
      : unitName(args[0]);
  const { nodes } = await client.call<{ nodes: Node[] }>('io.sysmaster.Units.Dependencies', {
    name,
    kinds: kindsOf(call),
  });
  const byName = new Map(nodes.map((node) => [node.name, node]));
  call.print(nodes, () => tree(nodes[0]?.name ?? name, byName, call));
  return 0;
}
