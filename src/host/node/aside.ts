/**
 * The version of core that leaves for another one is kept aside, until that one is in charge.
 *
 * DIRECTORY/previous holds its bundle and addon, and `trial`: `new` while the other version has not been started, `tried` from
 * then on. Who starts core (start.ts) finds `tried` only if the other version has ended before it was ready, and takes the one kept aside then.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from './errors.ts';
import { whyNotOwnDirectory } from './own.ts';

const place = (runDirectory: string) => join(runDirectory, 'previous');

/** Keep this version. Throws HostError; then there is nothing to return to, and `trial` is not there. */
export function keepAside(runDirectory: string, bundle: string): void {
  const directory = place(runDirectory);
  attempt(directory, () => {
    // What is not core's own is not written into; of a link it is the link that goes.
    if (whyNotOwnDirectory(directory) !== undefined) rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    rmSync(join(directory, 'trial'), { recursive: true, force: true });
    writeWhole(join(directory, 'core-bundle.cjs'), Buffer.from(bundle, 'latin1'));
    writeWhole(join(directory, 'addon.node'), loadedAddon());
    writeFileSync(join(directory, 'trial'), 'new', { flag: 'wx' });
  });
}

/** As a new file: where this is the version that is kept aside, the old one is what it runs from, and has mapped. */
function writeWhole(path: string, content: Buffer): void {
  rmSync(`${path}.new`, { recursive: true, force: true });
  writeFileSync(`${path}.new`, content, { flag: 'wx' });
  renameSync(`${path}.new`, path);
}

/** This version is in charge: what was kept of the one before is not needed; unless this is it. */
export function inCharge(runDirectory: string, ownDirectory: string): void {
  const directory = place(runDirectory);
  if (!isKeptAside(runDirectory, ownDirectory))
    attempt(directory, () => rmSync(directory, { recursive: true, force: true }));
}

/** Is this the version that was kept aside? */
export const isKeptAside = (runDirectory: string, ownDirectory: string): boolean =>
  ownDirectory === place(runDirectory);

/** The addon as this process has it mapped: its file may be another version's by now. */
function loadedAddon(): Buffer {
  const line = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((one) => /\/[^/]*addon\.node( \(deleted\))?$/.test(one));
  const range = line?.split(' ')[0];
  return readFileSync(`/proc/self/map_files/${range}`);
}
