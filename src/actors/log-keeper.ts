/**
 * The log keeper as a unit of its own: written by core, so that it is there whatever the unit path is.
 *
 * It is started before all else, is never stopped by a transaction, and is offered every log pipe again whenever it or core is new.
 */
import type { Host } from '../host/ports.ts';
import { HostError } from '../host/ports.ts';

export const LOG_KEEPER = 'sysmaster-logs.service';

/** Where `UNIT.log` files are. */
export const logDirectory = (host: Host): string => `${host.facts.runDirectory}/log`;

/** Write its unit file, if it is not there as it should be. @param program absolute path of logd */
export function writeLogKeeper(host: Host, program: string, directory: string): void {
  const run = host.facts.runDirectory;
  const devLog = host.hello.role === 'subreaper' ? '' : ' --dev-log /dev/log';
  const text = `# Written by core.
[Unit]
Description=Keeps what services write
DefaultDependencies=no
IgnoreOnIsolate=yes
RefuseManualStop=yes
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=${program} ${run} ${logDirectory(host)}${devLog}
Restart=always
RestartSec=200ms
StandardOutput=append:${run}/logs.stderr
StandardError=append:${run}/logs.stderr
TimeoutStopSec=10
`;
  const path = `${directory}/${LOG_KEEPER}`;
  try {
    if (host.files.readText(path) === text) return;
    host.files.mkdirs(directory, 0o755);
    host.files.writeText(path, text, 0o644);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    host.log.log(
      'error',
      { path, errno: error.code },
      'the unit of the log keeper cannot be written; what services write is not kept',
    );
  }
}
