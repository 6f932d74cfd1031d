/**
 * What init executes (`node core.cjs`): runs core's bundle with the code that its engine made of it before.
 *
 * Compiling the bundle takes a third of core's start. When it was built a rehearsal ran it and kept the code of all functions
 * that a start needs (core.cache); the engine takes that if version, flags and processor fit, and else compiles as ever.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { isOwn, ownBytes, whyNotOwnDirectory } from './host/node/own.ts';
import { keepCode, keptCode } from './kept-code.ts';

/** Where core keeps the version before this one while this one is on trial (src/host/node/aside.ts). */
const aside = join(process.env['SYSMASTER_RUN_DIR'] ?? '/run/sysmaster', 'previous');
const directory = process.argv.includes('--check-checkpoint') ? __dirname : whose();
const file = join(directory, 'core-bundle.cjs');
const cache = join(directory, 'core.cache');

/**
 * The directory of the version to run: the one kept aside, if this one was tried and has never been in charge. Only if all of it is
 * core's own: what stands there is run.
 */
function whose(): string {
  const trial = ownBytes(join(aside, 'trial'), tell)?.toString('latin1');
  // No trial, as a rule.
  if (trial === undefined) return __dirname;
  if (trial === 'new') {
    try {
      writeFileSync(join(aside, 'trial'), 'tried');
    } catch (error) {
      tell(`${aside}: ${String(error)}: there is no way back from this version`);
    }
    return __dirname;
  }
  const why = whyNotOwnDirectory(aside) ?? ['core-bundle.cjs', 'addon.node'].find((name) => !isOwn(join(aside, name)));
  if (why !== undefined) {
    tell(`${aside}: ${why}: not core's own; this version is tried once more`);
    return __dirname;
  }
  tell(`this version has ended before it was ready; back to the one before, in ${aside}`);
  return aside;
}

/** To where core's last words are kept: there is no log yet. */
function tell(what: string): void {
  process.stderr.write(`core: ${what}\n`);
}

// The bundle is ASCII, and so are the names of its wrapper: one byte a character, half of what text takes otherwise.
const source = `(function(require,__filename,__dirname,SYSMASTER_SOURCE){${readFileSync(file, 'latin1')}\n})`;
const script = new Script(source, { filename: file, ...keptCode(cache) });
// Not fatal, and not for the log, which is core's: it goes to where core's last words are kept.
if (script.cachedDataRejected === true)
  tell(`${cache}: made by another engine, with other options, or on another processor: not used`);
type Bundle = (require: NodeJS.Require, file: string, directory: string, source: () => string) => void;
const start = script.runInThisContext() as Bundle;
/** The engine has the text in any case: what stands in the braces. */
const text = () => {
  const whole = start.toString();
  return whole.slice(whole.indexOf('{') + 1, whole.lastIndexOf('}'));
};
start(createRequire(file), file, directory, text);

/** Only for the rehearsal (scripts/rehearse.mjs): keep the code of what has run by now. */
const keep = process.env['SYSMASTER_KEEP_CODE'];
if (keep !== undefined) {
  process.once('SIGUSR2', () => {
    keepCode(keep, script);
  });
}
