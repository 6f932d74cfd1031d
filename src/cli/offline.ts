/** What this machine is and what files it has, for commands that do without a manager. */
export { factsOf as offlineFacts, plainFiles } from './commands/analyze/offline.ts';
