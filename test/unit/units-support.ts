/** File ports for tests of src/units: the real disk (read only, optionally below a root) and a tree in memory. */
import * as fs from 'node:fs';
import { type FilePort, type FileStat, HostError, type MachineFacts } from '../../src/host/ports.ts';

function kindOf(stat: fs.Stats): FileStat['kind'] {
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isDirectory()) return 'directory';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  if (stat.isFIFO()) return 'fifo';
  return stat.isSocket() ? 'socket' : 'file';
}

function toStat(stat: fs.Stats | undefined): FileStat | undefined {
  return stat === undefined
    ? undefined
    : {
        kind: kindOf(stat),
        size: stat.size,
        mode: stat.mode & 0o7777,
        uid: stat.uid,
        gid: stat.gid,
        mtimeMs: stat.mtimeMs,
        dev: stat.dev,
        ino: stat.ino,
        rdev: stat.rdev,
      };
}

/** Undefined for what is not there, HostError for all else. */
function guard<T>(path: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'EIO';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new HostError(code, path, error);
  }
}

const refuse = (path: string): never => {
  throw new HostError('EROFS', path);
};

/** The real file system, for reading. */
export function diskFiles(): FilePort {
  return {
    readText: (path) => guard(path, () => fs.readFileSync(path, 'utf8')),
    readOwn: (path) => guard(path, () => fs.readFileSync(path, 'utf8')),
    readBytes: (path, maxBytes) => guard(path, () => fs.readFileSync(path).subarray(0, maxBytes)),
    list: (path) => guard(path, () => fs.readdirSync(path).sort()),
    lstat: (path) => guard(path, () => toStat(fs.lstatSync(path, { throwIfNoEntry: false }))),
    stat: (path) => guard(path, () => toStat(fs.statSync(path, { throwIfNoEntry: false }))),
    readlink: (path) => {
      try {
        return fs.readlinkSync(path);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === 'ENOENT' || code === 'EINVAL' || code === 'ENOTDIR') return undefined;
        throw error;
      }
    },
    writeText: refuse,
    mkdirs: refuse,
    symlink: (_target, path) => refuse(path),
    remove: refuse,
    removeTree: refuse,
    access: (path, mode) => {
      try {
        fs.accessSync(path, mode === 'r' ? fs.constants.R_OK : mode === 'w' ? fs.constants.W_OK : fs.constants.X_OK);
        return true;
      } catch {
        return false;
      }
    },
    watch: () => {},
    unwatch: () => {},
  };
}

export type Node =
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
  | { readonly link: string }
  | { readonly directory: true };

/** A tree in memory. A string value is a file, `-> x` a link. Directories are made as needed. */
export function memoryFiles(
  tree: Readonly<Record<string, string | Uint8Array>>,
): FilePort & { readonly nodes: Map<string, Node> } {
  const nodes = new Map<string, Node>([['/', { directory: true }]]);
  const parents = (path: string) => {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const parent = path.slice(0, at);
      if (!nodes.has(parent)) nodes.set(parent, { directory: true });
    }
  };
  const put = (path: string, node: Node) => {
    parents(path);
    nodes.set(path, node);
  };
  for (const [path, value] of Object.entries(tree)) {
    if (typeof value !== 'string') put(path, { bytes: value });
    else if (value.startsWith('-> ')) put(path, { link: value.slice(3) });
    else put(path, { text: value });
  }
  const lexical = (path: string): string => {
    const parts: string[] = [];
    for (const part of path.split('/')) {
      if (part === '' || part === '.') continue;
      if (part === '..') parts.pop();
      else parts.push(part);
    }
    return `/${parts.join('/')}`;
  };
  /** Follow links, of the last component too if `last`. */
  const resolve = (path: string, last: boolean, budget = 40): string | undefined => {
    const parts = path.split('/').filter((part) => part !== '');
    let at = '';
    for (const [index, part] of parts.entries()) {
      at = `${at}/${part}`;
      const node = nodes.get(at);
      if (node !== undefined && 'link' in node && (last || index < parts.length - 1)) {
        if (budget === 0) return undefined;
        const target = node.link.startsWith('/') ? node.link : lexical(`${at}/../${node.link}`);
        const rest = parts.slice(index + 1).join('/');
        return resolve(rest === '' ? target : `${target}/${rest}`, last, budget - 1);
      }
    }
    return at === '' ? '/' : at;
  };
  const sizeOf = (node: Node) => ('text' in node ? node.text.length : 'bytes' in node ? node.bytes.length : 0);
  const statOf = (path: string | undefined): FileStat | undefined => {
    if (path === '/dev/null')
      return { kind: 'char', size: 0, mode: 0o666, uid: 0, gid: 0, mtimeMs: 0, dev: 0, ino: 0, rdev: 259 };
    const node = path === undefined ? undefined : nodes.get(path);
    if (node === undefined) return undefined;
    const kind = 'link' in node ? 'symlink' : 'directory' in node ? 'directory' : 'file';
    return { kind, size: sizeOf(node), mode: 0o644, uid: 0, gid: 0, mtimeMs: 0, dev: 0, ino: 0, rdev: 0 };
  };
  const read = (path: string): Node | undefined => {
    const at = resolve(path, true);
    const node = at === undefined ? undefined : nodes.get(at);
    if (node !== undefined && 'directory' in node) throw new HostError('EISDIR', path);
    return node;
  };
  return {
    nodes,
    readOwn(path) {
      return this.readText(path);
    },
    readText(path) {
      const node = read(path);
      if (node === undefined) return undefined;
      return 'text' in node
        ? node.text
        : 'bytes' in node
          ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(node.bytes)
          : undefined;
    },
    readBytes(path, maxBytes) {
      const node = read(path);
      if (node === undefined) return undefined;
      const bytes = 'bytes' in node ? node.bytes : 'text' in node ? new TextEncoder().encode(node.text) : undefined;
      return bytes?.subarray(0, maxBytes);
    },
    list(path) {
      const at = resolve(path, true);
      const node = at === undefined ? undefined : nodes.get(at);
      if (node === undefined || at === undefined) return undefined;
      if (!('directory' in node)) return undefined;
      const prefix = at === '/' ? '/' : `${at}/`;
      return [...nodes.keys()]
        .filter((key) => key.startsWith(prefix) && key !== prefix && !key.slice(prefix.length).includes('/'))
        .map((key) => key.slice(prefix.length))
        .sort();
    },
    lstat: (path) => statOf(resolve(path, false)),
    stat: (path) => statOf(resolve(path, true)),
    readlink(path) {
      const at = resolve(path, false);
      const node = at === undefined ? undefined : nodes.get(at);
      return node !== undefined && 'link' in node ? node.link : undefined;
    },
    writeText: (path, text) => put(path, { text }),
    mkdirs(path) {
      parents(`${path}/x`);
    },
    symlink: (target, path) => put(path, { link: target }),
    remove: (path) => void nodes.delete(path),
    removeTree(path) {
      for (const key of nodes.keys()) if (key === path || key.startsWith(`${path}/`)) nodes.delete(key);
    },
    access: (path) => statOf(resolve(path, true)) !== undefined,
    watch: () => {},
    unwatch: () => {},
  };
}

/** A machine like any other. */
export const testFacts: MachineFacts = {
  bootId: '01234567-89ab-cdef-0123-456789abcdef',
  machineId: 'fedcba9876543210fedcba9876543210',
  hostname: 'box.example.org',
  kernelRelease: '6.1.0-18-amd64',
  architecture: 'x86-64',
  virtualization: 'none',
  kernelCommandLine: 'root=/dev/vda1 quiet',
  privileged: true,
  runDirectory: '/run/sysmaster',
  environment: {},
  osRelease: { ID: 'debian', VERSION_ID: '12' },
};
