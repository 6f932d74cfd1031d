/**
 * What init executes (`node core.cjs`): runs core's bundle with the code that its engine made of it before.
 *
 * Compiling the bundle takes a third of core's start. When it was built a rehearsal ran it and kept the code of all functions
 * that a start needs (core.cache); the engine takes that if version, flags and processor fit, and else compiles as ever.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

const file = join(__dirname, 'core-bundle.cjs');
const cache = join(__dirname, 'core.cache');

function cached(): Buffer | undefined {
  try {
    return readFileSync(cache);
  } catch (error) {
    // Not made, or not readable: slower, and no reason not to start.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}

// The bundle is ASCII, and so are the names of its wrapper: one byte a character, half of what text takes otherwise.
const source = `(function(require,__filename,__dirname){${readFileSync(file, 'latin1')}\n})`;
const cachedData = cached();
const script = new Script(source, { filename: file, ...(cachedData === undefined ? {} : { cachedData }) });
// Not fatal, and not for the log, which is core's: it goes to where core's last words are kept.
if (script.cachedDataRejected === true)
  process.stderr.write(
    `core: ${cache}: made by another engine, with other options, or on another processor: not used\n`,
  );
type Bundle = (require: NodeJS.Require, file: string, directory: string) => void;
(script.runInThisContext() as Bundle)(createRequire(file), file, __dirname);

/** Only for the rehearsal (scripts/rehearse.mjs): keep the code of what has run by now. */
const keep = process.env['SYSMASTER_KEEP_CODE'];
if (keep !== undefined) {
  process.once('SIGUSR2', () => {
    writeFileSync(`${keep}.new`, script.createCachedData());
    renameSync(`${keep}.new`, keep);
  });
}
