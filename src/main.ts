/** Core on Node: the real host, and core over it. Started by init with the link as descriptor 0. */
import { createCore } from './core.ts';
import { createNodeHost } from './host/node/index.ts';
import { readSettings } from './host/node/settings.ts';

/** Set by the bundler; the source tree has none. */
declare const SYSMASTER_VERSION: string | undefined;

const runDirectory = process.env['SYSMASTER_RUN_DIR'] ?? '/run/sysmaster';
const settings = readSettings(process.env['SYSMASTER_CONF'] ?? '/etc/sysmaster/system.conf', runDirectory);
const host = createNodeHost({
  runDirectory,
  ...(settings.logTarget === undefined ? {} : { log: settings.logTarget }),
  ...(settings.logLevel === undefined ? {} : { logLevel: settings.logLevel }),
});
for (const finding of settings.findings) host.log.log('warning', {}, finding);
const core = createCore(host, {
  version: typeof SYSMASTER_VERSION === 'undefined' ? 'source' : SYSMASTER_VERSION,
  libDirectory: host.facts.environment['SYSMASTER_LIB'] ?? __dirname,
  environment: settings.defaultEnvironment,
});

// Law 7: what nobody caught must be seen, and must not end core while it can go on.
process.on('uncaughtException', (error) => host.log.log('error', { stack: error.stack }, `uncaught: ${error.message}`));
process.on('unhandledRejection', (reason) => host.log.log('error', { reason: String(reason) }, 'unhandled rejection'));
core.start();
