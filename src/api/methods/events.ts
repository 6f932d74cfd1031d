/** io.sysmaster.Events. */
import type { Handled } from '../session.ts';
import { subscription } from '../subscription.ts';

type Maybe<T> = T | null | undefined;

export const events = {
  Subscribe: ({ kinds, units }: { kinds?: Maybe<string[]>; units?: Maybe<string[]> }): Handled => ({
    subscribe: subscription(kinds ?? [], units ?? []),
  }),
};
