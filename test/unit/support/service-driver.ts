/**
 * A service machine with a hand on every process: events in, effects and states out, by the real adapter.
 *
 * Time stands still until a test moves it.
 */
import type { AnyMachineSnapshot } from 'xstate';
import type {
  DeadlineName,
  EffectName,
  EffectParams,
  Ended,
  Pid,
  Role,
  UnitEffect,
} from '../../../src/machines/protocol.ts';
import { serviceMachine } from '../../../src/machines/service.ts';
import type { ServiceContext } from '../../../src/machines/service-context.ts';
import { type UnitSnapshot, view } from '../../../src/machines/view.ts';
import { machineLogic } from '../../../src/supervisor/logic.ts';
import { type SettingsChange, serviceWith } from '../../model/service-settings.ts';

const logic = machineLogic(serviceMachine);

type SpawnParams = EffectParams['spawn'];

export class ServiceDriver {
  nowMs = 1_000;
  /** All effects so far. */
  readonly effects: UnitEffect[] = [];
  #snapshot: AnyMachineSnapshot;

  constructor(change: SettingsChange = {}) {
    const first = logic.initial({ settings: serviceWith(change) } as never);
    this.#snapshot = first.snapshot;
    this.effects.push(...(first.effects as UnitEffect[]));
  }

  get context(): ServiceContext {
    return this.#snapshot.context as ServiceContext;
  }

  get snapshot(): UnitSnapshot {
    return this.#snapshot as UnitSnapshot;
  }

  /** `active/sub`, as systemctl shows it. */
  get state(): string {
    const { active, sub } = view(this.#snapshot as UnitSnapshot);
    return `${active}/${sub}`;
  }

  get result(): string {
    return this.context.result;
  }

  /** @returns the effects of this event alone */
  send(event: { readonly type: string; readonly [field: string]: unknown }): UnitEffect[] {
    const next = logic.step(this.#snapshot, { atMs: this.nowMs, ...event });
    this.#snapshot = next.snapshot;
    this.effects.push(...(next.effects as UnitEffect[]));
    return next.effects as UnitEffect[];
  }

  /** Effects of one name, of all so far. */
  all<Name extends EffectName>(name: Name): EffectParams[Name][] {
    return this.effects.flatMap((effect) => (effect.type === name ? [effect.params as EffectParams[Name]] : []));
  }

  /** The spawn that was asked for last, for this role. */
  asked(role: Role): SpawnParams {
    const asked = this.all('spawn').findLast((spawn) => spawn.role === role);
    if (asked === undefined) throw new Error(`no ${role} process was asked for; it is ${this.state}`);
    return asked;
  }

  /** Paths of the commands that were asked for, in order. */
  get commands(): string[] {
    return this.all('spawn').map(({ command }) => command.path);
  }

  forked(role: Role = 'main', run: number = this.asked(role).run): UnitEffect[] {
    return this.send({ type: 'forked', role, run, serial: run + 100, pid: run + 200, startTime: 7 });
  }

  execed(role: Role = 'main'): UnitEffect[] {
    const { run } = this.asked(role);
    return this.send({ type: 'execed', role, run, serial: run + 100 });
  }

  exited(role: Role, ended: Ended, after: { populated?: boolean; candidate?: Pid } = {}): UnitEffect[] {
    const { run } = this.asked(role);
    return this.send({
      type: 'exited',
      role,
      run,
      serial: run + 100,
      pid: run + 200,
      ended,
      populated: false,
      ...after,
    });
  }

  /** A command from spawn to exit. */
  ran(role: Role, ended: Ended | number = 0, after: { populated?: boolean; candidate?: Pid } = {}): UnitEffect[] {
    this.forked(role);
    this.execed(role);
    return this.exited(role, typeof ended === 'number' ? { exited: ended } : ended, after);
  }

  /** The main process comes up. */
  up(): this {
    this.send({ type: 'start' });
    this.forked();
    this.execed();
    return this;
  }

  notify(said: Record<string, unknown>): UnitEffect[] {
    return this.send({ type: 'notify', pid: this.context.main?.pid ?? 1, uid: 0, member: true, ...said });
  }

  /** The time of an armed deadline comes. Throws if it is not the one that is armed. */
  expire(name: DeadlineName): UnitEffect[] {
    const { deadline, watchdogDueMs } = this.context;
    const dueMs = name === 'WatchdogSec' ? watchdogDueMs : deadline?.name === name ? deadline.dueMs : null;
    if (typeof dueMs !== 'number')
      throw new Error(`${name} is not armed: ${JSON.stringify({ deadline, watchdogDueMs })}`);
    this.nowMs = dueMs;
    return this.send({ type: 'deadline', name });
  }

  /** The signals an event asked for: `main 15`, `control 9`, `group 15`. */
  signals(effects: readonly UnitEffect[]): string[] {
    const { main, control } = this.context;
    return effects.flatMap((effect) => {
      if (effect.type === 'signalGroup') return [`group ${effect.params.signal}`];
      if (effect.type !== 'signal') return [];
      const { process, signal } = effect.params;
      const isMain = 'watched' in process ? process.watched[0] === main?.pid : process.child === main?.serial;
      const isControl = 'child' in process && process.child === control?.serial;
      return [`${isMain ? 'main' : isControl ? 'control' : 'stranger'} ${signal}`];
    });
  }
}
