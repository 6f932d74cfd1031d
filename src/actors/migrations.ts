/**
 * The steps from what released versions have saved to what this one reads (src/supervisor/migrate.ts), by kind and version.
 */
import type { Migration, Migrations } from '../supervisor/index.ts';

/** Each form of images and records says more than the one before, and nothing otherwise. */
const asItIs: Migration = (saved) => saved;

export const migrations: Migrations = {
  image: { 2: asItIs, 3: asItIs },
  record: { 2: asItIs, 3: asItIs },
};
