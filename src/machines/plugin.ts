/**
 * Machine plugins: charts that users write for services, beside the built-in one (docs/guide/machines.md).
 *
 * A plugin is a CommonJS file whose `module.exports` is a function from {@link PluginTools} to a {@link PluginDefinition}. It gets no
 * module to import: a chart is pure. What it makes is checked, checkpointed, drawn and supervised like a built-in chart, since the
 * host sees no difference; a fault in it costs the step, or sets its unit aside (law 7).
 */
import { type AnyStateMachine, assign, createMachine, StateMachine, setup } from 'xstate';
import { serviceMachine } from './service.ts';

/** Plain data of xstate's shape: a chart's configuration, as a plugin changes it, or a snapshot as it was saved. */
// biome-ignore lint/suspicious/noExplicitAny: plain data whose shape is xstate's; what does not fit throws when the chart is made.
export type ChartConfig = any;

/** What a plugin is handed. */
export interface PluginTools {
  /** The chart of services (src/machines/service.ts). */
  readonly service: AnyStateMachine;
  /**
   * A chart like `base`: `change` gets a copy of its configuration to alter; named actions and guards are added to those of the
   * base. Actions that are not made with `assign` are effects, carried out by name: those of src/machines/protocol.ts, and `armDeadline`
   * {name, ms}, `disarmDeadline` {name}, `post` {to, event}.
   */
  extend(
    base: AnyStateMachine,
    change: (config: ChartConfig) => void,
    named?: { readonly actions?: object; readonly guards?: object },
  ): AnyStateMachine;
  readonly setup: typeof setup;
  readonly assign: typeof assign;
}

/** What a plugin answers with. */
export interface PluginDefinition {
  readonly machine: AnyStateMachine;
  /** Of its states and context, 1 by default: raise it when a snapshot of the old form must be converted. */
  readonly version?: number;
  /** Turns a saved form of another version into this one's, or throws: then that unit alone is set aside. */
  readonly migrate?: (saved: ChartConfig, version: number) => ChartConfig;
}

export interface MachinePlugin extends PluginDefinition {
  /** As units write it: the file's name without `.cjs`. */
  readonly name: string;
  readonly file: string;
  /** SHA-256 of the file's text. */
  readonly sha256: string;
}

/** The kind of the actors that follow a plugin's chart. */
export const pluginKind = (name: string): string => `service:${name}`;

export const pluginTools: PluginTools = {
  service: serviceMachine,
  extend(base, change, named = {}) {
    const config = copy(base.config);
    change(config);
    const { actions, guards, actors, delays } = base.implementations;
    return createMachine(config, {
      actions: { ...actions, ...named.actions },
      guards: { ...guards, ...named.guards },
      actors,
      delays,
    });
  },
  setup,
  assign,
};

/** The definition, of what a plugin's file exports. @throws Error with the reason where there is none */
export function definitionOfExports(exported: unknown): PluginDefinition {
  if (typeof exported !== 'function') throw new Error('module.exports is not a function');
  return definitionOf(exported(pluginTools));
}

/** The definition, as a plugin gave it. @throws Error with the reason where it is none */
export function definitionOf(given: unknown): PluginDefinition {
  if (typeof given !== 'object' || given === null) throw new Error('it does not answer with an object { machine }');
  const { machine, version = 1, migrate } = given as Partial<PluginDefinition>;
  if (!(machine instanceof StateMachine)) throw new Error('`machine` is not a machine of setup() or extend()');
  if (!Number.isInteger(version) || version < 1) throw new Error(`\`version\` is not a number from 1 on: ${version}`);
  if (migrate !== undefined && typeof migrate !== 'function') throw new Error('`migrate` is not a function');
  return migrate === undefined ? { machine, version } : { machine, version, migrate };
}

/** Lists and plain objects; functions are shared. */
function copy(value: unknown): ChartConfig {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copy(inner)]));
}
