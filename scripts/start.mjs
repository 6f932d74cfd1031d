// npm start: boot examples/first-boot under our own PID 1 in fresh namespaces, show it, and look after it until Ctrl-C.
//
//   --once     boot, check, shut down; the exit status is 1 if any unit failed
//   --plain    lines instead of the live table
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { root } from './setup.mjs';

const args = process.argv.slice(2);
const unknown = args.find((arg) => !['--once', '--plain'].includes(arg));
if (unknown !== undefined) {
  console.error(`npm start: ${unknown}: not an option; use --once or --plain`);
  process.exit(2);
}
const once = args.includes('--once');
const live = process.stdout.isTTY && !args.includes('--plain');
const rootUser = userInfo().uid === 0;
const lib = join(root, '.build');
const running = join(lib, 'running.json');

/** How long the boot and the shutdown may take, in ms: bounds, not expectations. */
const BOOT_MS = 120_000;
const STOP_MS = 60_000;

removeStale();
const namespaces =
  spawnSync('unshare', [...(rootUser ? [] : ['--user', '--map-root-user']), '--pid', '--mount', '--fork', 'true'], {
    stdio: 'ignore',
  }).status === 0;
const state = mkdtempSync(join(process.env.SYSMASTER_STATE ?? (rootUser ? '/var/tmp' : tmpdir()), 'first-boot.'));
mkdirSync(join(state, 'run/first-boot'), { recursive: true });
// In namespaces the project is bound below /run, so that it is there wherever it was cloned; otherwise paths are as they are.
const inside = namespaces ? '/run/first-boot/project' : root;
const runtime = namespaces ? '/run' : join(state, 'run');
link(join(inside, '.build/node'), 'node');
link(join(inside, 'examples/first-boot/programs'), 'programs');
const units = namespaces ? `${inside}/examples/first-boot/system` : movedCopy();
writeFileSync(
  join(state, 'run/init.conf'),
  [
    `Core=${inside}/.build/node --max-semi-space-size=16 --initial-old-space-size=128 --expose-gc ${inside}/.build/core.cjs`,
    `Exec=${inside}/.build/exec`,
    `RunDir=${runtime}/sysmaster`,
    `CoreEnvironment=SYSMASTER_UNIT_PATH=${units}`,
    `CoreEnvironment=SYSMASTER_GENERATOR_PATH=`,
    '',
  ].join('\n'),
);
const console_ = openSync(join(state, 'console'), 'w');
const program = namespaces
  ? [join(root, 'scripts/namespaces.sh'), state, '-', `${inside}/.build/init`, '--config', '/run/init.conf']
  : [join(lib, 'init'), '--config', join(state, 'run/init.conf')];
const system = spawn(program[0], program.slice(1), {
  stdio: ['ignore', console_, console_],
  detached: true, // Ctrl-C is for this launcher alone; it ends the system in order
  env: { ...process.env, NS_BINDS: `${root}:/run/first-boot/project`, NS_HOSTNAME: 'first-boot' },
});
writeFileSync(
  running,
  JSON.stringify({
    pid: process.pid,
    socket: join(state, 'run/sysmaster/api.sock'),
    logs: join(state, 'run/sysmaster/log'),
  }),
);

let over;
system.on('exit', (status, signal) => {
  over = status ?? signal;
});
system.on('error', (error) => fail(`${program[0]}: cannot be run: ${error.message}`));

/** Text that a terminal shows in a colour. */
const colour = (code, text) => (live ? `\x1b[${code}m${text}\x1b[0m` : text);
const began = performance.now();
const beganReal = Date.now();
/** Name → { active, sub, sinceMs, tookMs } */
const shown = new Map();
let drawn = 0;

if (!namespaces)
  console.log(
    'namespaces: cannot be made here: running as a subreaper on this machine; services share its file systems and network',
  );
else if (!rootUser)
  console.log(
    'not root: one uid only and no control groups: units with User= are skipped, processes are followed by descent',
  );
console.log(`booting ${colour(1, 'examples/first-boot')} …`);

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(signal === 'SIGINT' ? 0 : 1));
process.on('exit', () => cleanUp());

await boot();

async function boot() {
  const end = performance.now() + BOOT_MS;
  const socket = join(state, 'run/sysmaster/api.sock');
  while (!existsSync(socket)) {
    if (over !== undefined) fail(`init ended with ${over} before core was there`);
    if (performance.now() > end) fail('core did not come up in time');
    await pause(20);
  }
  const stream = follow(socket);
  for await (const event of stream) {
    if (event.event === 'unit' && event.unit !== null && event.unit !== undefined) seen(event.unit, event.at);
    if (event.event === 'system' && (event.system === 'running' || event.system === 'degraded')) break;
    if (over !== undefined) fail(`the system ended with ${over}`);
    if (performance.now() > end) fail(`the boot did not end in time; jobs:\n${sctl('list-jobs').stdout}`);
  }
  draw(true);
  const failed = summary();
  if (once) return stop(failed > 0 ? 1 : 0);
  console.log(`\nThe system runs. Talk to it from another terminal: ${colour(1, 'npm run sctl -- status')}`);
  console.log(
    `Its web server: curl --unix-socket ${join(state, 'run/web.sock')} http://first-boot/     Ctrl-C shuts it down.`,
  );
  while (over === undefined) await pause(200);
  console.log(`the system has ended (${over})`);
  process.exit(over === 0 ? 0 : 1);
}

/** The event stream of io.sysmaster.Events, reconnecting while core is away (init restarts it). */
async function* follow(path) {
  for (;;) {
    const queue = [];
    let wake;
    let closed = false;
    const client = connect(path);
    client.setEncoding('utf8');
    let text = '';
    client.on('connect', () =>
      client.write(`${JSON.stringify({ method: 'io.sysmaster.Events.Subscribe', parameters: {}, more: true })}\0`),
    );
    client.on('data', (part) => {
      text += part;
      const messages = text.split('\0');
      text = messages.pop();
      for (const message of messages) {
        const reply = JSON.parse(message);
        if (reply.error) fail(`io.sysmaster.Events.Subscribe: ${reply.error} ${JSON.stringify(reply.parameters)}`);
        queue.push(reply.parameters.event);
      }
      wake?.();
    });
    const woken = () =>
      new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, 500);
      });
    const end = () => {
      closed = true;
      wake?.();
    };
    client.on('close', end).on('error', end);
    // The stream's first event says that nothing is missed from now on; what was before is read once.
    while (queue.length === 0 && !closed) await woken();
    const { units: now } = await call(path, 'io.sysmaster.Units.List');
    for (const unit of now) yield { event: 'unit', unit };
    const { manager } = await call(path, 'io.sysmaster.Manager.Get');
    yield { event: 'system', system: manager.state };
    while (!closed || queue.length > 0) {
      if (queue.length > 0) yield queue.shift();
      else {
        await woken();
        yield { event: 'tick' };
      }
    }
    await pause(50);
  }
}

/** One call over a connection of its own. */
function call(path, method, parameters = {}) {
  return new Promise((resolve, reject) => {
    const client = connect(path);
    let text = '';
    client.setEncoding('utf8');
    client.on('connect', () => client.write(`${JSON.stringify({ method, parameters })}\0`));
    client.on('data', (part) => {
      text += part;
      if (!text.includes('\0')) return;
      client.end();
      const reply = JSON.parse(text.slice(0, text.indexOf('\0')));
      if (reply.error) reject(new Error(`${method}: ${reply.error} ${JSON.stringify(reply.parameters)}`));
      else resolve(reply.parameters);
    });
    client.on('error', reject);
  });
}

/** Note and show a change; `at` is when it happened, absent: it was so before the stream began. */
function seen({ name, active, sub, description }, at) {
  const now = at === undefined || at === null ? performance.now() - began : at.realUs / 1000 - beganReal;
  const before = shown.get(name);
  if (before?.active === active && before.sub === sub) return;
  const sinceMs = before !== undefined && before.active === active ? before.sinceMs : now;
  const tookMs = active === 'active' && before?.active === 'activating' ? now - before.sinceMs : before?.tookMs;
  shown.set(name, { active, sub, description, sinceMs, tookMs });
  if (live) draw(false);
  else if (active !== 'inactive' || before !== undefined)
    console.log(`${(now / 1000).toFixed(3).padStart(8)}s  ${active.padEnd(12)} ${sub.padEnd(12)} ${name}`);
}

/** The live table: what is on its way, and counts; redrawn in place. */
function draw(last) {
  if (!live) return;
  const rows = [...shown].filter(([, unit]) => unit.active !== 'inactive');
  const busy = rows.filter(
    ([, unit]) => unit.active === 'activating' || unit.active === 'deactivating' || unit.active === 'reloading',
  );
  const lines = [
    `${rows.filter(([, unit]) => unit.active === 'active').length} active, ${busy.length} on their way, ${rows.filter(([, unit]) => unit.active === 'failed').length} failed   ${((performance.now() - began) / 1000).toFixed(1)} s`,
    ...(last ? rows : busy)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, unit]) =>
        `  ${mark(unit.active)} ${name.padEnd(26)} ${unit.sub.padEnd(14)} ${unit.description}`.slice(
          0,
          (process.stdout.columns || 120) + 8,
        ),
      ),
  ];
  process.stdout.write(`${drawn > 0 ? `\x1b[${drawn}A` : ''}\x1b[J${lines.join('\n')}\n`);
  drawn = lines.length;
}

function mark(active) {
  return colour({ active: 32, failed: 31, activating: 33 }[active] ?? 0, '●');
}

/** Did it fail because its user or group could not be taken on? Exit codes of systemd.exec(5): 216 GROUP, 217 USER. */
function needsUid(name) {
  const text = sctl('show', '-p', 'User', '-p', 'ExecMainStatus', name).stdout;
  return /^User=./m.test(text) && /^ExecMainStatus=21[67]$/m.test(text);
}

/** Time, slowest units, failures, what was not honoured or skipped; answers how many units failed. */
function summary() {
  const info = JSON.parse(sctl('show', '--output=json').stdout || '{}');
  const failed = [...shown].filter(([, unit]) => unit.active === 'failed').map(([name]) => name);
  const slow = [...shown]
    .filter(([, unit]) => unit.tookMs !== undefined)
    .sort(([, a], [, b]) => b.tookMs - a.tookMs)
    .slice(0, 5);
  console.log(
    `\n${colour(1, 'booted')} in ${((performance.now() - began) / 1000).toFixed(2)} s, ${[...shown.values()].filter((unit) => unit.active === 'active').length} units active${info.Version ? `, sysMaster ${info.Version}` : ''}`,
  );
  if (slow.length > 0)
    console.log(`slowest: ${slow.map(([name, unit]) => `${name} ${unit.tookMs.toFixed(0)} ms`).join(', ')}`);
  const skipped = rootUser ? [] : failed.filter(needsUid);
  for (const name of skipped)
    console.log(`skipped: ${name}: it needs a second uid, and this system has one; run npm start as root`);
  const counted = failed.filter((name) => !skipped.includes(name));
  for (const name of counted)
    console.log(
      colour(
        31,
        `failed: ${name}: ${
          sctl('status', name)
            .stdout.split('\n')
            .find((line) => /Active:/.test(line))
            ?.trim() ?? ''
        }`,
      ),
    );
  if (counted.length === 0) console.log('no unit failed');
  return counted.length;
}

async function stop(status) {
  if (stopping) return;
  stopping = true;
  console.log('\nshutting down …');
  sctl('poweroff', '--no-block');
  const end = performance.now() + STOP_MS;
  while (over === undefined && performance.now() < end) await pause(50);
  if (over === undefined) {
    console.error('the system did not end in time; it is killed');
    process.exit(1);
  }
  console.log('the system is off');
  process.exit(status);
}

function sctl(...words) {
  return spawnSync(join(lib, 'node'), [join(lib, 'sctl.mjs'), ...words], {
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      SYSMASTER_SOCKET: join(state, 'run/sysmaster/api.sock'),
      SYSMASTER_LOGS: join(state, 'run/sysmaster/log'),
    },
  });
}

function fail(why) {
  console.error(`npm start: ${why}`);
  console.error(readFileSync(join(state, 'console'), 'utf8').split('\n').slice(-40).join('\n'));
  process.exit(1);
}

/** Nothing of the system outlives the launcher: processes, control group, directories. */
function cleanUp() {
  if (over === undefined && system.pid !== undefined) {
    try {
      process.kill(-system.pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }
  const groupFile = join(state, 'group');
  const group = existsSync(groupFile) ? readFileSync(groupFile, 'utf8').trim() : '';
  // A process that was killed holds its group for a moment; what is left after that goes at the next start.
  for (let tries = 0; group !== '' && existsSync(group) && tries < 100; tries += 1) {
    removeGroup(group);
    if (existsSync(group)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  rmSync(state, { recursive: true, force: true });
  rmSync(running, { force: true });
}

/** Empty groups are removed from the leaves up; one that a dying process still holds goes at the next start. */
function removeGroup(path) {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path)) if (statSync(join(path, entry)).isDirectory()) removeGroup(join(path, entry));
  try {
    rmdirSync(path);
  } catch {
    // Busy: removeStale takes it.
  }
}

/** What systems left whose launcher was killed: their empty groups, and then their directories. */
function removeStale() {
  for (const base of ['/sys/fs/cgroup/unified', '/sys/fs/cgroup']) {
    if (!existsSync(join(base, 'cgroup.procs'))) continue;
    for (const entry of readdirSync(base).filter((name) => name.startsWith('sysmaster-first-boot.'))) {
      removeGroup(join(base, entry)); // one that is busy belongs to a system that runs
      if (!existsSync(join(base, entry))) {
        rmSync(join('/var/tmp', entry.slice('sysmaster-'.length)), { recursive: true, force: true });
      }
    }
  }
}

/** Without a /run of its own the example gets a copy in which /run is the state directory's. */
function movedCopy() {
  for (const folder of ['system', 'programs']) {
    const from = join(root, 'examples/first-boot', folder);
    const to = join(state, folder);
    cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    for (const name of readdirSync(to)) {
      const file = join(to, name);
      if (lstatSync(file).isFile()) writeFileSync(file, readFileSync(file, 'utf8').replaceAll('/run/', `${runtime}/`));
    }
  }
  link(join(state, 'programs'), 'programs');
  return join(state, 'system');
}

function link(target, name) {
  const path = join(state, 'run/first-boot', name);
  if (existsSync(path)) unlinkSync(path);
  symlinkSync(target, path);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
