/** findings: everything that is wrong or not honoured in unit files, with the place and what to do. */
import type { Call } from '../command.ts';
import { unitName } from '../names.ts';
import { findingLine } from '../output/finding.ts';
import type { Finding } from '../wire.ts';

export async function run(call: Call): Promise<number> {
  const { client, args, style } = call;
  const unit = args[0] === undefined ? undefined : unitName(args[0]);
  const { findings } = await client.call<{ findings: (Finding & { unit: string })[] }>(
    'io.sysmaster.Manager.Findings',
    { unit },
  );
  call.print(findings, () =>
    findings.map((finding) => `${finding.file === '' ? `${finding.unit}: ` : ''}${findingLine(finding, style)}`),
  );
  return findings.some(({ severity }) => severity === 'error') ? 1 : 0;
}
