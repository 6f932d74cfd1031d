/**
 * Credentials.
 * Source: systemd.exec(5), LoadCredential=, SetCredential= and their encrypted kin.
 */
import { isNormalPath } from '../names.ts';

/** Credentials are files: a plain name of printable ASCII, no slash, no colon. */
export function isCredentialName(text: string): boolean {
  return /^[!-~ ]{1,255}$/.test(text) && !/[/:]/.test(text) && text !== '.' && text !== '..';
}

/** Where one is loaded from: an absolute path, or the name of one that was handed to the manager. */
export function isCredentialSource(text: string): boolean {
  if (text.startsWith('/')) return isNormalPath(text) && (text === '/' || !text.endsWith('/')) && !text.includes('//');
  return isCredentialName(text);
}

/** Bytes of base64, in groups of four with padding, white space left out; undefined: it is not. */
export function base64Length(text: string): number | undefined {
  const plain = text.replace(/[ \t\n\r]/g, '');
  if (plain.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) return undefined;
  const padding = plain.endsWith('==') ? 2 : plain.endsWith('=') ? 1 : 0;
  // The bits that padding cuts off must be zero.
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.indexOf(
    plain[plain.length - padding - 1] ?? 'A',
  );
  if ((padding === 1 && last % 4 !== 0) || (padding === 2 && last % 16 !== 0)) return undefined;
  return (plain.length / 4) * 3 - padding;
}

/** Bytes of an even number of hexadecimal digits; undefined: they are none. */
export function hexLength(text: string): number | undefined {
  return /^([0-9a-fA-F]{2})*$/.test(text) ? text.length / 2 : undefined;
}
