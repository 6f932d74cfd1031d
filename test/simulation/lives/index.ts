/** Every life that there is, by name; each name is that of one. */
import { heirLives } from './heirs.ts';
import { jobLives } from './jobs.ts';
import type { Life } from './life.ts';
import { managerLives } from './manager.ts';
import { pathLives } from './paths.ts';
import { planLives } from './plans.ts';
import { rareLives } from './rare.ts';
import { serviceLives } from './services.ts';
import { socketLives } from './sockets.ts';
import { unitLives } from './units.ts';

export const lives: readonly Life[] = [
  ...unitLives,
  ...serviceLives,
  ...heirLives,
  ...socketLives,
  ...pathLives,
  ...jobLives,
  ...planLives,
  ...managerLives,
  ...rareLives,
];
