/**
 * Lists of CPUs or memory nodes: `0-3,8 10`.
 * Source: systemd.exec(5), CPUAffinity=, NUMAMask=; systemd.resource-control(5), AllowedCPUs=.
 */
import { parseInteger } from './scalar.ts';
import { splitWords } from './words.ts';

/** The greatest CPU number that is taken, which is the kernel's own limit. */
const CPU_MAX = 8191;

const NUMBER_MAX = 4_294_967_295;

/** Numbers, sorted, each once; or what is wrong, and where. A range that runs backwards is told and left out. */
export function parseCpuSet(
  text: string,
):
  | { readonly cpus: readonly number[]; readonly backwards: readonly string[] }
  | { readonly fault: string; readonly offset: number } {
  const split = splitWords(text, { quotes: true, separators: ' \t\n\r,' });
  if ('fault' in split) return split;
  const found = new Set<number>();
  const backwards: string[] = [];
  for (const { text: word, offset } of split.words) {
    const dash = word.indexOf('-');
    const first = parseInteger(dash < 0 ? word : word.slice(0, dash), 0, NUMBER_MAX);
    const last = dash < 0 ? first : parseInteger(word.slice(dash + 1), 0, NUMBER_MAX);
    if (first === undefined || last === undefined) return { fault: `${word}: not a number or a range`, offset };
    if (first === NUMBER_MAX && last === NUMBER_MAX) continue; // stands for no CPU at all
    if (first > last) {
      backwards.push(word);
      continue;
    }
    if (last > CPU_MAX) return { fault: `${word}: above ${CPU_MAX}`, offset };
    for (let cpu = first; cpu <= last; cpu++) found.add(cpu);
  }
  return { cpus: [...found].sort((a, b) => a - b), backwards };
}

/** Numbers, sorted, each once; undefined: not a list. */
export function parseCpuList(text: string): readonly number[] | undefined {
  const parsed = parseCpuSet(text);
  return 'fault' in parsed || parsed.backwards.length > 0 ? undefined : parsed.cpus;
}

/** `0-3,8`, as the kernel writes it. */
export function formatCpuList(cpus: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < cpus.length; ) {
    const first = cpus[i] ?? 0;
    let last = first;
    let j = i + 1;
    while (j < cpus.length && cpus[j] === last + 1) {
      last += 1;
      j += 1;
    }
    parts.push(first === last ? String(first) : `${first}-${last}`);
    i = j;
  }
  return parts.join(',');
}
