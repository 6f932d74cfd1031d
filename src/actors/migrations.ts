/**
 * The steps from what released versions have saved to what this one reads (src/supervisor/migrate.ts), by kind and version.
 *
 * So far no released version saved anything that this one does not read as it is.
 */
import type { Migrations } from '../supervisor/index.ts';

export const migrations: Migrations = {};
