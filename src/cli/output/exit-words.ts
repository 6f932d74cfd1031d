/** How a process ended, in systemctl's words. */
import { EXIT_STATUSES, parseSignal, signalName } from '../../units/syntax/signal.ts';

const names = new Map<number, string>();
for (const [name, status] of EXIT_STATUSES) if (!names.has(status)) names.set(status, name);

/** 15 -> `TERM`. */
const shortSignal = (number: number): string => signalName(number).replace(/^SIG/, '');

/** `TERM`, `sigterm`, `15`, `RTMIN+3`; undefined: no signal. */
export const signalNumber = (text: string): number | undefined => parseSignal(text.toUpperCase());

/** All names that --signal= takes, for completion. */
export const signalNames = (): string[] => Array.from({ length: 31 }, (_, index) => signalName(index + 1));

export interface ExitLike {
  readonly code: string;
  readonly status: number;
}

/** `code=exited, status=203/EXEC` or `code=killed, signal=TERM`. */
export function exitText({ code, status }: ExitLike): string {
  return code === 'exited'
    ? `code=exited, status=${status}/${names.get(status) ?? 'n/a'}`
    : `code=${code}, signal=${shortSignal(status)}`;
}
