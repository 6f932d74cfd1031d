// The rehearsal of core's start: boots a few units once, as a subreaper in a directory of its own, drives them as a person
// would, and keeps the code that the engine compiled meanwhile, core's and sctl's (see src/start.ts and src/cli/start.ts).
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long each wait may take, in ms: a bound, not an expectation. */
const WAIT_MS = 20_000;

const empty = '[Unit]\nDefaultDependencies=no\n';
const units = {
  'sysinit.target': empty,
  'basic.target': '[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\nDefaultDependencies=no\n',
  'sockets.target': empty,
  'shutdown.target': empty,
  'default.target': '[Unit]\nWants=first.service second.service always.service listening.socket\n',
  'first.service': '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n',
  'second.service':
    '[Unit]\nAfter=first.service\n[Service]\nRestart=on-failure\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n',
  'always.service': '[Service]\nType=exec\nNotifyAccess=all\nExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=0\n',
  'listening.socket': '[Socket]\nListenStream=%t/listening.sock\n',
  'listening.service': '[Service]\nExecStart=/bin/sleep 1000\n',
  'failing.service': '[Service]\nExecStart=/bin/false\n',
  'many.target': `[Unit]\nWants=${Array.from({ length: 30 }, (_, n) => `many@${n}.service`).join(' ')}\n`,
  'many@.service': '[Service]\nType=oneshot\nExecStart=/bin/true %i\n',
};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, holds) {
  const end = performance.now() + WAIT_MS;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${WAIT_MS / 1000} s`);
    await pause(20);
  }
}

/** Empty: it has ended meanwhile. */
function commandLineOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return '';
    throw error;
  }
}

/** Core's pid: the child of init that runs the bundle. */
function coreOf(init) {
  const children = readFileSync(`/proc/${init}/task/${init}/children`, 'utf8').trim().split(' ');
  return children.map(Number).find((pid) => commandLineOf(pid).includes('core.cjs'));
}

/** Main processes of services; 0: none. */
const mainPids = (sctl, ...names) =>
  sctl('show', '--property=MainPID', '--value', ...names)
    .stdout.split('\n')
    .filter(Boolean)
    .map(Number);

/** Make the two caches anew. @throws where the boot does not come up or core does not answer. */
async function rehearse(lib, cache, sctlCache) {
  const state = mkdtempSync(join(tmpdir(), 'sysmaster-rehearsal.'));
  const system = join(state, 'system');
  mkdirSync(system);
  for (const [name, text] of Object.entries(units)) writeFileSync(join(system, name), text);
  const conf = [
    `Core=${lib}/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc ${lib}/core.cjs`,
    `Exec=${lib}/exec`,
    `RunDir=${state}/run`,
    `CoreEnvironment=SYSMASTER_UNIT_PATH=${system}`,
    'CoreEnvironment=SYSMASTER_GENERATOR_PATH=',
    `CoreEnvironment=SYSMASTER_KEEP_CODE=${cache}`,
  ];
  writeFileSync(join(state, 'init.conf'), `${conf.join('\n')}\n`);
  const init = spawn(join(lib, 'init'), ['--config', join(state, 'init.conf')], { stdio: 'ignore', detached: true });
  let over = false;
  init.on('exit', () => {
    over = true;
  });
  const keep = { SCTL_KEEP_CODE: sctlCache };
  const env = {
    ...process.env,
    ...keep,
    SYSMASTER_SOCKET: join(state, 'run/api.sock'),
    SYSMASTER_LOGS: join(state, 'run/log'),
  };
  const sctl = (...words) =>
    spawnSync(join(lib, 'node'), [join(lib, 'sctl.mjs'), ...words], { env, encoding: 'utf8', timeout: WAIT_MS });
  try {
    await until('the API socket', () => over || existsSync(env.SYSMASTER_SOCKET));
    await until('the boot', () => over || sctl('is-active', 'second.service').status === 0);
    for (const words of [
      ['status'],
      ['list-units'],
      ['show', 'second.service'],
      ['reload', 'second.service'],
      ['restart', 'second.service'],
      ['start', 'failing.service'],
      ['start', 'many.target'],
      ['status', 'second.service'],
      ['daemon-reload'],
      ['list-jobs'],
      ['stop', 'second.service'],
      ['is-active', 'second.service'],
    ])
      sctl(...words);
    const keepIt = async () => {
      rmSync(cache, { force: true });
      const core = over ? undefined : coreOf(init.pid);
      if (core === undefined) throw new Error('init or core has ended');
      process.kill(core, 'SIGUSR2');
      await until('the code', () => over || existsSync(cache));
      return core;
    };
    // What a core does that comes back is kept as well: it begins with the code of the one before.
    const first = await keepIt();
    const [victim] = mainPids(sctl, 'always.service');
    process.kill(first, 'SIGKILL');
    process.kill(victim, 'SIGKILL');
    await until('another core', () => over || ![undefined, first].includes(coreOf(init.pid)));
    await until(
      'a service that was killed with it',
      () => over || ![0, victim].includes(mainPids(sctl, 'always.service')[0]),
    );
    await keepIt();
  } finally {
    init.kill('SIGTERM');
    await until('the end', () => over).catch(() => init.kill('SIGKILL'));
    rmSync(state, { recursive: true, force: true });
  }
}

const [lib, cache, sctlCache] = process.argv.slice(2);
await rehearse(lib, cache, sctlCache);
