/**
 * What is executed as sctl: runs its bundle with the code that its engine made of it when it was built (docs/adr/0008).
 *
 * Reading and compiling the bundle is more than half of what a question costs. Node's own cache would be a directory below /tmp, which
 * others may have made before us; this one lies beside the bundle. Where it is missing, or made by another engine, sctl is slower.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { keepCode, keptCode } from '../kept-code.ts';

const file = join(import.meta.dirname, 'sctl-bundle.cjs');
const cache = join(import.meta.dirname, 'sctl.cache');

// The bundle is ASCII: one byte a character.
const source = `(function(require,__filename,__dirname){${readFileSync(file, 'latin1').replace(/^#!.*/, '')}\n})`;
const script = new Script(source, { filename: file, ...keptCode(cache) });
type Bundle = (require: NodeJS.Require, file: string, directory: string) => void;
(script.runInThisContext() as Bundle)(createRequire(file), file, import.meta.dirname);

/** Only for the rehearsal (scripts/rehearse.mjs): keep the code of what has run by now, with what was kept before. */
const keep = process.env['SCTL_KEEP_CODE'];
if (keep !== undefined) {
  process.once('exit', () => keepCode(keep, script));
}
