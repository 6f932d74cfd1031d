/** Kinds of virtualization, by systemd's names. Source: systemd-detect-virt(1). */

const CONTAINERS: ReadonlySet<string> = new Set([
  'openvz',
  'lxc',
  'lxc-libvirt',
  'systemd-nspawn',
  'docker',
  'podman',
  'rkt',
  'wsl',
  'proot',
  'pouch',
  'container-other',
]);

/** Does it share the kernel with its host? */
export function isContainer(kind: string): boolean {
  return CONTAINERS.has(kind);
}

/** `container:docker`, `vm:kvm`; undefined: no virtualization. */
export function virtualizationClass(kind: string): string | undefined {
  if (kind === '' || kind === 'none') return undefined;
  return `${isContainer(kind) ? 'container' : 'vm'}:${kind}`;
}
