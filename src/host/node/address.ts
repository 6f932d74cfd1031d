/** Addresses of sockets as systemd.socket(5) writes them (ListenStream=). Pure. */

/** Where an address leads. */
export type Address =
  | { readonly unix: string }
  | { readonly ip: string; readonly six: boolean; readonly port: number; readonly scope: string }
  | { readonly port: number }
  | { readonly vsock: { readonly cid: number; readonly port: number } };

/** A port number in decimal; undefined: it is none. */
export const portOf = (text: string): number | undefined => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
};

/** Read an address; undefined: it is none. */
export function parseAddress(text: string): Address | undefined {
  if (text.startsWith('/') || (text.startsWith('@') && text.length > 1)) return { unix: text };
  const vsock = /^vsock:(\d*):(\d+)$/.exec(text);
  if (vsock) return { vsock: { cid: vsock[1] === '' ? 0xffff_ffff : Number(vsock[1]), port: Number(vsock[2]) } };
  const alone = portOf(text);
  if (alone !== undefined) return { port: alone };
  const six = /^\[([0-9a-fA-F:.]+)(?:%([^\]]+))?\]:(\d+)$/.exec(text);
  const four = /^(\d{1,3}(?:\.\d{1,3}){3}):(\d+)$/.exec(text);
  const port = portOf((six?.[3] ?? four?.[2]) as string);
  if (port === undefined) return undefined;
  if (six) return { ip: six[1] as string, six: true, port, scope: six[2] ?? '' };
  return { ip: (four as RegExpExecArray)[1] as string, six: false, port, scope: '' };
}
