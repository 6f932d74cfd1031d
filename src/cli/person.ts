/** Whoever sits at the terminal. */
import { createInterface } from 'node:readline/promises';
import { isatty } from 'node:tty';
import type { Person } from './context.ts';

/** Undefined: standard input or output is no terminal, so nobody sees a question, or answers it. */
export function person(): Person | undefined {
  if (!isatty(0) || !isatty(1)) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const typed = lines[Symbol.asyncIterator]();
  return {
    async ask(prompt) {
      lines.setPrompt(prompt);
      lines.prompt();
      const { done, value } = await typed.next();
      return done === true ? undefined : value;
    },
    done: () => lines.close(),
  };
}
