/** The real core, whose images are made in many pieces: there are turns, and deaths, between any two of them. */
import * as real from '../../../src/core.ts';

/** Of an image in one turn; that of the life has some hundred of them. */
const PIECES = 12;

export const createCore: typeof real.createCore = (host, options) =>
  real.createCore(host, { ...options, actors: { ...options.actors, foldOperations: PIECES } });
