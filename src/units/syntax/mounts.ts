/**
 * Mounts that a unit makes for itself: bind mounts, temporary file systems, images.
 * Source: systemd.exec(5), BindPaths=, TemporaryFileSystem=, RootImageOptions=, ExtensionImages=, MountImages=.
 */
import { simplifyPath } from '../names.ts';
import { pathFault } from './path.ts';
import { PARTITIONS } from './vocabulary.ts';
import { splitWords, type Word } from './words.ts';

export type Fault = { readonly fault: string };
type Expand = (text: string) => string | undefined;

/** Tuples in a tuple list: more than this many parts in one word are refused. */
const PARTS_MAX = 4096;

/** The parts of a word between colons, with C escapes resolved and `\:` as a colon. */
export function colonParts(text: string): readonly string[] | Fault {
  const split = splitWords(text, { separators: ':', keepEmpty: true, quotes: true, escapes: true, relaxed: true });
  if ('fault' in split) return { fault: split.fault };
  return split.words.slice(0, PARTS_MAX).map((word: Word) => word.text.replaceAll('\\:', ':'));
}

export interface BindMount {
  readonly source: string;
  readonly destination: string;
  /** `-`: the source may be missing. */
  readonly optional: boolean;
  readonly recursive: boolean;
}

/** `[-]SOURCE[:DESTINATION[:rbind|norbind]]`, one word; undefined: a specifier was refused and told. */
export function parseBind(word: string, expand: Expand): BindMount | Fault | undefined {
  const parts = colonParts(word);
  if ('fault' in parts) return parts;
  const [first = '', second, ...options] = parts;
  const source = expand(first);
  if (source === undefined) return undefined;
  const optional = source.startsWith('-');
  const from = optional ? source.slice(1) : source;
  const fault = pathFault(from);
  if (fault !== undefined) return { fault: `${from}: ${fault}` };
  let destination = from;
  if (second !== undefined) {
    const expanded = expand(second);
    if (expanded === undefined) return undefined;
    const wrong = pathFault(expanded);
    if (wrong !== undefined) return { fault: `${expanded}: ${wrong}` };
    destination = expanded;
  }
  const option = options.join(':');
  if (option !== '' && option !== 'rbind' && option !== 'norbind')
    return { fault: `${option}: not an option of a bind mount` };
  return {
    source: simplifyPath(from),
    destination: simplifyPath(destination),
    optional,
    recursive: option !== 'norbind',
  };
}

export interface TemporaryMount {
  readonly path: string;
  readonly options: string;
}

/** `PATH[:OPTIONS]`, one word; options keep their colons. */
export function parseTemporary(word: string, expand: Expand): TemporaryMount | Fault | undefined {
  const colon = word.indexOf(':');
  const path = expand(colon < 0 ? word : word.slice(0, colon));
  if (path === undefined) return undefined;
  const fault = pathFault(path);
  if (fault !== undefined) return { fault: `${path}: ${fault}` };
  return { path: simplifyPath(path), options: colon < 0 ? '' : word.slice(colon + 1) };
}

export interface PartitionOptions {
  readonly partition: string;
  readonly options: string;
}

/** PARTITION and OPTIONS in turn, after an image's path; a last one alone is options of the root partition. */
export function parsePartitionOptions(parts: readonly string[]): readonly PartitionOptions[] | Fault {
  const out: PartitionOptions[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const alone = at + 1 >= parts.length;
    const partition = alone ? 'root' : (parts[at] ?? '');
    if (partition !== '' && !PARTITIONS.includes(partition)) return { fault: `${partition}: not a partition` };
    out.push({ partition: partition === '' ? 'root' : partition, options: (alone ? parts[at] : parts[at + 1]) ?? '' });
  }
  return out;
}

export interface ImageMount {
  readonly source: string;
  /** Where it is mounted (MountImages=); empty for extensions. */
  readonly destination: string;
  readonly optional: boolean;
  readonly options: readonly PartitionOptions[];
}

/** `[-]IMAGE[:DESTINATION][:PARTITION:OPTIONS]…`, one word. */
export function parseImage(word: string, withDestination: boolean, expand: Expand): ImageMount | Fault | undefined {
  const parts = colonParts(word);
  if ('fault' in parts) return parts;
  const source = expand(parts[0] ?? '');
  if (source === undefined) return undefined;
  const optional = source.startsWith('-');
  const from = optional ? source.slice(1) : source;
  if (withDestination && (from === '' || parts.length < 2)) return { fault: 'not IMAGE:DESTINATION' };
  const fault = pathFault(from);
  if (fault !== undefined) return { fault: `${from}: ${fault}` };
  let destination = '';
  if (withDestination) {
    const expanded = expand(parts[1] ?? '');
    if (expanded === undefined) return undefined;
    const wrong = pathFault(expanded);
    if (wrong !== undefined) return { fault: `${expanded}: ${wrong}` };
    destination = simplifyPath(expanded);
  }
  const rest = parts.slice(withDestination ? 2 : 1);
  const options = rest.length === 0 ? [] : parsePartitionOptions(rest);
  if ('fault' in options) return options;
  return { source: simplifyPath(from), destination, optional, options };
}
