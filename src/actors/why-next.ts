/**
 * What would happen next to a service: read off its state, its deadline and its settings, by the rules its machine follows.
 *
 * Pure. The rules themselves stand in src/machines (service.ts, service-rules.ts, ends.ts); whoever changes them changes these sentences.
 */
import { admit, startLimitOf } from '../machines/ends.ts';
import type { ServiceContext } from '../machines/service-context.ts';
import { shallRestart } from '../machines/service-rules.ts';
import { signalName } from '../units/syntax/signal.ts';
import { formatSpanUs } from '../units/syntax/timespan.ts';

const span = (ms: number): string => formatSpanUs(Math.max(0, Math.round(ms)) * 1000, ms >= 10_000 ? 1_000_000 : 1000);

const ORDINARY_START: Readonly<Record<string, string>> = {
  notify: 'READY=1 does not come',
  'notify-reload': 'READY=1 does not come',
  forking: 'the starting process does not end',
  oneshot: 'it has not ended',
  dbus: 'its bus name has no owner',
};

/** What a start waits for, by Type=. */
function startWords({ settings, control, awaitsPidFile }: ServiceContext, sub: string): string {
  if (awaitsPidFile) return `${settings.PIDFile} does not name a process of it`;
  if (sub !== 'start' && control !== null) return `${control.list}= has not ended`;
  return ORDINARY_START[settings.Type] ?? 'its program does not run';
}

/** After a failure with this result: started again or not, and how often that may happen. */
export function afterFailure(context: ServiceContext, result: ServiceContext['result'], nowMs: number): string {
  const { restart, why } = shallRestart(context.settings, { result, mainEnded: null, stopAsked: false });
  if (!restart) return `it stays failed (${why})`;
  const { interval, burst } = startLimitOf(context.settings);
  const again = `${why} starts it again after ${span(context.settings.RestartSec as number)}`;
  if (interval === 0 || burst === 0) return again;
  const within = interval === 'infinity' ? '' : ` in ${span(interval)}`;
  const window = admit(context.startLimit, { interval, burst }, nowMs);
  return window === undefined
    ? `${again}, which is refused: it has been started ${burst} times${within} (StartLimitBurst=)`
    : `${again}, attempt ${window.starts} of ${burst}${within}`;
}

function dueWords(
  context: ServiceContext,
  nowMs: number,
): { readonly within: string; readonly name: string } | undefined {
  const { deadline } = context;
  if (deadline === null || deadline.dueMs === 'infinity') return undefined;
  return { within: `within ${span(deadline.dueMs - nowMs)}`, name: `${deadline.name}=` };
}

/** Sentences, in the order in which things would happen; empty: nothing is known to come. */
export function nextOfService(context: ServiceContext, sub: string, nowMs: number): readonly string[] {
  const due = dueWords(context, nowMs);
  const { settings, killing } = context;
  switch (sub) {
    case 'condition':
    case 'start-pre':
    case 'start':
    case 'start-post': {
      if (context.idling) return ['it is started when no other job is left, or after 5 s (Type=idle)'];
      const what = startWords(context, sub);
      if (due === undefined) return [`it waits without end: if ${what}, nothing happens (TimeoutStartSec=infinity)`];
      const how =
        settings.TimeoutStartFailureMode === 'terminate'
          ? signalName(settings.KillSignal)
          : settings.TimeoutStartFailureMode;
      return [
        `if ${what} ${due.within}, the start fails with timeout (${due.name}, then ${how}); then ${afterFailure(context, 'timeout', nowMs)}`,
      ];
    }
    case 'reload':
    case 'reload-signal':
    case 'reload-notify':
      return due === undefined
        ? []
        : [`if the reload is not over ${due.within}, it fails (${due.name}); the service runs on`];
    case 'stop':
    case 'stop-post':
      return due === undefined
        ? []
        : [
            `if ${sub === 'stop' ? 'ExecStop=' : 'ExecStopPost='} has not ended ${due.within}, its processes are killed (${due.name})`,
          ];
    case 'stop-sigterm':
    case 'final-sigterm':
    case 'stop-watchdog':
    case 'final-watchdog':
      if (due === undefined) return ['it is waited for without end (TimeoutStopSec=infinity)'];
      return [
        settings.SendSIGKILL
          ? `what has not ended ${due.within} gets ${signalName(settings.FinalKillSignal)} (${due.name})`
          : `what has not ended ${due.within} is left behind (SendSIGKILL=no)`,
      ];
    case 'stop-sigkill':
    case 'final-sigkill':
      return due === undefined || killing === null
        ? []
        : [`what has not ended ${due.within} is left behind (${due.name})`];
    case 'auto-restart': {
      const { interval, burst } = startLimitOf(settings);
      const window = admit(context.startLimit, { interval, burst }, nowMs);
      const limit =
        interval === 0 || burst === 0
          ? ''
          : window === undefined
            ? `, which is refused: StartLimitBurst=${burst} is reached`
            : `, attempt ${window.starts} of ${burst}${interval === 'infinity' ? '' : ` in ${span(interval)}`}`;
      return due === undefined ? [] : [`it is started again ${due.within} (${due.name})${limit}`];
    }
    case 'running':
    case 'exited':
      return nextOfRunning(context, sub, nowMs);
    default:
      return [];
  }
}

function nextOfRunning(context: ServiceContext, sub: string, nowMs: number): readonly string[] {
  const { settings, watchdogDueMs } = context;
  const due = dueWords(context, nowMs);
  const sentences: string[] = [];
  if (due?.name === 'RuntimeMaxSec=') sentences.push(`it is stopped ${due.within} (RuntimeMaxSec=)`);
  if (watchdogDueMs !== null)
    sentences.push(`if WATCHDOG=1 does not come within ${span(watchdogDueMs - nowMs)}, it is killed (WatchdogSec=)`);
  if (sub !== 'running') return sentences;
  const onFailure = shallRestart(settings, { result: 'exit-code', mainEnded: null, stopAsked: false }).restart;
  const onSuccess = shallRestart(settings, { result: 'success', mainEnded: null, stopAsked: false }).restart;
  if (onSuccess || onFailure) {
    const when = onSuccess && onFailure ? 'if it ends' : onFailure ? 'if it fails' : 'if it ends well';
    sentences.push(`${when}, ${afterFailure(context, onFailure ? 'exit-code' : 'success', nowMs)}`);
  } else sentences.push(`if it ends, it is not started again (Restart=${settings.Restart})`);
  return sentences;
}
