/** version: of sctl, and of the manager if there is one. */
import project from '../../../package.json' with { type: 'json' };
import type { Call } from '../command.ts';
import { CliError } from '../context.ts';
import type { ManagerState } from '../wire.ts';

/** The project's version; a bundler puts it in. */
export const VERSION: string = project.version;

/** Set by the bundler; the source tree has none. Names the sources to the letter. */
declare const SYSMASTER_BUILD: string | undefined;

/** As core names itself in a recording. */
export const programVersion = (): string =>
  typeof SYSMASTER_BUILD === 'undefined' ? VERSION : `${VERSION} ${SYSMASTER_BUILD}`;

export async function run(call: Call): Promise<number> {
  let manager: string | undefined;
  let why = '';
  try {
    ({
      manager: { version: manager },
    } = await call.client.call<{ manager: ManagerState }>('io.sysmaster.Manager.Get'));
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    why = error.message;
  }
  call.print({ sctl: VERSION, manager: manager ?? null }, () => [
    `sctl ${VERSION}`,
    manager === undefined ? `no manager: ${why}` : `sysMaster ${manager}`,
  ]);
  return 0;
}
