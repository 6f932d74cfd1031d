/** Statecharts drawn: as an indented text, as mermaid (stateDiagram-v2), and for graphviz. The present state stands out. */
import type { Chart, ChartTransition } from '../../api/chart.ts';
import type { Style } from './style.ts';

const short = (id: string, root: string): string => (id.startsWith(`${root}.`) ? id.slice(root.length + 1) : id);

const label = ({ event, guard, actions }: ChartTransition): string =>
  `${event === '' ? 'always' : event}${guard === '' ? '' : ` [${guard}]`}${actions.length === 0 ? '' : ` / ${actions.join(', ')}`}`;

/** One line a state, transitions below it, the present path marked. */
export function chartText(chart: Chart, active: ReadonlySet<string>, style: Style): string[] {
  const lines: string[] = [];
  const walk = (state: Chart, indent: string): void => {
    const here = active.has(state.id);
    const tags = state.tags.length > 0 ? style.grey(` (${state.tags.join(', ')})`) : '';
    const form = state.type === 'atomic' || state.type === 'compound' ? '' : style.grey(` ${state.type}`);
    lines.push(`${indent}${here ? style.green(`▶ ${state.key}`) : `  ${state.key}`}${form}${tags}`);
    for (const on of state.on) {
      const targets = on.targets.length === 0 ? '' : ` → ${on.targets.map((id) => short(id, chart.id)).join(', ')}`;
      lines.push(`${indent}      ${style.grey(`${label(on)}${targets}`)}`);
    }
    for (const child of state.states) walk(child, `${indent}  `);
  };
  walk(chart, '');
  return lines;
}

const word = (id: string): string => id.replace(/[^A-Za-z0-9]/g, '_');
const all = (chart: Chart): Chart[] => [chart, ...chart.states.flatMap(all)];

/** https://mermaid.js.org/syntax/stateDiagram.html */
export function chartMermaid(chart: Chart, active: ReadonlySet<string>): string[] {
  const lines = ['stateDiagram-v2'];
  const walk = (state: Chart, indent: string): void => {
    if (state.states.length === 0) lines.push(`${indent}state "${state.key}" as ${word(state.id)}`);
    else {
      lines.push(`${indent}state "${state.key}" as ${word(state.id)} {`);
      const initial = state.states.find(({ key }) => key === state.initial);
      if (initial !== undefined) lines.push(`${indent}  [*] --> ${word(initial.id)}`);
      for (const [index, child] of state.states.entries()) {
        if (state.type === 'parallel' && index > 0) lines.push(`${indent}  --`);
        walk(child, `${indent}  `);
      }
      lines.push(`${indent}}`);
    }
    if (state.type === 'final') lines.push(`${indent}${word(state.id)} --> [*]`);
  };
  walk(chart, '  ');
  for (const state of all(chart))
    for (const on of state.on)
      for (const target of on.targets)
        lines.push(`  ${word(state.id)} --> ${word(target)}: ${label(on).replace(/[:;]/g, ' ')}`);
  const leaves = all(chart).filter(({ id, states }) => states.length === 0 && active.has(id));
  lines.push('  classDef now fill:#2e7d32,color:#fff', ...leaves.map(({ id }) => `  class ${word(id)} now`));
  return lines;
}

const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** https://graphviz.org/doc/info/lang.html */
export function chartDot(chart: Chart, active: ReadonlySet<string>): string[] {
  const lines = [
    `digraph ${quote(chart.id)} {`,
    '  compound=true; rankdir=LR; node [shape=box, style=rounded, fontname="sans-serif"]; edge [fontname="sans-serif", fontsize=10];',
  ];
  const leaf = (state: Chart): string =>
    state.states.length === 0
      ? state.id
      : leaf(state.states.find(({ key }) => key === state.initial) ?? state.states[0]!);
  const walk = (state: Chart, indent: string): void => {
    if (state.states.length === 0) {
      const now = active.has(state.id) ? ', style="rounded,filled", fillcolor="#a5d6a7"' : '';
      lines.push(
        `${indent}${quote(state.id)} [label=${quote(state.key)}${state.type === 'final' ? ', peripheries=2' : ''}${now}];`,
      );
      return;
    }
    lines.push(
      `${indent}subgraph ${quote(`cluster_${state.id}`)} {`,
      `${indent}  label=${quote(state.key)}; style=${active.has(state.id) ? 'bold' : 'solid'};`,
    );
    for (const child of state.states) walk(child, `${indent}  `);
    lines.push(`${indent}}`);
  };
  walk(chart, '  ');
  const byId = new Map(all(chart).map((state) => [state.id, state]));
  for (const state of byId.values()) {
    for (const on of state.on) {
      for (const id of on.targets) {
        const target = byId.get(id);
        if (target === undefined) continue;
        const ends = [
          ...(state.states.length > 0 ? [`ltail=${quote(`cluster_${state.id}`)}`] : []),
          ...(target.states.length > 0 ? [`lhead=${quote(`cluster_${id}`)}`] : []),
        ];
        lines.push(
          `  ${quote(leaf(state))} -> ${quote(leaf(target))} [${[`label=${quote(label(on))}`, ...ends].join(', ')}];`,
        );
      }
    }
  }
  return [...lines, '}'];
}
