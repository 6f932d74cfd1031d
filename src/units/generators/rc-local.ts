/**
 * /etc/rc.local at boot, where there is one that can be run. Source: systemd-rc-local-generator(8); compared with Debian's program.
 */
import type { GeneratorWorld } from './index.ts';
import { type Generated, Output } from './output.ts';

const PATH = '/etc/rc.local';

export function rcLocal(world: GeneratorWorld): Generated {
  const out = new Output('systemd-rc-local-generator', PATH);
  const stat = world.files.stat(PATH);
  if (stat === undefined) return out;
  if (!world.files.access(PATH, 'x')) out.say('note', PATH, 'is not executable, so it is not run', `chmod +x ${PATH}`);
  else out.link('normal', 'multi-user.target', 'wants', 'rc-local.service', 'rc-local.service');
  return out;
}
