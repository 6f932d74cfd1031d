/** What sctl prints of reasons, history, boots, cycles and stalls; and the block that is drawn while it waits. */
import { describe, expect, test } from 'vitest';
import type { Client } from '../../src/cli/client.ts';
import type { Call } from '../../src/cli/command.ts';
import { plot } from '../../src/cli/commands/analyze/plot.ts';
import { withUserNames } from '../../src/cli/output/cause.ts';
import { progressBlock, showProgress } from '../../src/cli/progress.ts';
import type { Job } from '../../src/cli/wire.ts';
import { fakeInsight } from './support/fake-insight.ts';
import { sctl } from './support/sctl.ts';

describe('why', () => {
  test('draws causes as a tree, and says what comes next', async () => {
    const { out, status } = await sctl().run('why idle');
    expect(status).toBe(0);
    expect(out.split('\n')[0]).toMatch(/^○ idle\.service is inactive \(dead\) since .*; 3min 5s ago$/);
    expect(out).toContain('└─job 12 (start idle.service) waits (3min 5s ago)');
    expect(out).toContain(
      'start idle.service waits for job 11 (start basic.target) [/etc/sysmaster/system/idle.service:4]',
    );
    expect(out).toContain('next: when job 11 is over, it is asked to start');
  });

  test('takes the number of a job, and refuses one that is not there', async () => {
    expect((await sctl().run('why 12')).out).toContain('job 12 (start idle.service) waits');
    const { err, status } = await sctl().run('why 999');
    expect(err).toContain('Job 999 does not exist.');
    expect(status).not.toBe(0);
  });

  test('why-not of what runs ends with 1, for scripts', async () => {
    expect((await sctl().run('why-not web')).status).toBe(1);
    expect((await sctl().run('why-not idle')).status).toBe(0);
  });

  test('users are shown by name where they have one', () => {
    const names = (uid: string) => ({ '0': 'root', '1000': 'ada' })[uid];
    expect(withUserNames('asked for by uid 0 (login uid 1000), pid 4', names)).toBe(
      'asked for by root (uid 0) (login ada (uid 1000)), pid 4',
    );
    expect(withUserNames('uid 77, pid 4', names)).toBe('uid 77, pid 4');
  });

  test('strangers may ask', async () => expect((await sctl(1000).run('why web')).status).toBe(0));
});

describe('history', () => {
  test('one line a record, the oldest first, with its cause', async () => {
    const { out } = await sctl().run('history web');
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(4); // what concerns core concerns every unit
    expect(lines[0]).toMatch(/ web\.service: start web\.service; .*pid 41 \(sctl start web\)$/);
    expect(lines[2]).toContain('inactive → active (running); process 40 was started');
    expect(lines[3]).toContain('core came back with its state');
  });

  test('-n takes the newest, --reverse turns the order', async () => {
    expect((await sctl().run('history -n 1')).out).toContain('process 77');
    const { out } = await sctl().run('history --reverse');
    expect(out.split('\n')[0]).toContain('process 77');
  });

  test('is data as well', async () => {
    const records = JSON.parse((await sctl().run('history -o json')).out);
    expect(records[0]).toMatchObject({ number: 1, kind: 'request', unit: 'web.service' });
  });
});

test.each(['why', 'why-not'])(
  '%s: a pattern that nothing matches, and a form that it has not, are errors',
  async (word) => {
    expect(await sctl().run(`${word} nosuch*`)).toMatchObject({
      out: '',
      err: 'No units in memory match nosuch*.\n',
      status: 1,
    });
    expect(await sctl().run(`${word} web -o dot`)).toMatchObject({
      out: '',
      err: `-o dot: ${word} has no such form; use text or json.\n`,
      status: 1,
    });
    expect((await sctl().run(`${word} web -o tree`)).err).toBe('');
  },
);

describe('analyze', () => {
  test('time speaks as systemd-analyze does', async () => {
    expect((await sctl().run('analyze time')).out).toBe(
      'Startup finished in 5s (userspace) \nmulti-user.target reached after 4.900s in userspace.\n',
    );
    expect((await sctl().run('analyze')).out).toBe((await sctl().run('analyze time')).out);
  });

  test('blame lists the slowest first', async () => {
    expect((await sctl().run('analyze blame')).out).toBe('4.300s web.service\n3.500s slow.service\n');
  });

  test('critical-chain follows the unit that came up last', async () => {
    const { out } = await sctl().run('analyze critical-chain');
    expect(out.split('\n').slice(3)).toEqual([
      'multi-user.target @4.900s',
      '└─web.service @500ms +4.300s',
      '  └─slow.service @500ms +3.500s',
      '',
    ]);
    expect((await sctl().run('analyze critical-chain --fuzz=10s web')).out).toContain('basic.target @400ms');
    expect((await sctl().run('analyze critical-chain nowhere')).status).toBe(1);
    expect((await sctl().run('analyze critical-chain --fuzz=soon')).err).toContain('not a time span');
  });

  test('a boot that is not over has no times yet', async () => {
    const world = sctl();
    const insight = world.manager.insight;
    const times = { ...insight.times(), finishedUs: undefined };
    Object.assign(world.manager, { insight: { ...insight, times: () => times } });
    const { err, status } = await world.run('analyze blame');
    expect(err).toContain('Bootup is not yet finished');
    expect(status).toBe(1);
  });

  test('plot is a well-formed picture with a bar for each unit that came up', async () => {
    const { out } = await sctl().run('analyze plot');
    expect(out).toMatch(/^<\?xml[^>]*>\n<svg [^>]*>/);
    expect(out.trimEnd().endsWith('</svg>')).toBe(true);
    for (const name of ['web.service (4.300s)', 'slow.service (3.500s)', 'basic.target']) expect(out).toContain(name);
    expect(out).not.toContain('idle.service');
    expect(plot(fakeInsight().times(), '<&"').join('\n')).toContain('&lt;&amp;&quot;');
  });

  test('cycles shows each ring with its places, and the cut', async () => {
    const { out, status } = await sctl().run('analyze cycles');
    expect(status).toBe(1);
    expect(out).toBe(
      [
        'ordering cycle of 2 units: idle.service, web.service',
        '  ring 1:  idle.service after web.service (/etc/sysmaster/system/idle.service:2)',
        '           web.service after idle.service (/etc/sysmaster/system/web.service:3)',
        '  cut:     web.service after idle.service (/etc/sysmaster/system/web.service:3): the weakest of the ring: written down, but neither unit needs the other',
        '',
      ].join('\n'),
    );
    expect(await sctl().run('analyze cycles basic.target')).toMatchObject({
      out: 'No ordering cycle holds basic.target.\n',
      status: 0,
    });
  });

  test('stall shows the ring and the way out', async () => {
    const { out, status } = await sctl().run('analyze stall');
    expect(status).toBe(1);
    expect(out).toContain('jobs wait in a ring: idle.service → basic.target → idle.service');
    expect(out).toContain('way out: cancel one of these jobs');
  });
});

describe('status', () => {
  test('the header of the system tells of a stall', async () => {
    expect((await sctl().run('status')).out).toContain('Stall: jobs wait in a ring');
  });

  test('a unit shows that an ordering of it was cut', async () => {
    expect((await sctl().run('status idle')).out).toContain(
      'Cut: web.service after idle.service (/etc/sysmaster/system/web.service:3) is not honoured',
    );
  });
});

describe('progress', () => {
  const at = (seconds: number) => ({ realUs: 0, monotonicUs: seconds * 1e6 });
  const job = (id: number, unit: string, more: Partial<Job>): Job => ({
    id,
    unit,
    type: 'start',
    state: 'waiting',
    mode: 'replace',
    by: '',
    created: at(0),
    waits: [],
    ...more,
  });
  const jobs = [
    job(1, 'db.service', {
      state: 'running',
      started: at(2),
      waits: [{ why: 'db.service waits for READY=1 of ExecStart=: process 77 (db) sleeps', pid: 77 }],
    }),
    job(2, 'web.service', { waits: [{ why: 'y', job: 1, unit: 'db.service' }] }),
  ];

  test('names what runs and what waits for what, the units that were asked for first', () => {
    expect(progressBlock(jobs, new Set(['web.service']), 12e6, 80)).toEqual([
      '2 jobs: 1 running, 1 waiting',
      '  start web.service       12s  waits for db.service (job 1)',
      '  start db.service        10s  waits for READY=1 of ExecStart=: process 77 (db)…',
    ]);
  });

  test('no line is longer than the terminal, and no more than a few jobs are named', () => {
    const many = Array.from({ length: 50 }, (_, id) => job(id, `a-rather-long-name-${id}.service`, {}));
    const block = progressBlock(many, new Set(), 1e6, 30);
    expect(Math.max(...block.map((line) => line.length))).toBe(30);
    expect(block).toHaveLength(10);
  });

  const call = (terminal: boolean, wrote: string[], more: Partial<Call> = {}) =>
    ({
      quiet: false,
      json: false,
      ...more,
      context: {
        terminal,
        columns: 80,
        env: {},
        monotonicUs: () => 12e6,
        pause: () => new Promise((resolve) => setImmediate(resolve)),
        err: (text: string) => void wrote.push(text),
      },
    }) as unknown as Call;
  const another = (asked: () => void) =>
    ({
      call: async () => {
        asked();
        return { jobs };
      },
      close: () => {},
    }) as unknown as Client;

  test('is drawn over itself on a terminal and removed at the end', async () => {
    const wrote: string[] = [];
    let count = 0;
    const drawn = new Promise<void>((resolve) => {
      const progress = showProgress(call(true, wrote), ['web.service'], () =>
        another(() => {
          count += 1;
          if (count === 3) void progress.end().then(() => resolve());
        }),
      );
    });
    await drawn;
    expect(wrote[0]).toContain('2 jobs: 1 running');
    expect(wrote[1]?.startsWith('\u001b[3F\u001b[J')).toBe(true);
    expect(wrote.at(-1)).toBe('\u001b[3F\u001b[J');
  });

  test('nothing is drawn where there is no terminal, and nobody is asked', async () => {
    const wrote: string[] = [];
    const fail = () => {
      throw new Error('asked');
    };
    await showProgress(call(false, wrote), [], fail).end();
    await showProgress(call(true, wrote, { quiet: true }), [], fail).end();
    await showProgress(call(true, wrote, { json: true }), [], fail).end();
    expect(wrote).toEqual([]);
  });
});
