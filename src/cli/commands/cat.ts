/** cat: unit files and drop-ins as they are on disk; of a masked unit, that it is masked. Source: systemctl(1), cat. */
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { expand } from '../names.ts';

interface Text {
  readonly path: string;
  readonly text: string;
}

/** Its file is empty or a link to /dev/null; drop-ins, which come after it, do not matter then. */
const isMasked = ([main]: readonly Text[]): boolean => main?.text === '' && !/\.d\/[^/]*$/.test(main.path);

export async function run(call: Call): Promise<number> {
  const { client, args, context, style } = call;
  const shown: { unit: string; files: readonly Text[] }[] = [];
  let status = 0;
  for (const unit of await expand(call, args)) {
    try {
      const { files } = await client.call<{ files: Text[] }>('io.sysmaster.Units.Cat', {
        name: unit,
      });
      shown.push({ unit, files });
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      context.err(
        `${error.short === 'NoSuchUnit' ? `No files found for ${unit}.` : `Failed to cat ${unit}: ${error.message}`}\n`,
      );
      status = 1;
    }
  }
  call.print(shown, () => {
    const lines: string[] = [];
    let first = true;
    for (const { unit, files } of shown) {
      if (isMasked(files)) {
        lines.push(style.grey(`# Unit ${unit} is masked.`));
        continue;
      }
      for (const { path, text } of files) {
        if (!first) lines.push('');
        first = false;
        lines.push(style.grey(`# ${path}`), ...text.replace(/\n$/, '').split('\n'));
      }
    }
    return lines;
  });
  return status;
}
