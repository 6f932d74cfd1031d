/** The addon, with points before and after what changes the world or takes something from it. */
import { addon as real } from '../../../src/host/node/addon.ts';
import { systemCall } from './points.ts';

export { EPOLL } from '../../../src/host/node/addon.ts';

const CHANGING = [
  'sendFrame',
  'receiveFrames',
  'takeDatagram',
  'sendMessage',
  'writeSome',
  'acceptUnix',
  'bindUnix',
  'bindInet',
  'listen',
  'makeFifo',
  'pipe',
  'drain',
  'allocate',
  'memoryFile',
  'inotifyAdd',
  'inotifyRead',
  'inotifyRemove',
  'leave',
] as const;

const guarded: Record<string, unknown> = {};
for (const name of CHANGING) {
  const call = real[name] as (...args: unknown[]) => unknown;
  guarded[name] = (...args: unknown[]) => systemCall(name, () => call(...args));
}

export const addon: typeof real = { ...real, ...guarded };
