/** The completion scripts in real shells: bash at a terminal, as a person uses it; fish and zsh where they are installed. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type Running, SCTL, start, type World, world } from './program.ts';

let here: World;
let env: Record<string, string>;
beforeAll(async () => {
  here = world();
  await here.core();
  const bin = join(here.directory, 'bin');
  mkdirSync(bin);
  symlinkSync(SCTL, join(bin, 'sctl'));
  env = {
    SYSMASTER_SOCKET: here.socket,
    PATH: `${bin}:${dirname(process.execPath)}:${process.env['PATH']}`,
    TERM: 'dumb',
    HOME: here.directory,
    LC_ALL: 'C.UTF-8',
  };
  for (const shell of ['bash', 'zsh', 'fish'])
    writeFileSync(join(here.directory, `sctl.${shell}`), (await here.sctl('completion', shell)).out);
});
afterAll(async () => {
  await here.close();
});

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** Complete words in a shell that sits at a terminal of its own (script(1)); the line that is asked about is echoed by the shell. */
async function typed(setup: string, line: string): Promise<string> {
  const shell: Running = start('script', ['-qec', 'bash --norc --noprofile -i', '/dev/null'], env, 'pipe');
  const input = shell.child.stdin!;
  try {
    input.write(
      `PS1='ready> '; bind 'set enable-bracketed-paste off'; bind 'set completion-query-items 0'; bind 'set page-completions off'; bind 'set show-all-if-ambiguous on'; ${setup}; echo set''up\n`,
    );
    await eventually('the shell is ready', () => /setup\r?\nready> $/.test(shell.wrote().out));
    const before = shell.wrote().out.length;
    // The answer to the key comes before the answer to the mark, which is a comment to bash.
    input.write(`${line}\t #mark`);
    await eventually('the mark is echoed', () => shell.wrote().out.slice(before).includes('#mark'));
    return shell.wrote().out.slice(before).replaceAll('\r', '').replaceAll('\u0007', '').replace('#mark', '');
  } finally {
    shell.child.kill('SIGKILL');
    await shell.ended;
  }
}

describe.skipIf(!has('script'))('bash', () => {
  const plain = () => `source ${here.directory}/sctl.bash`;
  const withPackage = () => `source /usr/share/bash-completion/bash_completion; ${plain()}`;

  const lines: [string, string | string[]][] = [
    ['sctl is-ena', 'sctl is-enabled '],
    ['sctl stop we', ['web.service', 'web.socket']],
    ['sctl stop web.ser', 'sctl stop web.service '],
    ['sctl start id', 'sctl start idle.service '],
    ['sctl -q is-active ba', 'sctl -q is-active basic.target '],
    ['sctl reset-failed ', 'sctl reset-failed crash.service '],
    ['sctl list-units --ty', 'sctl list-units --type='],
    ['sctl list-units --type=sock', 'sctl list-units --type=socket '],
    ['sctl list-units -t sli', 'sctl list-units -t slice '],
    ['sctl kill -s SIGHU', 'sctl kill -s SIGHUP '],
    ['sctl completion f', 'sctl completion fish '],
    ['sctl show web.service -p SuccessExitS', 'sctl show web.service -p SuccessExitStatus '],
    ['sctl show web.socket --property=Id,FileDesc', 'sctl show web.socket --property=Id,FileDescriptorName '],
    ['sctl show --property KeepAliveP', 'sctl show --property KeepAliveProbes '],
    ['sctl snapshot res', 'sctl snapshot restore '],
    ['sctl snapshot restore bef', 'sctl snapshot restore before-lunch '],
    ['sctl analyze critical-chain id', 'sctl analyze critical-chain idle.service '],
    ['sctl analyze exit-status NOTINST', 'sctl analyze exit-status NOTINSTALLED '],
    ['sctl plan start id', 'sctl plan start idle.service '],
  ];

  test.each(lines)('%s<Tab> becomes %s', async (line, wanted) => {
    const out = await typed(plain(), line);
    for (const word of [wanted].flat()) expect(out).toContain(word);
  });

  test.skipIf(spawnSync('test', ['-e', '/usr/share/bash-completion/bash_completion']).status !== 0).each(lines)(
    '%s<Tab> does so with the package bash-completion',
    async (line, wanted) => {
      const out = await typed(withPackage(), line);
      for (const word of [wanted].flat()) expect(out).toContain(word);
    },
  );
});

describe.skipIf(!has('fish'))('fish', () => {
  test.each([
    ['sctl is-ena', ['is-enabled']],
    ['sctl stop we', ['web.service', 'web.socket']],
    ['sctl list-units --ty', ['--type=']],
    ['sctl list-units -t sock', ['socket']],
    ['sctl show -p SuccessExitS', ['SuccessExitStatus']],
    ['sctl snapshot restore bef', ['before-lunch']],
    ['sctl analyze ver', ['verify']],
  ])('%s<Tab> offers %j', (line, wanted) => {
    const { stdout } = spawnSync(
      'fish',
      ['--no-config', '-c', `source ${here.directory}/sctl.fish; complete -C '${line}'`],
      { env, encoding: 'utf8' },
    );
    expect(stdout.split('\n').map((found) => found.split('\t')[0])).toEqual(expect.arrayContaining(wanted));
  });
});

describe.skipIf(!has('zsh'))('zsh', () => {
  test('the script is loaded without complaint', () => {
    const { status, stdout, stderr } = spawnSync(
      'zsh',
      [
        '-f',
        '-c',
        `autoload -Uz compinit; compinit -u -d ${here.directory}/zdump; source ${here.directory}/sctl.zsh; print -r -- $_comps[sctl]`,
      ],
      { env, encoding: 'utf8' },
    );
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '_sctl\n', stderr: '' });
  });
});
