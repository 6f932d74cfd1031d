/** Code that the engine has made of a bundle, kept in a file beside it (docs/adr/0008): what both starts, core's and sctl's, do with it. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Script } from 'node:vm';

/** For `new Script`. Where it was not made, or cannot be read, the start is slower, and that is no reason not to start. */
export function keptCode(path: string): { readonly cachedData?: Buffer } {
  try {
    return { cachedData: readFileSync(path) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return {};
  }
}

/** Keep the code of what has run by now; for the rehearsal (scripts/rehearse.mjs). */
export function keepCode(path: string, script: Script): void {
  writeFileSync(`${path}.new`, script.createCachedData());
  renameSync(`${path}.new`, path);
}
