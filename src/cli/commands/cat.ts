/** cat: unit files and drop-ins as they are on disk. */
import { CallError } from '../client.ts';
import type { Call } from '../command.ts';
import { expand } from '../names.ts';

export async function run(call: Call): Promise<number> {
  const { client, args, context, style } = call;
  const shown: { unit: string; files: { path: string; text: string }[] }[] = [];
  let status = 0;
  for (const unit of await expand(call, args)) {
    try {
      const { files } = await client.call<{ files: { path: string; text: string }[] }>('io.sysmaster.Units.Cat', {
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
    const files = shown.flatMap((one) => one.files);
    return files.flatMap(({ path, text }, index) => [
      ...(index > 0 ? [''] : []),
      style.grey(`# ${path}`),
      ...text.replace(/\n$/, '').split('\n'),
    ]);
  });
  return status;
}
