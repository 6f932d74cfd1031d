/** The words that --type= and --state= take, as systemctl lists them; read only where one of the two is given. */
import { CliError } from './context.ts';

const TYPES = 'service mount swap socket target device automount timer path slice scope'.split(' ');
const LOAD = 'stub loaded not-found bad-setting error merged masked'.split(' ');
const ACTIVE = 'active reloading inactive failed activating deactivating maintenance'.split(' ');
const FILE =
  'enabled enabled-runtime linked linked-runtime alias masked masked-runtime static disabled indirect generated transient bad'.split(
    ' ',
  );
const MOUNTING =
  'mounting mounting-done mounted remounting unmounting remounting-sigterm remounting-sigkill unmounting-sigterm unmounting-sigkill';
/** By unit type; each begins with `dead`. */
const SUB: readonly (readonly [type: string, states: string])[] = [
  ['automount', 'waiting running failed'],
  ['device', 'tentative plugged'],
  ['mount', `${MOUNTING} failed cleaning`],
  ['path', 'waiting running failed'],
  ['scope', 'start-chown running abandoned stop-sigterm stop-sigkill failed'],
  [
    'service',
    'condition start-pre start start-post running exited reload stop stop-watchdog stop-sigterm stop-sigkill stop-post ' +
      'final-watchdog final-sigterm final-sigkill failed auto-restart cleaning',
  ],
  ['slice', 'active'],
  [
    'socket',
    'start-pre start-chown start-post listening running stop-pre stop-pre-sigterm stop-pre-sigkill stop-post ' +
      'final-sigterm final-sigkill failed cleaning',
  ],
  ['swap', 'activating activating-done active deactivating deactivating-sigterm deactivating-sigkill failed cleaning'],
  ['target', 'active'],
  ['timer', 'waiting running elapsed failed'],
];

const typeLines = (): string[] => ['Available unit types:', ...TYPES];

const stateLines = (): string[] => [
  'Available unit load states:',
  ...LOAD,
  '',
  'Available unit active states:',
  ...ACTIVE,
  '',
  'Available unit file states:',
  ...FILE,
  ...SUB.flatMap(([type, states]) => ['', `Available ${type} unit substates:`, 'dead', ...states.split(' ')]),
];

/** Words of --type=: unit types, and load states, which systemctl takes there as well. Throws CliError for others. */
export function typeWords(words: readonly string[]): { readonly types: string[]; readonly states: string[] } {
  const other = words.find((word) => !TYPES.includes(word) && !LOAD.includes(word));
  if (other !== undefined)
    throw new CliError(`Unknown unit type or load state '${other}'.\nUse -t help to see a list of allowed values.`);
  return { types: words.filter((word) => TYPES.includes(word)), states: words.filter((word) => !TYPES.includes(word)) };
}

/** What is printed where one of the words is `help`; undefined: none is. */
export function helpLines(types: readonly string[], states: readonly string[]): readonly string[] | undefined {
  if (types.includes('help')) return typeLines();
  return states.includes('help') ? stateLines() : undefined;
}
