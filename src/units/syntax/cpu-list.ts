/**
 * Lists of CPUs or memory nodes: `0-3,8 10`.
 * Source: systemd.exec(5), CPUAffinity=; systemd.resource-control(5), AllowedCPUs=.
 */

/** The greatest CPU number that is taken; the kernel's own limit is 8191. */
const CPU_MAX = 8191;

/** Numbers, sorted, each once; undefined: not a list. */
export function parseCpuList(text: string): number[] | undefined {
  const found = new Set<number>();
  for (const part of text.split(/[\s,]+/)) {
    if (part === '') continue;
    const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (first > last || last > CPU_MAX) return undefined;
    for (let cpu = first; cpu <= last; cpu++) found.add(cpu);
  }
  return [...found].sort((a, b) => a - b);
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
