/**
 * Specifiers: `%i`, `%H` and the rest, given a unit's name and the facts of the machine.
 * Source: systemd.unit(5), "Specifiers", table 4 (system manager).
 */
import type { MachineFacts } from '../host/ports.ts';
import { type UnitName, unescapeName, unescapePath } from './names.ts';

/** Names of files in /etc/os-release and /etc/machine-info that specifiers show; both are part of the facts where known. */
export type Expansion = { readonly text: string } | { readonly fault: string };

/** What an expansion may not exceed. */
const LENGTH_MAX = 1024 * 1024;

/** uname(2) and Node spellings -> systemd's (systemd.unit(5), ConditionArchitecture=). */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'x86-64',
  x86_64: 'x86-64',
  amd64: 'x86-64',
  ia32: 'x86',
  i386: 'x86',
  i486: 'x86',
  i586: 'x86',
  i686: 'x86',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  ppc64: 'ppc64',
  ppc64le: 'ppc64-le',
  riscv64: 'riscv64',
  s390x: 's390x',
  loong64: 'loongarch64',
};

/** The machine's architecture in systemd's words. */
export function architectureName(facts: Pick<MachineFacts, 'architecture'>): string {
  return ARCHITECTURES[facts.architecture] ?? facts.architecture;
}

/** Resolves the specifiers of one unit. */
export interface Specifiers {
  /** `%%` becomes `%`; an unknown letter is a fault, other unknown characters stay. */
  expand(text: string): Expansion;
}

/**
 * @param fragmentPath for %y and %Y; empty: none, and they are faults
 */
export function specifiersOf(name: UnitName, facts: MachineFacts, fragmentPath: string): Specifiers {
  return {
    expand(text) {
      let percent = text.indexOf('%');
      if (percent < 0) return { text };
      let out = '';
      let from = 0;
      while (percent >= 0) {
        out += text.slice(from, percent);
        const letter = text[percent + 1];
        if (letter === undefined) {
          out += '%';
          from = percent + 1;
        } else {
          const value = letter === '%' ? '%' : resolve(letter, name, facts, fragmentPath);
          if (value === undefined) {
            if (/[A-Za-z0-9]/.test(letter)) return { fault: `%${letter} is not a specifier, or has no value here` };
            out += `%${letter}`;
          } else out += value;
          from = percent + 2;
        }
        if (out.length > LENGTH_MAX) return { fault: `expands to more than ${LENGTH_MAX} characters` };
        percent = text.indexOf('%', from);
      }
      return { text: out + text.slice(from) };
    },
  };
}

function resolve(letter: string, name: UnitName, facts: MachineFacts, fragmentPath: string): string | undefined {
  const os = facts.osRelease ?? {};
  const id = (text: string) => text.replaceAll('-', '').trim();
  switch (letter) {
    case 'a':
      return architectureName(facts);
    case 'A':
      return os.IMAGE_VERSION ?? '';
    case 'b':
      return id(facts.bootId);
    case 'B':
      return os.BUILD_ID ?? '';
    case 'C':
      return '/var/cache';
    case 'd':
      return `/run/credentials/${name.name}`;
    case 'E':
      return '/etc';
    case 'f': {
      const path = name.instance === '' ? unescapePath(name.prefix) : instancePath(name.instance);
      return path;
    }
    case 'g':
    case 'u':
      return facts.privileged ? 'root' : (facts.environment.USER ?? 'root');
    case 'G':
    case 'U':
      return '0';
    case 'h':
      return facts.privileged ? '/root' : (facts.environment.HOME ?? '/root');
    case 'H':
      return facts.hostname;
    case 'i':
      return name.instance;
    case 'I':
      return unescapeName(name.instance);
    case 'j':
      return lastPart(name.prefix);
    case 'J':
      return unescapeName(lastPart(name.prefix));
    case 'l':
      return facts.hostname.split('.')[0] ?? '';
    case 'L':
      return '/var/log';
    case 'm':
      return id(facts.machineId);
    case 'M':
      return os.IMAGE_ID ?? '';
    case 'n':
      return name.name;
    case 'N':
      return name.name.slice(0, name.name.lastIndexOf('.'));
    case 'o':
      return os.ID ?? 'linux';
    case 'p':
      return name.prefix;
    case 'P':
      return unescapeName(name.prefix);
    case 'q':
      return facts.prettyHostname ?? facts.hostname.split('.')[0] ?? '';
    case 's':
      return facts.shell ?? '/bin/sh';
    case 'S':
      return '/var/lib';
    case 't':
      return '/run';
    case 'T':
      return tmp(facts, '/tmp');
    case 'v':
      return facts.kernelRelease;
    case 'V':
      return tmp(facts, '/var/tmp');
    case 'w':
      return os.VERSION_ID ?? '';
    case 'W':
      return os.VARIANT_ID ?? '';
    case 'y':
      return fragmentPath === '' ? undefined : fragmentPath;
    case 'Y':
      return fragmentPath === '' ? undefined : fragmentPath.slice(0, Math.max(1, fragmentPath.lastIndexOf('/')));
    default:
      return undefined;
  }
}

/** An instance that is no escaped path is unescaped and gets a slash in front. */
function instancePath(instance: string): string | undefined {
  const path = unescapePath(instance);
  if (path !== undefined) return path;
  const text = unescapeName(instance);
  return text === undefined ? undefined : `/${text.replace(/^\/+/, '')}`;
}

function lastPart(prefix: string): string {
  return prefix.slice(prefix.lastIndexOf('-') + 1);
}

/** $TMPDIR, $TEMP and $TMP count if they are absolute. */
function tmp(facts: MachineFacts, otherwise: string): string {
  for (const name of ['TMPDIR', 'TEMP', 'TMP']) {
    const value = facts.environment[name];
    if (value?.startsWith('/')) return value;
  }
  return otherwise;
}
