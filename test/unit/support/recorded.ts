/** The real core on a virtual kernel, with units that fail, and what its flight recorder holds. */
import { createCore } from '../../../src/core.ts';
import type { Host } from '../../../src/host/ports.ts';
import { createSim, type Sim } from '../../../src/host/sim/index.ts';
import { RECORDER_BOUNDS, type Recording } from '../../../src/supervisor/index.ts';
import { simOptions } from '../../simulation/machine.ts';

const broken = '[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/broken\n';

/** Services, of which those of the usual text fail, wanted by the boot. */
export function machine(
  units: readonly string[],
  faulty?: (host: Host) => Host,
  more: Partial<Parameters<typeof createCore>[1]> = {},
  text = broken,
): Sim {
  const options = simOptions({
    units: {
      ...Object.fromEntries(units.map((name) => [name, text])),
      'default.target': `[Unit]\nDefaultDependencies=no\nWants=${units.join(' ')}\n`,
    },
    programs: {
      '/bin/broken': { run: [{ after: 10, exit: 3 }] },
      '/bin/steady': { on: { 15: [{ after: 10, exit: 0 }] } },
    },
  });
  const sim = createSim(options);
  sim.boot((given) => {
    const host = faulty?.(given) ?? given;
    createCore(host, { version: 'simulated', libDirectory: '/lib', logs: false, recordings: true, ...more }).start();
  });
  return sim;
}

/** What the recorder of a running core holds. */
export function held(sim: Sim): Recording {
  const client = sim.client();
  client.send(JSON.stringify({ method: 'io.sysmaster.Recorder.Get' }));
  sim.run(10);
  return (JSON.parse(client.received[0] ?? '{}') as { parameters: { recording: Recording } }).parameters.recording;
}

/** Enough goes on, of all sorts, that each part of the engine is asked for: restarts, cycles, conflicts, a reload, units that go. */
export function busy(recorder = () => RECORDER_BOUNDS): Sim {
  const quick = (unit: string) =>
    `[Unit]\nDefaultDependencies=no\n${unit}\n[Service]\nType=oneshot\nExecStart=/bin/ok\n`;
  const sim = createSim(
    simOptions({
      units: {
        'default.target': '[Unit]\nDefaultDependencies=no\nWants=a.service x.service ask-password.service\n',
        'a.service': quick('Wants=b.service\nAfter=b.service\nOnFailure=help.service'),
        'b.service': quick('Wants=c.service\nAfter=c.service'),
        'c.service': quick('Requires=a.service\nAfter=a.service\nConflicts=x.service'),
        'x.service': broken.replace('[Service]', '[Service]\nRestart=on-failure\nRestartSec=50ms'),
        'help.service': quick('CollectMode=inactive-or-failed'),
        'ask-password.service': `${quick('')}RemainAfterExit=yes\n`,
        'group.target': '[Unit]\nWants=member.service\n[X-Supervisor]\nIntensity=1\n',
        'member.service': broken.replace('[Service]', '[Service]\nRestart=always'),
      },
      programs: {
        '/bin/broken': { run: [{ after: 10, exit: 3 }] },
        '/bin/ok': { run: [{ after: 10, exit: 0 }] },
      },
    }),
  );
  sim.boot((host) => createCore(host, { version: 'simulated', libDirectory: '/lib', logs: false, recorder }).start());
  const ask = (atMs: number, method: string, parameters: object) =>
    sim.at(atMs, () =>
      sim
        .client()
        .send(
          JSON.stringify({ method: `io.sysmaster.${method}`, parameters: { ...parameters, requestId: `${atMs}` } }),
        ),
    );
  ask(300, 'Jobs.Request', { verb: 'start', units: ['group.target'], mode: 'replace' });
  ask(700, 'Jobs.Request', { verb: 'restart', units: ['a.service', 'ask-password.service'], mode: 'replace' });
  ask(900, 'Manager.Reload', {});
  ask(1100, 'Jobs.Request', { verb: 'isolate', units: ['ask-password.service'], mode: 'replace' });
  ask(1300, 'Jobs.Request', { verb: 'stop', units: ['ask-password.service', 'no-such.service'], mode: 'replace' });
  sim.run(3_000);
  return sim;
}
