/** The way out of a mask, by where it lies: unmask changes nothing below /usr, and without --runtime nothing below /run. */

/** What would let a masked unit be loaded. `path`: the link to /dev/null or empty file that masks it; empty: not known. */
export function unmaskWords(unit: string, path: string): string {
  const at = path.lastIndexOf('/');
  const name = at < 0 ? unit : path.slice(at + 1);
  const directory = path.slice(0, Math.max(0, at));
  if (path === '' || /^\/etc\/(sysmaster|systemd)\/system$/.test(directory))
    return `unmask it first: sctl unmask ${name}`;
  if (/^\/run\/(sysmaster|systemd)\/system$/.test(directory)) return `unmask it first: sctl unmask --runtime ${name}`;
  return `unmask it first: remove ${path}, or write /etc/sysmaster/system/${name}; then sctl daemon-reload`;
}
