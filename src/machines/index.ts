/** The machines of the unit types, by the kind of actor that runs them. */
import type { Unit, UnitType } from '../units/types.ts';
import { endSettings } from './ends.ts';
import { pathMachine } from './path.ts';
import { pathSettings } from './path-context.ts';
import { sliceMachine, staticMachine, targetMachine } from './plain.ts';
import { pluginKind } from './plugin.ts';
import { scopeMachine, scopeSettings } from './scope.ts';
import { serviceMachine } from './service.ts';
import { serviceSettings } from './service-context.ts';
import { socketMachine } from './socket.ts';
import { socketSettings } from './socket-context.ts';

export const unitMachines = {
  service: serviceMachine,
  socket: socketMachine,
  target: targetMachine,
  slice: sliceMachine,
  scope: scopeMachine,
  path: pathMachine,
  static: staticMachine,
};

export type MachineKind = keyof typeof unitMachines;

const kinds: Readonly<Record<UnitType, MachineKind>> = {
  service: 'service',
  socket: 'socket',
  target: 'target',
  slice: 'slice',
  scope: 'scope',
  mount: 'static',
  automount: 'static',
  swap: 'static',
  timer: 'static',
  path: 'path',
  device: 'static',
};

/** The machine for a unit that is in this slice (empty: none), and its settings: `settings` of the machine's input, and of its `settings` event. Plain JSON. */
export function machineOf(unit: Unit, Slice: string): { readonly kind: string; readonly settings: object | null } {
  const kind = kinds[unit.type];
  if (unit.service !== undefined) {
    const { Machine } = unit.unit;
    return {
      kind: Machine === undefined || unit.loadState !== 'loaded' ? kind : pluginKind(Machine),
      settings: { ...serviceSettings({ unit: unit.unit, service: unit.service }), Slice },
    };
  }
  if (unit.socket !== undefined)
    return { kind, settings: { ...socketSettings({ ...unit, socket: unit.socket }), Slice } };
  if (unit.path !== undefined) return { kind, settings: pathSettings({ ...unit, path: unit.path }) };
  // It holds init, and nobody starts or ends it.
  if (unit.name === 'init.scope') return { kind: 'static', settings: { type: unit.type } };
  if (unit.scope !== undefined) return { kind, settings: { ...scopeSettings({ ...unit, scope: unit.scope }), Slice } };
  if (kind === 'static') return { kind, settings: { type: unit.type } };
  return { kind, settings: unit.unit.SuccessAction === 'none' ? null : endSettings(unit.unit) };
}
