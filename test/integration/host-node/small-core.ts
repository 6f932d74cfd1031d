/**
 * A core of a few lines, run by the real init in init.test.ts: it writes what it sees, one JSON a line, to the file `seen` in its
 * run directory. Its first life sets things up and kills itself; its second goes on from what init kept; then it ends the system.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNodeHost } from '../../../src/host/node/index.ts';

const host = createNodeHost({ stateBytes: 64 * 1024 });
const run = host.facts.runDirectory;
const see = (what: unknown): void => appendFileSync(join(run, 'seen'), `${JSON.stringify(what)}\n`);
const second = host.hello.fds.includes('listener');
let seq = second ? 100 : 0;
const id = () => {
  seq += 1;
  return { epoch: 1, seq, index: 0 };
};

see({ hello: host.hello });
see({ state: host.state.load() });
if (!second) host.state.replace('the image');
host.init.mark(42, 2, 'the actor');
host.start(
  (event) => {
    see(event);
    if (event.type === 'record') {
      const { number, what } = event.record;
      if ('exited' in what && !second) {
        // Not acknowledged: the next core has to be told again.
        process.kill(process.pid, 'SIGKILL');
      }
      host.process.ack(number);
      if ('accepted' in what) host.init.shutdown('exit', 5000, true, 3, '');
    }
    if (event.type === 'readable' && event.name === 'listener') host.process.accept(id(), 'listener', 'connection');
  },
  () => host.init.beat(),
);
host.init.ready();
if (!second) {
  host.sockets.listen(id(), 'listener', {
    kind: 'stream',
    address: join(run, 'listener.sock'),
    backlog: 8,
    socketMode: 0o600,
    directoryMode: 0o755,
    user: '',
    group: '',
    options: {},
  });
  host.sockets.notify(id(), 'notify', join(run, 'notify'));
  host.sockets.pipe(id(), 'output');
  host.state.append('a record');
  const spec = {
    version: 1,
    unit: 'job',
    path: '/bin/sh',
    argv: ['sh', '-c', 'echo words; exit 7'],
    stdout: { fd: 0 },
  } as const;
  host.process.spawn(id(), 'job', spec, ['output:w']);
} else {
  see({ inspect: host.process.inspect(process.pid)?.ppid });
  host.sockets.notify(id(), 'notify', join(run, 'notify'));
  host.sockets.watch('listener');
  see('watching');
}
