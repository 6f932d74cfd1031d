/** Explanations of core as lines: what is, because of what, and what comes next. */
import { readFileSync } from 'node:fs';
import { codeOf } from '../../host/node/errors.ts';
import type { Cause, Explanation } from '../wire.ts';
import { glyph, type Style, stateColour } from './style.ts';
import { agoText, dateText } from './time.ts';
import { branches } from './tree.ts';

/** `uid 0` → `root (uid 0)`, by /etc/passwd as it is here. */
export function withUserNames(text: string, names: (uid: string) => string | undefined): string {
  return text.replace(/\b(login )?uid (\d+)\b/g, (whole, login: string | undefined, uid: string) => {
    const name = names(uid);
    return name === undefined ? whole : `${login ?? ''}${name} (uid ${uid})`;
  });
}

let users: Map<string, string> | undefined;

/** Read once, when the first name is wanted. */
export function userName(uid: string): string | undefined {
  if (users === undefined) {
    users = new Map();
    try {
      for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
        const [name, , id] = line.split(':');
        if (name !== undefined && id !== undefined && !users.has(id)) users.set(id, name);
      }
    } catch (cause) {
      // Without the file people are known by number.
      if (codeOf(cause) === undefined) throw cause;
    }
  }
  return users.get(uid);
}

export interface CauseOptions {
  readonly style: Style;
  readonly nowUs: number;
  readonly names: (uid: string) => string | undefined;
}

/** Nodes that are drawn of one explanation. */
const NODES_MAX = 500;

interface Node {
  readonly text: string;
  readonly below: readonly Node[];
}

export function explanationLines(explanation: Explanation, options: CauseOptions): string[] {
  const { style, nowUs, names } = options;
  const { active, state, since, because, next } = explanation;
  const colour = stateColour(style, active);
  let left = NODES_MAX;
  const nodeOf = ({ what, where, since: when, below }: Cause): Node => {
    left -= 1;
    const place = where && !what.includes(where) ? style.grey(` [${where}]`) : '';
    const time = when ? style.grey(` (${agoText(when.realUs, nowUs)})`) : '';
    const shown: Node[] = left > 0 ? below.map(nodeOf) : below.length > 0 ? [{ text: '…', below: [] }] : [];
    return { text: `${withUserNames(what, names)}${place}${time}`, below: shown };
  };
  const root: Node = {
    text: `${colour(glyph(active))} ${style.bold(state)}${since ? ` since ${dateText(since.realUs)}; ${agoText(since.realUs, nowUs)}` : ''}`,
    below: because.map(nodeOf),
  };
  return [
    ...branches(
      root,
      ({ text }) => text,
      ({ below }) => below,
    ),
    ...next.map((sentence) => `${style.green('next:')} ${sentence}`),
  ];
}
