/** Names of the errors that starting a process can end with (errno(3)); the numbers of Linux on every machine we run on. */
const NAMES: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  3: 'ESRCH',
  4: 'EINTR',
  5: 'EIO',
  6: 'ENXIO',
  7: 'E2BIG',
  8: 'ENOEXEC',
  9: 'EBADF',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  16: 'EBUSY',
  17: 'EEXIST',
  18: 'EXDEV',
  19: 'ENODEV',
  20: 'ENOTDIR',
  21: 'EISDIR',
  22: 'EINVAL',
  23: 'ENFILE',
  24: 'EMFILE',
  26: 'ETXTBSY',
  27: 'EFBIG',
  28: 'ENOSPC',
  30: 'EROFS',
  32: 'EPIPE',
  36: 'ENAMETOOLONG',
  38: 'ENOSYS',
  39: 'ENOTEMPTY',
  40: 'ELOOP',
  71: 'EPROTO',
  75: 'EOVERFLOW',
  95: 'EOPNOTSUPP',
  110: 'ETIMEDOUT',
};

/** The name of an errno, or `errno 123`; empty for 0, which is none. */
export const errnoName = (errno: number): string => (errno === 0 ? '' : (NAMES[errno] ?? `errno ${errno}`));

/** The number of an error by its name; undefined: it is none of these. */
export function errnoOf(name: string): number | undefined {
  const found = Object.entries(NAMES).find(([, one]) => one === name);
  return found === undefined ? undefined : Number(found[0]);
}

/** All of the names, by number. */
export const errnoNames = (): readonly string[] => Object.values(NAMES);
