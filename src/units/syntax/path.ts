/** Paths as settings take them: absolute, without `..`, simplified. Source: systemd.exec(5), "Paths". */
import { isNormalPath, simplifyPath } from '../names.ts';

/** The kernel's PATH_MAX and NAME_MAX. */
const PATH_MAX = 4096;
const NAME_MAX = 255;

/** Why a text is not a path that can be used; undefined: it is one. */
export function pathFault(text: string): string | undefined {
  if (text.length >= PATH_MAX) return 'longer than 4095 characters';
  if (!text.startsWith('/')) return 'not an absolute path';
  if (!isNormalPath(simplifyPath(text))) return 'a path with ..';
  if (text.split('/').some((part) => part.length > NAME_MAX)) return 'a component is longer than 255 characters';
  return undefined;
}

/** One component: not empty, no slash, not `.` or `..`. */
export function isFileName(text: string): boolean {
  return text !== '' && text !== '.' && text !== '..' && text.length <= NAME_MAX && !text.includes('/');
}

/** A path below some directory: relative, no `..`, no empty components. */
export function isRelativePath(text: string): boolean {
  return !text.startsWith('/') && isNormalPath(simplifyPath(text)) && text.length < PATH_MAX;
}
