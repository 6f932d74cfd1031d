/** Builds the core that can be made to die: the same sources, with crashing-*.ts in front of the host and below it. */
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { lib, project } from '../support/system.ts';

const host = join(project, 'src/host/node');
/** Not stood in front of: core's own log, and what only reads. */
const PLAIN = ['addon.ts', 'log.ts'].map((name) => join(host, name));

const inFront: Plugin = {
  name: 'in-front-of-the-host',
  setup({ onResolve }) {
    const here = import.meta.dirname;
    onResolve({ filter: /^node:fs$/ }, ({ importer }) =>
      importer.startsWith(host) && !PLAIN.includes(importer) ? { path: join(here, 'crashing-fs.ts') } : undefined,
    );
    onResolve({ filter: /\/addon\.ts$/ }, ({ importer }) =>
      importer.startsWith(host) ? { path: join(here, 'crashing-addon.ts') } : undefined,
    );
    const ofMain = { './host/node/index.ts': 'crashing-host.ts', './core.ts': 'crashing-core.ts' };
    onResolve({ filter: /^\.\/(?:host\/node\/index|core)\.ts$/ }, ({ importer, path }) =>
      importer === join(project, 'src/main.ts') ? { path: join(here, ofMain[path as keyof typeof ofMain]) } : undefined,
    );
  },
};

const newest = (directory: string): number =>
  Math.max(
    ...readdirSync(directory, { recursive: true }).map((name) => statSync(join(directory, String(name))).mtimeMs),
  );

/** The bundle's path, below the build that is tested; made anew if a source is newer. */
export async function crashingCore(): Promise<string> {
  const directory = join(lib, 'crashing');
  const bundle = join(directory, 'core.cjs');
  const made = statSync(bundle, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (made > Math.max(newest(join(project, 'src')), newest(import.meta.dirname))) return bundle;
  mkdirSync(directory, { recursive: true });
  const fresh = `${bundle}.${process.pid}`;
  await build({
    entryPoints: [join(project, 'src/main.ts')],
    outfile: fresh,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    logLevel: 'warning',
    define: {
      SYSMASTER_VERSION: '"crashing"',
      SYSMASTER_BUILD: `"crashing ${Date.now()}"`,
      'import.meta.dirname': '__dirname',
    },
    plugins: [inFront],
  });
  renameSync(fresh, bundle);
  return bundle;
}
