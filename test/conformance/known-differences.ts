/** What a live systemd and we show differently on purpose, with the reason; docs/reference/differences.md says it to people. */

/** A pattern of the sentences of compare.ts, and why. */
export type Known = readonly (readonly [RegExp, string])[];

/** Is the sentence not among those known? */
export const known =
  (...lists: readonly Known[]) =>
  (text: string): boolean =>
    !lists.some((list) => list.some(([pattern]) => pattern.test(text)));

/** Properties that differ, by pattern, with the reason. */
export const PROPERTIES: Known = [
  [/^extra: .* JoinsNamespaceOf /, 'the edge is symmetric, which systemd shows on one side'],
  [
    /^(User|Group|NoNewPrivileges) of (chrony-wait|earlyoom|systemd-journal-gatewayd|systemd-journal-upload|d-dynamic)\.service/,
    'DynamicUser= is not honoured yet, so it implies no user',
  ],
  [/^Backlog of .*: 2147483647, not 4294967295$/, 'systemd shows its default cut to an int'],
  [/^FileDescriptorName of .*: .*, not connection$/, 'systemd shows the name that Accept=yes does not use'],
  [/^Listen of /, 'addresses are shown as written'],
  [/^TimeoutIdleUSec of .*: 0, not infinity$/, 'both are "never"'],
  [/^(CanStart|Transient) of init\.scope:/, 'ours is no unit that a request has made'],
  [/^(What|Type|Options) of -\.mount:/, "what is mounted at / is the mount table's business"],
  [/^RuntimeDirectory of irqbalance.service/, 'a slash at the end is shown as written'],
  [
    /^Can(Start|Stop|Isolate) of .*\.(automount|swap): no, not yes$/,
    'autofs and swap cannot be used in that container',
  ],
];
