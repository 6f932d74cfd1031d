/** node:fs as the host uses it, with points before and after what changes files, and in the middle of a write. */
import * as real from 'node:fs';
import { systemCall, torn } from './points.ts';

export * from 'node:fs';

type Call = (...args: never[]) => unknown;
const guarded = <T extends Call>(name: string, call: T): T =>
  ((...args: never[]) => systemCall(name, () => call(...args))) as T;

export const chmodSync = guarded('chmod', real.chmodSync);
export const chownSync = guarded('chown', real.chownSync);
export const fchmodSync = guarded('fchmod', real.fchmodSync);
export const ftruncateSync = guarded('ftruncate', real.ftruncateSync);
export const mkdirSync = guarded('mkdir', real.mkdirSync);
export const renameSync = guarded('rename', real.renameSync);
export const rmSync = guarded('rm', real.rmSync);
export const rmdirSync = guarded('rmdir', real.rmdirSync);
export const symlinkSync = guarded('symlink', real.symlinkSync);
export const unlinkSync = guarded('unlink', real.unlinkSync);
export const writeFileSync = guarded('writeFile', real.writeFileSync);

/** Only where it may make a file. */
export const openSync = ((path: string, flags: number, mode?: number) =>
  (flags & real.constants.O_CREAT) === 0
    ? real.openSync(path, flags, mode)
    : systemCall('open', () => real.openSync(path, flags, mode))) as typeof real.openSync;

/** Of the forms of write(2) those that the host uses: bytes with offset, length and place. */
export const writeSync = ((fd: number, bytes: Uint8Array, offset: number, length: number, position: number | null) => {
  const half = Math.floor(length / 2);
  if (half > 0) torn('write', () => real.writeSync(fd, bytes, offset, half, position));
  return systemCall('write', () => real.writeSync(fd, bytes, offset, length, position));
}) as typeof real.writeSync;
