/**
 * A core that does what it is told: started by the real init, it carries out calls of the real host's ports and tells what it
 * hears, one JSON a line, over the socket `puppet.sock` in its run directory.
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createNodeHost } from '../../src/host/node/index.ts';
import { HostError } from '../../src/host/ports.ts';
import { takeOver } from './world.ts';

const host = createNodeHost({ stateBytes: 64 * 1024, log: 'none' });
const socket = connect(join(host.facts.runDirectory, 'puppet.sock'));
const say = (what: unknown): void => void socket.write(`${JSON.stringify(what)}\n`);

say({ hello: host.hello, pid: process.pid });
takeOver(host);
host.start(
  (event) => say({ event }),
  () => host.init.beat(),
);
host.init.ready();
createInterface({ input: socket }).on('line', (line) => {
  const { call, port, method, args } = JSON.parse(line) as {
    call: number;
    port: string;
    method: string;
    args: unknown[];
  };
  const target = host[port as 'process'] as unknown as Record<string, (...args: unknown[]) => unknown>;
  try {
    say({ answer: call, value: target[method]?.(...args) });
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    say({ answer: call, code: error.code, message: error.message });
  }
  host.schedule();
});
