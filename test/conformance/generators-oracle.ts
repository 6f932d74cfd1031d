/**
 * Debian's own generators as oracles: many runs in one small root of their own, which no mark of a container is in.
 *
 * The root has /usr of this machine, a fresh /proc, and as /sys, /dev and /etc what the case says. Needs root for the namespaces.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

export const GENERATORS = '/usr/lib/systemd/system-generators';

/** Can they be asked here? */
export const canAsk =
  fs.existsSync(`${GENERATORS}/systemd-fstab-generator`) &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', '--pid', '--fork', 'true'], { timeout: 10_000 }).status === 0;

export interface GeneratorCase {
  readonly generator: string;
  readonly fstab?: string;
  readonly cmdline?: string;
  readonly initrd?: boolean;
  /** `container=` and `container_ttys=` of the first process; undefined: none. Those of the first case count for all. */
  readonly container?: string;
  readonly ttys?: string;
  /** /sys/class/tty/console/active. */
  readonly consoles?: string;
  /** Further variables of its environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Further files; `-> x` is a link; a name that ends in `!` is executable. */
  readonly files?: Readonly<Record<string, string>>;
}

const SCRIPT = `set -e
root="$1"
mount --make-rprivate /
mount --bind /usr "$root/usr"
mount -o remount,ro,bind "$root/usr" 2>/dev/null || true
mount -t proc proc "$root/proc"
mount -t devtmpfs dev "$root/dev" 2>/dev/null || mount --bind /dev "$root/dev"
mount -t tmpfs sys "$root/sys"
mkdir -p "$root/sys/class/tty/console"
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \${2:+"container=$2"} \${3:+"container_ttys=$3"} /bin/sh -c '
for c in /cases/*; do
  case $c in "/cases/*") break;; esac
  . $c/env
  cat $c/consoles > /sys/class/tty/console/active
  rm -rf /etc /sysroot; mkdir /etc /sysroot; cp -a $c/files/. /
  mkdir $c/normal $c/early $c/late
  set +e
  env $more SYSTEMD_LOG_TARGET=console SYSTEMD_PROC_CMDLINE="$(cat $c/cmdline)" SYSTEMD_FSTAB=$c/fstab SYSTEMD_SYSROOT_FSTAB=$c/fstab SYSTEMD_IN_INITRD=$initrd $generator $c/normal $c/early $c/late > $c/said 2>&1
done'
`;

/** What each wrote: place/path -> its text without comments, or `-> target`. */
export function askGenerators(
  cases: readonly GeneratorCase[],
): { readonly tree: Record<string, string>; readonly said: string }[] {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'sysmaster-generators-'));
  try {
    for (const directory of ['usr', 'proc', 'sys', 'dev', 'etc', 'cases', 'tmp', 'run'])
      fs.mkdirSync(path.join(root, directory));
    for (const link of ['bin', 'sbin', 'lib', 'lib64']) fs.symlinkSync(`usr/${link}`, path.join(root, link));
    const { container = '', ttys = '' } = cases[0] ?? {};
    for (const [index, one] of cases.entries()) {
      const at = path.join(root, 'cases', String(index).padStart(6, '0'));
      fs.mkdirSync(path.join(at, 'files'), { recursive: true });
      fs.writeFileSync(path.join(at, 'fstab'), one.fstab ?? '');
      fs.writeFileSync(path.join(at, 'cmdline'), one.cmdline ?? '');
      fs.writeFileSync(path.join(at, 'consoles'), one.consoles === undefined ? '' : `${one.consoles}\n`);
      const more = Object.entries(one.environment ?? {})
        .map(([name, value]) => `${name}=${value}`)
        .join(' ');
      fs.writeFileSync(
        path.join(at, 'env'),
        `generator=${GENERATORS}/${one.generator}\ninitrd=${one.initrd === true ? 1 : 0}\nmore="${more}"\n`,
      );
      for (const [name, value] of Object.entries(one.files ?? {})) {
        const whole = path.join(at, 'files', name.replace(/!$/, ''));
        fs.mkdirSync(path.dirname(whole), { recursive: true });
        if (value.startsWith('-> ')) fs.symlinkSync(value.slice(3), whole);
        else fs.writeFileSync(whole, value, { mode: name.endsWith('!') ? 0o755 : 0o644 });
      }
    }
    const done = spawnSync(
      'unshare',
      ['--mount', '--pid', '--fork', '/bin/sh', '-c', SCRIPT, 'sh', root, container, ttys],
      {
        encoding: 'utf8',
        timeout: 120_000,
      },
    );
    if (done.status !== 0) throw new Error(`generators: ${done.stderr}`);
    return cases.map((_, index) => {
      const at = path.join(root, 'cases', String(index).padStart(6, '0'));
      return { tree: treeBelow(at), said: fs.readFileSync(path.join(at, 'said'), 'utf8') };
    });
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

function treeBelow(at: string): Record<string, string> {
  const tree: Record<string, string> = {};
  const walk = (relative: string) => {
    for (const entry of fs.readdirSync(path.join(at, relative), { withFileTypes: true })) {
      const name = `${relative}/${entry.name}`;
      if (entry.isDirectory()) walk(name);
      else if (entry.isSymbolicLink()) tree[name] = `-> ${fs.readlinkSync(path.join(at, name))}`;
      else tree[name] = plainUnit(fs.readFileSync(path.join(at, name), 'utf8'));
    }
  };
  for (const place of ['normal', 'early', 'late']) walk(place);
  return tree;
}

/** Sections with their assignments in order of name, without comments and the path of the oracle's own files. */
export function plainUnit(text: string): string {
  let section = '';
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[')) section = line;
    else if (/^(After|Before|Requires|Wants|RequiresMountsFor)=/.test(line)) {
      const equals = line.indexOf('=');
      for (const word of line.slice(equals + 1).split(' ')) lines.push(`${section} ${line.slice(0, equals)}=${word}`);
    } else if (line.startsWith('ExecStart='))
      // The growfs unit of systemd leaves blanks in paths as they are; ours are words.
      lines.push(
        `${section} ${line.replace(/\\([0-7]{3}|\\)/g, (_, code: string) => (code === '\\' ? code : `<${code}>`)).replaceAll('<040>', ' ')}`,
      );
    else lines.push(`${section} ${line.replace(/^SourcePath=.*fstab$/, 'SourcePath=fstab')}`);
  }
  return [...new Set(lines)].sort().join('\n');
}
