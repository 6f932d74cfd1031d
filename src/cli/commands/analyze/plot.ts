/** analyze plot: the boot as a picture (SVG), a bar for each unit from its start to its readiness (systemd-analyze(1)). */
import type { Call } from '../../command.ts';
import type { Times, UnitTimes } from '../../wire.ts';
import { inBoot, msText, readTimes, summary, tookUs } from './boot-times.ts';

const PER_S = 100;
const ROW = 20;
const TOP = 80;
const LEFT = 20;
/** Seconds that are drawn at most: a boot that waited for hours is cut, and says so. */
const SECONDS_MAX = 3600;

const xml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** One document; `call.print` gives the numbers behind it as JSON. */
export function plot(times: Times, hostname: string): string[] {
  const { userspaceUs, finishedUs, nowUs } = times;
  const endUs = finishedUs || nowUs;
  const drawn = times.units
    .filter((unit) => unit.activatingUs && unit.activatingUs <= endUs && (inBoot(unit, times) || tookUs(unit) > 0))
    .sort((a, b) => (a.activatingUs ?? 0) - (b.activatingUs ?? 0) || (a.name < b.name ? -1 : 1));
  const seconds = Math.min(SECONDS_MAX, (endUs - userspaceUs) / 1e6);
  const x = (us: number): string =>
    (LEFT + Math.min(SECONDS_MAX, Math.max(0, (us - userspaceUs) / 1e6)) * PER_S).toFixed(1);
  const width = Math.ceil(LEFT * 2 + seconds * PER_S + 320);
  const height = TOP + (drawn.length + 5) * ROW;
  const bottom = TOP + drawn.length * ROW;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    '<style>.activating{fill:#e0442e}.active{fill:#c8e6c0}.deactivating{fill:#a8643c}.failed{fill:#7a0f0f}.grid{stroke:#ddd}.second{stroke:#999}</style>',
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="24" font-size="16">${xml(hostname)}</text>`,
    `<text x="${LEFT}" y="44">${xml(summary(times).join(' ').trim())}</text>`,
  ];
  for (let tenth = 0; tenth <= Math.ceil(seconds * 10); tenth += seconds > 60 ? 10 : 1) {
    const at = (LEFT + tenth * (PER_S / 10)).toFixed(1);
    const whole = tenth % 10 === 0;
    lines.push(`<line x1="${at}" y1="${TOP - 8}" x2="${at}" y2="${bottom}" class="${whole ? 'second' : 'grid'}"/>`);
    if (whole) lines.push(`<text x="${at}" y="${TOP - 12}" text-anchor="middle">${tenth / 10}s</text>`);
  }
  for (const [row, unit] of drawn.entries()) lines.push(...bar(unit, TOP + row * ROW, x, endUs));
  const legend = [
    ['activating', 'Activating'],
    ['active', 'Active'],
    ['deactivating', 'Deactivating'],
  ] as const;
  for (const [row, [css, words]] of legend.entries()) {
    const y = bottom + (row + 1) * ROW;
    lines.push(
      `<rect x="${LEFT}" y="${y}" width="30" height="${ROW - 6}" class="${css}"/>`,
      `<text x="${LEFT + 38}" y="${y + 11}">${words}</text>`,
    );
  }
  return [...lines, '</svg>'];
}

function bar(unit: UnitTimes, y: number, x: (us: number) => string, endUs: number): string[] {
  const { name, activatingUs, activatedUs, deactivatingUs, deactivatedUs } = unit;
  const from = activatingUs ?? 0;
  const part = (css: string, a: number, b: number): string =>
    `<rect x="${x(a)}" y="${y}" width="${Math.max(0.5, Number(x(b)) - Number(x(a))).toFixed(1)}" height="${ROW - 4}" class="${css}"/>`;
  const up = activatedUs && activatedUs >= from ? activatedUs : undefined;
  const down = deactivatingUs && deactivatingUs >= from ? deactivatingUs : undefined;
  const gone = deactivatedUs && deactivatedUs >= from ? deactivatedUs : undefined;
  const us = tookUs(unit);
  return [
    part('activating', from, Math.min(up ?? gone ?? endUs, endUs)),
    ...(up === undefined ? [] : [part('active', up, Math.min(down ?? gone ?? endUs, endUs))]),
    ...(down === undefined ? [] : [part('deactivating', down, Math.min(gone ?? endUs, endUs))]),
    `<text x="${(Number(x(from)) + 4).toFixed(1)}" y="${y + 12}">${xml(name)}${us > 0 ? ` (${msText(us)})` : ''}</text>`,
  ];
}

export async function run(call: Call): Promise<number> {
  const times = await readTimes(call);
  const { manager } = await call.client.call<{ manager: { hostname: string; kernel?: string } }>(
    'io.sysmaster.Manager.Get',
  );
  call.print(times, () => plot(times, manager.hostname));
  return 0;
}
