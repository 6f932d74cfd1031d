/**
 * What is booted: the example of `npm start`; thirty small services, as each of the peers writes them; and hundreds of oneshots.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { project } from './machine.ts';

/** Where the units stand inside. */
export const UNITS = '/run/bench/units';
const DAEMONS = 20;
const ONESHOTS = 9;
export const MANY = 500;
type Files = Record<string, string>;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

/** Its unit files, links as links. */
function tree(from: string, to: string): Files {
  const files: Files = {};
  for (const name of readdirSync(from)) {
    const [path, at] = [join(from, name), join(to, name)];
    const stat = lstatSync(path);
    if (stat.isDirectory()) Object.assign(files, tree(path, at));
    else files[at] = stat.isSymbolicLink() ? `-> ${readlinkSync(path)}` : readFileSync(path, 'utf8');
  }
  return files;
}

const mark = (after: string): Files => ({
  [`${UNITS}/mark.service`]: `[Unit]\nAfter=${after}\n[Service]\nType=oneshot\nExecStart=/bin/bash /run/bench/mark\n`,
  [`${UNITS}/default.target.wants/mark.service`]: '-> ../mark.service',
});

/** The example, and the marker once default.target is reached. */
export function example(): Files {
  return { ...tree(join(project, 'examples/first-boot/system'), UNITS), ...mark('default.target') };
}

/** Thirty services without default dependencies but for a chain sysinit → oneshots → daemons → multi-user. */
export function thirty(): Files {
  const files: Files = {
    [`${UNITS}/sysinit.target`]: '[Unit]\n',
    [`${UNITS}/basic.target`]: '[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\n',
    [`${UNITS}/shutdown.target`]: '[Unit]\nDefaultDependencies=no\n',
    [`${UNITS}/multi-user.target`]: '[Unit]\nRequires=basic.target\nAfter=basic.target\n',
    [`${UNITS}/default.target`]: '[Unit]\nRequires=multi-user.target\nAfter=multi-user.target\n',
    ...mark('multi-user.target'),
  };
  for (const n of numbers(ONESHOTS)) {
    files[`${UNITS}/o${n}.service`] =
      '[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n';
    files[`${UNITS}/sysinit.target.wants/o${n}.service`] = `-> ../o${n}.service`;
  }
  for (const n of numbers(DAEMONS)) {
    files[`${UNITS}/d${n}.service`] = '[Service]\nType=exec\nExecStart=/bin/sleep infinity\n';
    files[`${UNITS}/multi-user.target.wants/d${n}.service`] = `-> ../d${n}.service`;
  }
  return files;
}

/** Where done.service writes what stood in {@link BEGAN}, and the time, both as $EPOCHREALTIME. */
export const DONE = '/run/bench/done';
export const BEGAN = '/run/bench/began';

/** The thirty, and besides oneshots that many.target wants, and done.service, which comes after it. */
export function many(count = MANY): Files {
  const files = thirty();
  files['/run/bench/over'] = `read began <${BEGAN}; echo $began $EPOCHREALTIME >${DONE}.new; mv ${DONE}.new ${DONE}\n`;
  files[`${UNITS}/done.service`] =
    '[Unit]\nDefaultDependencies=no\nAfter=many.target\n[Service]\nType=oneshot\nExecStart=/bin/bash /run/bench/over\n';
  files[`${UNITS}/many.target`] = `[Unit]\nWants=${numbers(count)
    .map((n) => `many${n}.service`)
    .join(' ')}\n`;
  for (const n of numbers(count)) {
    files[`${UNITS}/many${n}.service`] =
      '[Unit]\nDefaultDependencies=no\nBefore=many.target\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/true\n';
  }
  return files;
}

/** Services of {@link sleepers} that are killed together with core: they run `sleep 4242`. */
export const VICTIMS = 5;
/** Where each of them writes the time, as $EPOCHREALTIME, whenever it is started. */
export const RISEN = '/run/bench/risen';

/** So many services that run on and on; each fourth has a notify socket. */
export function sleepers(count: number): Files {
  const files = thirty();
  for (const path of Object.keys(files)) if (/\/[od]\d+\.service$/.test(path)) delete files[path];
  files['/run/bench/rise'] = `echo $EPOCHREALTIME >>${RISEN}; exec sleep 4242\n`;
  for (const n of numbers(count)) {
    const isVictim = n < VICTIMS;
    const program = isVictim ? '/bin/bash /run/bench/rise' : '/bin/sleep infinity';
    files[`${UNITS}/s${n}.service`] =
      `[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\n${n % 4 === 1 ? 'NotifyAccess=all\n' : ''}ExecStart=${program}\nRestart=always\nRestartSec=0\n`;
    files[`${UNITS}/multi-user.target.wants/s${n}.service`] = `-> ../s${n}.service`;
  }
  return files;
}

/** The thirty for runit(8): no dependencies, so the marker waits with `sv start`, as its run scripts do. */
export function thirtyForRunit(): Files {
  const daemons = numbers(DAEMONS).map((n) => `/etc/service/d${n}`);
  const files: Files = {
    '/etc/runit/1': `#!/bin/sh\n${'/bin/true\n'.repeat(ONESHOTS)}`,
    '/etc/runit/2': '#!/bin/sh\nexec runsvdir /etc/service\n',
    '/etc/runit/3': '#!/bin/sh\n',
    '/etc/service/mark/run': `#!/bin/bash\nsv start ${daemons.join(' ')} >/dev/null\n. /run/bench/mark\nexec sleep infinity\n`,
  };
  for (const path of daemons) files[`${path}/run`] = '#!/bin/sh\nexec sleep infinity\n';
  return files;
}

/** The thirty for busybox's init: it starts one after the other and knows of no readiness, nor of any question. */
export function thirtyForBusybox(): Files {
  const lines = [
    ...numbers(ONESHOTS).map(() => '::sysinit:/bin/true'),
    ...numbers(DAEMONS).map(() => '::respawn:/bin/sleep infinity'),
    '::respawn:/bin/bash /run/bench/stay',
  ];
  return { '/etc/inittab': `${lines.join('\n')}\n`, '/run/bench/stay': '. /run/bench/mark\nexec sleep infinity\n' };
}
