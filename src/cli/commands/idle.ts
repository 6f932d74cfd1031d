/** What is only tried where a unit runs is no mistake where one is masked: systemctl says nothing, and ends with 0. */
export const isIdle = (verb: string, error: string | undefined): boolean =>
  error === 'UnitMasked' && (verb === 'try-restart' || verb === 'try-reload-or-restart');
