/** snapshot diff A B: 0 where there is no difference, else 1, as diff(1) has it. */
import type { Call } from '../../command.ts';
import { type Difference, differences, type Snapshot } from './snapshot.ts';

const LABELS: Readonly<Record<Difference['field'], string>> = {
  there: '',
  active: '',
  load: 'load ',
  file: 'unit file ',
  settings: 'settings ',
};

export async function run(call: Call): Promise<number> {
  const { client, args, style } = call;
  const [a = '', b = 'now'] = args;
  const get = async (name: string) =>
    (await client.call<{ snapshot: Snapshot }>('io.sysmaster.Snapshots.Get', { name })).snapshot;
  const [before, after] = [await get(a), await get(b)];
  const found = differences(before, after);
  const short = ({ field }: Difference, text: string) => (field === 'settings' ? text.slice(0, 12) : text) || 'none';
  call.print(found, () => {
    const lines = found.map((one) => {
      const [was, is] = [short(one, one.before), short(one, one.after)];
      return `${style.bold(one.unit)}: ${LABELS[one.field]}${was} → ${is}`;
    });
    if (before.machineId !== after.machineId)
      lines.unshift(`They are of two machines: ${before.machineId} and ${after.machineId}.`);
    return lines.length === 0 ? [`No difference between ${a} and ${b}.`] : lines;
  });
  return found.length === 0 ? 0 : 1;
}
