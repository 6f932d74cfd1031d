/**
 * What is wrong with core's own files: into the log as ever, and to the actor `events`, which keeps it for `status`.
 *
 * Files are read before there are actors: what is wrong with those is told with the first posts.
 */
import type { Host, LogPort } from '../host/ports.ts';
import type { Post } from '../supervisor/index.ts';

export interface Troubles {
  /** Warnings and errors written to it are troubles. */
  readonly log: LogPort;
  /** There are actors from now on; answers with posts about all that went wrong before, and this. */
  begin(first: string | undefined): readonly Post[];
}

const toldOf = (what: string): Post => ({ to: 'events', event: { type: 'tell', what: { trouble: what } } });

/** In one sentence: fields that say why and where stand behind it. */
function words(fields: Readonly<Record<string, unknown>>, message: string): string {
  const { why, about, errno, path, file } = fields;
  const more = [path, file, about, why, errno].filter((one) => typeof one === 'string').join(' ');
  return more === '' ? message : `${message}: ${more}`;
}

/** @param post tell an actor something, outside of a turn */
export function createTroubles({ log }: Pick<Host, 'log'>, post: (post: Post) => void): Troubles {
  const early: string[] = [];
  let begun = false;
  return {
    log: {
      console: (line) => log.console?.(line),
      log(level, fields, message) {
        log.log(level, fields, message);
        if (level !== 'warning' && level !== 'error') return;
        const what = words(fields, message);
        if (begun) post(toldOf(what));
        else early.push(what);
      },
    },
    begin(first) {
      begun = true;
      return [...(first === undefined ? [] : [first]), ...early.splice(0)].map(toldOf);
    },
  };
}
