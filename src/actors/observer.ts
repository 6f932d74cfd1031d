/**
 * What the actor `events` does besides keeping the history: publish, tell the console of slow jobs, report stalls and cycles.
 */
import type { Insight } from '../api/insight.ts';
import type { JobView } from '../api/manager.ts';
import { type ConsoleWorld, consoleIsWanted, progressLines } from './console.ts';
import type { EventsEffects } from './events.ts';
import type { Told } from './telling.ts';

export interface ObserverParts extends ConsoleWorld {
  readonly insight: Pick<Insight, 'stall' | 'cycles'>;
  readonly jobs: () => readonly JobView[];
  /** The system comes up or goes down: the console is told of what takes long. */
  readonly ending: () => boolean;
  publish(told: Told): void;
}

/** What has been said is remembered in core's own memory: a core that came back says it once more. */
export function createObserver(parts: ObserverParts): EventsEffects {
  const { host, insight } = parts;
  let saidStall = '';
  const saidCycles = new Set<string>();

  const look: EventsEffects['lookForStall'] = (call) => {
    const stall = insight.stall();
    const text = stall === undefined ? '' : stall.why.join('; ');
    if (stall !== undefined && text !== saidStall) {
      const { ring, why, todo } = stall;
      host.log.log('error', { ring, why, todo }, 'jobs wait and nothing can move them');
      host.log.console?.(`[FAILED] Jobs wait and nothing can move them: ${text}; ${todo}`);
      call.post('events', { type: 'tell', what: { stall: { ring, why } } });
    }
    saidStall = text;
  };

  return {
    publish: parts.publish,
    lookForStall: look,
    sayProgress(call) {
      const jobs = parts.jobs();
      if (jobs.length === 0) return false;
      look(call);
      if (parts.ending() && consoleIsWanted(host.facts.kernelCommandLine)) {
        for (const line of progressLines(jobs, parts)) {
          host.log.console?.(line);
          host.log.log('info', {}, line.slice('[ ***  ] '.length));
        }
      }
      return true;
    },
    sayCycles() {
      for (const { members, rings, cuts } of insight.cycles()) {
        const key = members.join(' ');
        if (saidCycles.has(key)) continue;
        saidCycles.add(key);
        const [ring = []] = rings;
        const words = ring.map(({ from, to, where }) => `${from} after ${to} (${where})`);
        host.log.log(
          'warning',
          {
            units: members.slice(0, 32),
            ring: words.slice(0, 32),
            cuts: cuts.slice(0, 32).map(({ from, to, where }) => `${from} after ${to} (${where})`),
          },
          `ordering cycle of ${members.length} units; sctl analyze cycles shows it`,
        );
      }
    },
  };
}
