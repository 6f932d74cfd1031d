/**
 * What the actor `events` does besides keeping the history: publish, tell the console of slow jobs, report stalls and cycles, and, once
 * whoever had them loaded is answered, keep units for the next core.
 */
import type { Insight } from '../api/insight.ts';
import type { JobView } from '../api/manager.ts';
import type { Host } from '../host/ports.ts';
import type { Cut } from '../jobs/types.ts';
import { originWords, ringWords } from '../jobs/words.ts';
import { consoleIsWanted, progressLines } from './console.ts';
import type { EventsEffects } from './events.ts';
import type { Registry } from './registry.ts';
import { cutsOf, type Told } from './telling.ts';

export interface ObserverParts {
  readonly host: Host;
  readonly insight: Pick<Insight, 'stall' | 'cycles'>;
  readonly registry: Pick<Registry, 'keepLoaded'>;
  readonly jobs: () => readonly JobView[];
  /** The system comes up or goes down: the console is told of what takes long. */
  readonly ending: () => boolean;
  publish(told: Told): void;
}

/** Orderings that the console names: one knot of thousands of units can cost thousands of them. */
const CUTS_NAMED = 16;
/** Units of a ring that are named, of a long one. */
const RING_NAMED = 6;

/** `[ WARN ] Ordering cycle a → b → a: b after a (/etc/…:3) is not honoured; sctl analyze cycles`. */
function cutLine({ edge, ring, more = 0 }: Cut): string {
  const left = ring.length - RING_NAMED;
  const short = left + more <= 1 ? { ring } : { ring: ring.slice(0, RING_NAMED), more: left + more };
  return `[ WARN ] Ordering cycle ${ringWords(short)}: ${edge.from} after ${edge.to} (${originWords(edge.origin)}) is not honoured; sctl analyze cycles`;
}

/** What has been said is remembered in core's own memory: a core that came back says it once more. */
export function createObserver(parts: ObserverParts): EventsEffects {
  const { host, insight, registry } = parts;
  let saidStall = '';
  let cutsSaid = 0;
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

  /** While the system comes up nobody is told by the answer to a request: a line for each ordering that is not honoured. */
  const sayCut = (cut: Cut): void => {
    if (!parts.ending() || !consoleIsWanted(host.facts.kernelCommandLine)) return;
    cutsSaid += 1;
    if (cutsSaid <= CUTS_NAMED) host.log.console?.(cutLine(cut));
    else if (cutsSaid === CUTS_NAMED + 1) host.log.console?.('[ WARN ] and more of them; sctl analyze cycles');
  };

  return {
    publish(told) {
      for (const cut of cutsOf(told)) sayCut(cut);
      parts.publish(told);
    },
    lookForStall: look,
    sayProgress(call, round) {
      const jobs = parts.jobs();
      if (jobs.length === 0) return false;
      look(call);
      if (parts.ending() && consoleIsWanted(host.facts.kernelCommandLine)) {
        for (const line of progressLines(jobs, host, round)) {
          host.log.console?.(line);
          host.log.log('info', {}, line.slice('[ ***  ] '.length));
        }
      }
      return true;
    },
    sayCycles() {
      registry.keepLoaded();
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
