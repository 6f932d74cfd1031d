/** What was thrown, in words: whatever it is, since charts of users may throw anything. */

/** Characters of it that are kept: it goes into the log, the history, answers and the checkpoint. */
const MESSAGE_MAX = 4096;

/** Its message, or itself as text; never throws, and never more than a page. */
export function messageOf(error: unknown): string {
  let text: string;
  try {
    text = String(error instanceof Error ? error.message : error);
  } catch {
    text = 'something that has no text was thrown';
  }
  return text.length <= MESSAGE_MAX ? text : `${text.slice(0, MESSAGE_MAX)}… (${text.length} characters)`;
}
