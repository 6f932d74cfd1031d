/** Older words for verbs of jobs (systemctl(1)). */
export const VERBS: Readonly<Record<string, string>> = {
  condrestart: 'try-restart',
  'force-reload': 'reload-or-restart',
};
