/**
 * Text for those whose locale has another character set than UTF-8: trees, dots and arrows in ASCII, as systemctl has them.
 *
 * A locale counts where it is set (locale(7): $LC_ALL before $LC_CTYPE before $LANG); where nobody has set one, UTF-8 is taken for
 * granted. What names no character set is believed to be UTF-8, apart from C and POSIX.
 */
import type { Context } from '../context.ts';

const ASCII: Readonly<Record<string, string>> = {
  '│': '|',
  '├': '|',
  '└': '`',
  '─': '-',
  '●': '*',
  '○': '*',
  '×': 'x',
  '↻': '^',
  '→': '->',
  '…': '...',
};

export function isUtf8(env: Context['env']): boolean {
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((value) => value !== undefined && value !== '');
  if (locale === undefined) return true;
  const charset = /\.([^@]*)/.exec(locale)?.[1];
  return charset === undefined ? locale !== 'C' && locale !== 'POSIX' : /^utf-?8$/i.test(charset);
}

const asciiText = (text: string): string => text.replace(/[│├└─●○×↻→…]/g, (glyph) => ASCII[glyph] as string);

/** The same context for text that is drawn. */
export function drawnFor(context: Context): Context {
  if (isUtf8(context.env)) return context;
  return {
    ...context,
    out: (text) => context.out(asciiText(text)),
    err: (text) => context.err(asciiText(text)),
  };
}
