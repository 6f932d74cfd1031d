/** Exit statuses, as systemctl and LSB have them (systemctl(1), "Exit status"; LSB 3, "Init Script Actions"). */

export const exits = {
  ok: 0,
  failure: 1,
  /** is-active and status: the unit is not active. Also an action that the unit cannot do. */
  notRunning: 3,
  notImplemented: 3,
  /** status: there is no such unit. */
  unknown: 4,
  notPermitted: 4,
  notInstalled: 5,
} as const;

/** By the last part of the error's name. What is not here is a plain failure. */
const ERRORS: Readonly<Record<string, number>> = {
  NoSuchUnit: exits.notInstalled,
  JobTypeNotApplicable: exits.notImplemented,
  AccessDenied: exits.notPermitted,
  OnlyByDependency: exits.notPermitted,
  NoIsolation: exits.notPermitted,
  TransactionIsDestructive: exits.notPermitted,
};

export const exitOfError = (name: string): number => ERRORS[name] ?? exits.failure;
