/** The real host, with points before and after each call of a port that changes the world. */
import * as real from '../../../src/host/node/index.ts';
import type { Host } from '../../../src/host/ports.ts';
import { foldsNow, livesBefore, portCall } from './points.ts';

/** As the simulator counts them (src/host/sim/core.ts), and what only the real world can lose. */
const CHANGING: Readonly<Record<string, readonly string[]>> = {
  process: ['spawn', 'kill', 'watch', 'accept', 'ack'],
  init: ['ready', 'shutdown', 'reexecCore', 'reexecInit'],
  sockets: ['listen', 'pipe', 'notify', 'drop', 'consume', 'flush', 'sendLog', 'offerLogs', 'watch', 'unwatch'],
  groups: ['ensure', 'remove', 'write', 'watch', 'unwatch'],
  files: ['writeText', 'mkdirs', 'symlink', 'remove', 'removeTree', 'watch', 'unwatch'],
  state: ['load', 'append', 'replace', 'begin', 'add', 'reserve', 'finish', 'makeVoid'],
  notes: ['append', 'replace'],
  loaded: ['append', 'replace'],
  helper: ['checkPaths'],
  paths: ['watch', 'unwatch'],
  api: ['send', 'close'],
};

function guard<Port extends object>(name: string, port: Port): Port {
  return new Proxy(port, {
    get(target, key) {
      const member = Reflect.get(target, key, target);
      if (typeof member !== 'function') return member;
      const call = (args: unknown[]) => Reflect.apply(member, target, args);
      if (CHANGING[name]?.includes(String(key)) !== true) return (...args: unknown[]) => call(args);
      return (...args: unknown[]) => portCall(`${name}.${String(key)}`, () => call(args));
    },
  });
}

/** The bound beyond which the journal is folded counts as reached now and then. */
function folding(state: Host['state']): Host['state'] {
  let now = false;
  return new Proxy(state, {
    get(target, key) {
      if (key === 'appendedBytes') return now ? Number.POSITIVE_INFINITY : target.appendedBytes;
      const member = Reflect.get(target, key, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (key === 'append') now = foldsNow();
        if (key === 'replace' || key === 'finish') now = false;
        return Reflect.apply(member, target, args);
      };
    },
  });
}

export function createNodeHost(options: real.NodeHostOptions): real.NodeHost {
  const host = real.createNodeHost(options);
  livesBefore(host.hello.cores);
  return {
    ...host,
    process: guard('process', host.process),
    init: guard('init', host.init),
    sockets: guard('sockets', host.sockets),
    groups: guard('groups', host.groups),
    files: guard('files', host.files),
    state: guard('state', folding(host.state)),
    notes: guard('notes', host.notes),
    loaded: guard('loaded', host.loaded),
    helper: guard('helper', host.helper),
    paths: guard('paths', host.paths),
    api: guard('api', host.api),
  };
}
