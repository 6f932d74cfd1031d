/** Every life that there is, by name; each name is that of one. */
import type { Life } from './life.ts';
import { unitLives } from './units.ts';

export const lives: readonly Life[] = [...unitLives];
