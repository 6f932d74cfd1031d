/** Core on Node: the real host, and core over it. Started by init with the link as descriptor 0. */
import { createCore } from './core.ts';
import { inCharge, isKeptAside, keepAside } from './host/node/aside.ts';
import { checkAsked, createCheckHost } from './host/node/check.ts';
import { createNodeHost } from './host/node/index.ts';
import { readPlugins } from './host/node/plugins.ts';
import { readSettings } from './host/node/settings.ts';
import { HostError } from './host/ports.ts';
import { definitionOfExports } from './machines/plugin.ts';
import { messageOf } from './supervisor/message.ts';

/** How far core has come in its start, for the log: CLOCK_MONOTONIC, ms. (What `performance` is would have to be loaded first.) */
const reachedMs: Record<string, number> = {};
const reached = (what: string): void => {
  reachedMs[what] = Number(process.hrtime.bigint() / 100_000n) / 10;
};
reached('loaded');

/** Where core cannot be started at all, a sentence says why, and the status is 1: init tries again, a person reads it. */
function started<T>(start: () => T): T {
  try {
    return start();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const todo = error.code === 'EAGAIN' ? '' : '; run sysmaster-init, which starts it';
    process.stderr.write(`core: cannot start: ${error.about} (${error.code})${todo}\n`);
    process.exit(1);
  }
}

/** Set by the bundler; the source tree has none. */
declare const SYSMASTER_VERSION: string | undefined;
/** Likewise: names the sources to the letter. */
declare const SYSMASTER_BUILD: string | undefined;

/** Set by start.ts: the text of this bundle, as the engine has it. */
declare const SYSMASTER_SOURCE: () => string;

const runDirectory = process.env['SYSMASTER_RUN_DIR'] ?? '/run/sysmaster';
/** What users have written; in safe mode none of it: core may be dying of it before it can tell. */
const charts = (safeMode: boolean) =>
  readPlugins(safeMode ? '' : process.env['SYSMASTER_MACHINE_PATH'], definitionOfExports);
const check = checkAsked(process.argv);
if (check !== undefined) checkCheckpoint(check.directory, check.known);

/** Could this core go on from what the present one has written? The status says it, and a line why not. Nothing is started. */
function checkCheckpoint(directory: string, known: readonly string[]): never {
  const faults: string[] = [];
  const host = started(() =>
    createCheckHost(directory, runDirectory, (_level, { actor, why }, what) => {
      if (what === 'actor-set-aside' && !known.includes(String(actor))) faults.push(`${String(actor)}: ${String(why)}`);
    }),
  );
  const { recovered } = createCore(host, {
    version: 'check',
    libDirectory: __dirname,
    plugins: charts(false).plugins,
  }).actors;
  if (recovered.mode === 'fresh') faults.unshift(recovered.why);
  process.stdout.write(`${faults.length === 0 ? 'ok' : faults.join('; ')}\n`);
  process.exit(faults.length === 0 ? 0 : 1);
}

/** Four times within init's patience; seldom where that is long. */
function beats(patienceUs: number): { readonly beatEveryMs?: number } {
  return patienceUs > 0 && patienceUs < 10_000_000 ? { beatEveryMs: Math.max(50, patienceUs / 4000) } : {};
}

const configuration = process.env['SYSMASTER_CONF'] ?? '/etc/sysmaster/system.conf';
const settings = readSettings(configuration, runDirectory);
const host = started(() =>
  createNodeHost({
    runDirectory,
    onReady: () => inCharge(runDirectory, __dirname),
    ...(typeof SYSMASTER_SOURCE === 'undefined'
      ? {}
      : { beforeReexec: () => keepAside(runDirectory, SYSMASTER_SOURCE()) }),
    ...(settings.logTarget === undefined ? {} : { log: settings.logTarget }),
    ...(settings.logLevel === undefined ? {} : { logLevel: settings.logLevel }),
  }),
);
reached('heardOfInit');
/** What is wrong in it is said when it is new. */
let said: readonly string[] = [];
function sayFindings(findings: readonly string[]): void {
  for (const finding of findings) if (!said.includes(finding)) host.log.log('warning', {}, finding);
  said = findings;
}
sayFindings(settings.findings);
const { plugins, findings } = charts(host.hello.safeMode);
for (const finding of findings) host.log.log('warning', {}, finding);
const core = createCore(host, {
  plugins,
  version: typeof SYSMASTER_VERSION === 'undefined' ? 'source' : SYSMASTER_VERSION,
  ...(typeof SYSMASTER_BUILD === 'undefined' ? {} : { build: SYSMASTER_BUILD }),
  libDirectory: host.facts.environment['SYSMASTER_LIB'] ?? __dirname,
  environment: settings.defaultEnvironment,
  actors: beats(Number(process.env['SYSMASTER_WATCHDOG_USEC'] ?? 0)),
  recordings: true,
  // At the start, and whenever units are read again.
  recorder() {
    const { recorder, findings: wrong } = readSettings(configuration, runDirectory);
    sayFindings(wrong);
    return recorder;
  },
  returned: isKeptAside(runDirectory, __dirname),
  // Read each time: what is enabled for an hour must not need a restart to be disabled again.
  chaos: () => readSettings(configuration, runDirectory).chaos,
});

// Law 7: what nobody caught must be seen, and must not end core while it can go on.
process.on('uncaughtException', (error: unknown) =>
  host.log.log('error', error instanceof Error ? { stack: error.stack } : {}, `uncaught: ${messageOf(error)}`),
);
process.on('unhandledRejection', (reason) =>
  host.log.log('error', { reason: messageOf(reason) }, 'unhandled rejection'),
);
reached('stateRead');
core.start();
reached('inCharge');
host.log.log('info', { reachedMs }, 'core is in charge');
