/** Something else in the places of core's own files: never followed, never written to, never fatal, and always told. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type System, systemsMissing } from '../support/system.ts';
import { bootSmall, property } from './small.ts';

const missing = systemsMissing();
/** A core that does not come back is known to be lost after so many seconds. */
const PATIENCE = 20;

/** Says READY=1, and then the text of each new /run/word. */
const WORD = `#!/usr/bin/perl
use strict;
use IO::Socket::UNIX;
my ($how) = @ARGV;
sub connected { IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET}) }
my $open = connected() or die "$ENV{NOTIFY_SOCKET}: $!";
$open->send('READY=1') or die $!;
my $said = '';
while (1) {
  select(undef, undef, undef, 0.05);
  open(my $in, '<', '/run/word') or next;
  my $word = <$in> // '';
  next if $word eq $said;
  my $to = $how eq 'open' ? $open : connected();
  $said = $word if defined $to && $to->send("STATUS=$word");
}
`;

describe.skipIf(missing !== undefined)(
  `something else in core's places${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let system: System;
    let pid: string;
    const servers: Server[] = [];
    const own = (name: string) => join(system.run, 'sysmaster', name);
    const victim = (name: string) => join(system.run, 'victims', name);

    beforeAll(async () => {
      system = await bootSmall({
        units: {
          'steady.service': '[Service]\nExecStart=/bin/sleep 100000\n',
          // One asks for its socket each time, the other has it open.
          'anew.service': `[Service]\nType=notify\nNotifyAccess=all\nExecStart=/run/programs/word.pl anew\n`,
          'open.service': `[Service]\nType=notify\nNotifyAccess=all\nExecStart=/run/programs/word.pl open\n`,
          'fails.service': '[Service]\nExecStart=/bin/false\n',
        },
        wants: ['steady.service', 'anew.service', 'open.service'],
        files: { '/run/victims/file': 'precious', '/run/programs/word.pl': WORD },
      });
      pid = property(system, 'steady.service', 'MainPID');
      expect(Number(pid)).toBeGreaterThan(1);
    });
    afterAll(async () => {
      for (const server of servers) server.close();
      if (system !== undefined) expect(await system.stop()).toBe(true);
    });

    /** Core ends, and the next one answers and has the service. */
    async function nextCore(): Promise<void> {
      const old = await eventually('core', () => system.core());
      process.kill(old, 'SIGKILL');
      await eventually(
        'the next core answers',
        () => {
          const now = system.core();
          if (
            now === undefined ||
            now === old ||
            lstatSync(own('api.sock'), { throwIfNoEntry: false })?.isSocket() !== true
          )
            return false;
          return system.sctl('is-active', 'steady.service').status === 0;
        },
        PATIENCE,
      );
      expect(property(system, 'steady.service', 'MainPID')).toBe(pid);
      expect(readFileSync(victim('file'), 'utf8')).toBe('precious');
      expect(readdirSync(join(system.run, 'victims'))).toEqual(['file']);
    }

    const isFile = (found: Stats) => found.isFile();
    const isSocket = (found: Stats) => found.isSocket();
    const places: readonly (readonly [name: string, isOwn: (found: Stats) => boolean])[] = [
      ['core.stderr', isFile],
      ['core.log', isFile],
      ['api.sock', isSocket],
      ['recordings', (found) => found.isDirectory()],
      ['notify', (found) => found.isDirectory()],
      ['transient', (found) => found.isDirectory()],
    ];

    test.each<[string, (path: string) => void | Promise<void>, readonly string[]]>([
      ['a pipe', (path) => void expect(spawnSync('mkfifo', [path]).status).toBe(0), []],
      [
        'a directory with something in it',
        (path) => void mkdirSync(join(path, 'below'), { recursive: true }),
        ['recordings', 'notify', 'transient'],
      ],
      ['a symbolic link to a file', (path) => symlinkSync('/run/victims/file', path), []],
      ['a symbolic link to a directory', (path) => symlinkSync('/run/victims', path), []],
      ['another name of a file', (path) => linkSync(victim('file'), path), []],
      [
        'a socket',
        (path) =>
          new Promise<void>((resolve) => {
            servers.push(createServer().listen(path, resolve));
          }),
        ['api.sock'],
      ],
    ])('%s at each of them is put aside, and said', async (_what, plant, except) => {
      const planted = places.filter(([name]) => !except.includes(name));
      for (const [name] of planted) {
        rmSync(own(name), { recursive: true, force: true });
        await plant(own(name));
      }
      writeFileSync(own('state/a name\nof two lines'), '');
      const before = readdirSync(own('.'));
      await nextCore();
      // A failure is a reason to write a recording.
      system.sctl('start', 'fails.service');
      const aside = readdirSync(own('.')).filter((name) => !before.includes(name) && /\.aside-\d+$/.test(name));
      const status = system.sctl('status').stdout;
      for (const [name, isOwn] of planted) {
        const [moved] = aside.filter((one) => one.startsWith(`${name}.aside-`));
        expect(moved, `${name} in ${aside}`).toBeDefined();
        expect(status).toMatch(new RegExp(`Trouble: .*/${name}: .*${moved}`));
        if (name === 'recordings' || name === 'transient') continue;
        expect(isOwn(lstatSync(own(name))), name).toBe(true);
      }
      expect(status).toMatch(/Trouble: .*\/state: 1 that are not core's own, among them "a name\\nof two lines"/);
      expect(readFileSync(own('core.log'), 'utf8')).toMatch(/"msg":"/);
    });

    test('a circle of links in the unit path keeps nobody from starting, reloading or asking', () => {
      rmSync(own('transient'), { recursive: true, force: true });
      symlinkSync('transient', own('transient'));
      writeFileSync(join(system.run, 'units/fresh.service'), '[Service]\nExecStart=/bin/sleep 100000\n');
      for (const words of [['start', 'fresh.service'], ['daemon-reload'], ['restart', 'fresh.service'], ['status']])
        expect([words, system.sctl(...words).status]).toEqual([words, 0]);
      expect(system.sctl('start', 'nowhere.service').status).toBe(5);
      rmSync(own('transient'));
    });

    test.each<[string, (path: string) => void]>([
      ['a file', (path) => writeFileSync(path, 'x')],
      ['a symbolic link to a directory', (path) => symlinkSync('/run/victims', path)],
      ['a pipe', (path) => void expect(spawnSync('mkfifo', [path]).status).toBe(0)],
    ])('%s in place of the run directory or the state directory', async (what, plant) => {
      rmSync(own('state'), { recursive: true });
      plant(own('state'));
      await nextCore();
      expect(system.sctl('status').stdout).toMatch(/Trouble: .*sysmaster\/state: .*state\.aside-\d/);
      expect(system.sctl('status').stdout).not.toMatch(/Disk: /);
      const moved = join(system.run, 'moved');
      renameSync(join(system.run, 'sysmaster'), moved);
      plant(join(system.run, 'sysmaster'));
      await nextCore();
      expect(system.sctl('status').stdout).toMatch(/Trouble: .*\/run\/sysmaster: .*\/run\/sysmaster\.aside-\d/);
      expect(existsSync(own('core.log'))).toBe(true);
      rmSync(moved, { recursive: true });
      // What services have to say is heard all the same, by this core and by the next.
      for (const word of [`${what}, once`, `${what}, twice`]) {
        writeFileSync(join(system.run, 'word.new'), word);
        renameSync(join(system.run, 'word.new'), join(system.run, 'word'));
        for (const name of ['anew', 'open'])
          await eventually(
            `${name} is heard`,
            () => property(system, `${name}.service`, 'StatusText') === word,
            PATIENCE,
          );
        await nextCore();
      }
    });
  },
);
