/**
 * Generators at boot and at reload: their three directories made anew, ours written at once, programs handed on to be run.
 *
 * Ours write first, so what a program writes under a name that ours took is refused by the program's own care (systemd's open
 * their files exclusively) and told in its log. In a session of its own under another manager there are none of ours: mounts,
 * consoles and the kernel command line belong to the machine's first process.
 */
import { type FilePort, type Host, HostError } from '../host/ports.ts';
import type { Generator } from '../machines/manager.ts';
import { sentence } from '../units/finding.ts';
import { bootTarget } from '../units/generators/boot-target.ts';
import { BUILT_IN, type GeneratedFile, type GeneratorWorld } from '../units/generators/index.ts';
import { planGenerators } from '../units/generators.ts';
import type { UnitPaths } from '../units/index.ts';

/** Where the programs of one run say what they have to say. */
export const generatorLog = ({ runDirectory }: Pick<Host['facts'], 'runDirectory'>): string =>
  `${runDirectory}/generators.log`;

/** What is known of the machine to generators. */
function worldOf({ files, facts }: Host): GeneratorWorld {
  const container = Object.fromEntries(
    (files.readText('/proc/1/environ') ?? '')
      .split('\0')
      .flatMap((entry) => (/^(container_ttys|SYSTEMD_GETTY_AUTO)=/.test(entry) ? [entry.split(/=(.*)/s)] : [])),
  );
  return {
    files,
    commandLine: facts.kernelCommandLine,
    initrd: isInitrd(files),
    virtualization: facts.virtualization,
    environment: { ...container, ...facts.environment },
  };
}

/** systemd's mark of an initial RAM disk (systemd(1), "Concepts"). */
const isInitrd = (files: Pick<FilePort, 'stat'>): boolean => files.stat('/etc/initrd-release') !== undefined;

/** Do everything that can be done at once; answers with the programs to run. @param directories undefined: the standard ones */
export function beginGenerators(
  host: Host,
  paths: UnitPaths,
  directories: readonly string[] | undefined,
): readonly Generator[] {
  const { files, facts, log } = host;
  const builtIn = directories === undefined && host.hello.role !== 'subreaper';
  const plan = planGenerators({
    files,
    facts,
    paths,
    initrd: isInitrd(files),
    ...(directories === undefined ? {} : { directories }),
    builtIn: builtIn ? Object.keys(BUILT_IN) : [],
  });
  for (const { what, why, at } of plan.findings) log.log('info', { what, file: at?.file }, why);
  const used = plan.spawns.length + plan.builtIn.length > 0;
  if (!used && Object.values(plan.directories).every((directory) => files.lstat(directory) === undefined)) return [];
  for (const directory of Object.values(plan.directories)) {
    files.removeTree(directory);
    if (used) files.mkdirs(directory, 0o755);
  }
  // What the last ones said; and what else may stand there is not followed, waited for or written into.
  files.removeTree(generatorLog(facts));
  const world = plan.builtIn.length > 0 ? worldOf(host) : undefined;
  for (const name of plan.builtIn) {
    const generate = BUILT_IN[name];
    if (generate === undefined || world === undefined) continue;
    try {
      const made = generate(world);
      for (const finding of made.findings) {
        const level = finding.severity === 'note' ? 'info' : finding.severity;
        log.log(level, { generator: name }, sentence(finding));
      }
      for (const file of made.files) writeGenerated(files, plan.directories, file);
    } catch (error) {
      // One that cannot read or write must not keep the others, nor the machine, from coming up.
      if (!(error instanceof HostError)) throw error;
      log.log('error', { generator: name, about: error.about }, `generator failed: ${error.message}`);
    }
  }
  return plan.spawns.map(({ path, argv, environment }) => ({ path, argv, environment }));
}

function writeGenerated(
  files: FilePort,
  directories: { readonly normal: string; readonly early: string; readonly late: string },
  file: GeneratedFile,
): void {
  const path = `${directories[file.place]}/${file.path}`;
  files.mkdirs(path.slice(0, path.lastIndexOf('/')), 0o755);
  if ('text' in file) files.writeText(path, file.text, 0o644);
  else {
    files.remove(path);
    files.symlink(file.target, path);
  }
}

/** What the kernel command line wants to be booted; undefined: it says nothing, or is not ours to heed. */
export function wantedTarget(host: Host): string | undefined {
  return host.hello.role === 'subreaper' ? undefined : bootTarget(host.facts.kernelCommandLine, isInitrd(host.files));
}
