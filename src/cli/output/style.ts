/** Colours and the dots of units, on a terminal only. */
import type { Context } from '../context.ts';

export interface Style {
  readonly green: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly grey: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly underline: (text: string) => string;
}

const paint =
  (open: string) =>
  (text: string): string =>
    text === '' ? '' : `\u001b[${open}m${text}\u001b[0m`;
const plain = (text: string): string => text;

/** Colours are for terminals that have them, unless $NO_COLOR (no-color.org) or $SYSTEMD_COLORS says otherwise. */
export function hasColours({ terminal, env }: Context): boolean {
  const wish = env['SYSTEMD_COLORS'];
  if (wish !== undefined && wish !== '') return !['0', 'no', 'false', 'off'].includes(wish);
  return terminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

export function styleOf(context: Context): Style {
  const on = hasColours(context);
  const make = (open: string) => (on ? paint(open) : plain);
  return {
    green: make('0;1;32'),
    red: make('0;1;31'),
    yellow: make('0;1;38;5;185'),
    grey: make('0;38;5;245'),
    bold: make('0;1;39'),
    underline: make('0;4'),
  };
}

const GLYPHS: Readonly<Record<string, string>> = {
  active: '●',
  reloading: '↻',
  failed: '×',
  activating: '●',
  deactivating: '●',
};

/** The dot of a unit by its active state. */
export const glyph = (active: string): string => GLYPHS[active] ?? '○';

/** The colour of an active state: what runs, what failed, what is on its way. */
export function stateColour(style: Style, active: string): (text: string) => string {
  if (active === 'failed') return style.red;
  if (active === 'active' || active === 'reloading') return style.green;
  return active === 'activating' || active === 'deactivating' ? style.yellow : plain;
}

/** A unit that could not be loaded. */
export const isBadLoad = (load: string): boolean => load === 'error' || load === 'not-found' || load === 'bad-setting';
