/**
 * The comma-separated options of fstab(5) as generators look at them: which are there, their values, and what is left.
 * Source: systemd.mount(5), "fstab"; how systemd-fstab-generator answers on generated lines.
 */

/** At commas; `\,` is a comma and `\\` a backslash within an option, other backslashes stay. Empty options are dropped. */
export function splitOptions(text: string): string[] {
  const out: string[] = [];
  let one = '';
  let any = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    const next = text[at + 1];
    if (char === '\\' && (next === ',' || next === '\\')) {
      one += next;
      any = true;
      at += 1;
    } else if (char === ',') {
      if (any) out.push(one);
      one = '';
      any = false;
    } else {
      one += char;
      any = true;
    }
  }
  if (any) out.push(one);
  return out;
}

/** The other way round. */
export const joinOptions = (options: readonly string[]): string =>
  options.map((option) => option.replaceAll('\\', '\\\\').replaceAll(',', '\\,')).join(',');

const matches = (option: string, name: string): boolean => option === name || option.startsWith(`${name}=`);

/** Is one of them among the options, with a value or without? The last one decides which it was. */
export function lastOf(text: string, names: readonly string[]): string | undefined {
  let found: string | undefined;
  for (const option of text.split(',')) found = names.find((name) => matches(option, name)) ?? found;
  return found;
}

export const hasOption = (text: string, ...names: readonly string[]): boolean => lastOf(text, names) !== undefined;

/** All values of `name=value`, in order. */
export function valuesOf(text: string, name: string): string[] {
  return splitOptions(text).flatMap((option) => (option.startsWith(`${name}=`) ? [option.slice(name.length + 1)] : []));
}

/** The value of the last of these options; undefined: there is none, or it has no value. */
export function lastValue(text: string, ...names: readonly string[]): string | undefined {
  let value: string | undefined;
  for (const option of splitOptions(text)) {
    const name = names.find((one) => matches(option, one));
    if (name !== undefined) value = option === name ? undefined : option.slice(name.length + 1);
  }
  return value;
}

/** The options without these; order kept. */
export const withoutOptions = (text: string, ...names: readonly string[]): string =>
  joinOptions(splitOptions(text).filter((option) => !names.some((name) => matches(option, name))));
