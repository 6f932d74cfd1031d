/**
 * Errors by name and number.
 * Source: errno(3), the numbers of Linux on x86, ARM and RISC-V; systemd.exec(5), SystemCallErrorNumber=.
 */

import { parseInteger } from './scalar.ts';

/** From 1 on; `-` where a number has no name. */
const NAMES = `
EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST
EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM
ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG
EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET
ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG
ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE
EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE
EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN
ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL
EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD
ENOTRECOVERABLE ERFKILL EHWPOISON`;

/** Second names of the same number. */
const ALSO: readonly (readonly [name: string, number: number])[] = [
  ['EWOULDBLOCK', 11],
  ['EDEADLOCK', 35],
  ['ENOTSUP', 95],
];

/** The greatest number that the kernel can answer with. */
const ERRNO_MAX = 4095;

let names: readonly string[] | undefined;
let numbers: ReadonlyMap<string, number> | undefined;

function byNumber(): readonly string[] {
  names ??= ['', ...NAMES.trim().split(/\s+/)];
  return names;
}

/** `EPERM` in any case or `1`, up to 4095; undefined: not an error. 0 is one to this function, though few settings can use it. */
export function parseErrno(text: string): number | undefined {
  if (/^[+0-9]/.test(text)) return parseInteger(text, 0, ERRNO_MAX);
  numbers ??= new Map([...byNumber().map((name, number) => [name, number] as const), ...ALSO]);
  return text === '' || text === '-' ? undefined : numbers.get(text.toUpperCase());
}

/** `EPERM`; a number without a name stays a number. */
export function errnoText(number: number): string {
  const name = number > 0 ? byNumber()[number] : undefined;
  return name === undefined || name === '-' ? String(number) : name;
}
