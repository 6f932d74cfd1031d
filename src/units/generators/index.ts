/**
 * The generators that are built in: each a function from what the machine says of itself to unit files.
 *
 * They stand in for the programs of systemd with the same names, and are switched off or replaced like these (docs/guide/generators.md).
 */
import type { FilePort } from '../../host/ports.ts';
import { debug } from './debug.ts';
import { fstab } from './fstab-generator.ts';
import { getty } from './getty.ts';
import type { Generated } from './output.ts';
import { rcLocal } from './rc-local.ts';

export type { Generated, GeneratedFile, Place } from './output.ts';

/** What generators look at. */
export interface GeneratorWorld {
  readonly files: Pick<FilePort, 'readText' | 'readlink' | 'lstat' | 'stat' | 'access'>;
  readonly commandLine: string;
  readonly initrd: boolean;
  /** systemd-detect-virt(1)'s word: docker, kvm, none. */
  readonly virtualization: string;
  readonly environment: Readonly<Record<string, string>>;
}

export type BuiltIn = (world: GeneratorWorld) => Generated;

/** By the name of systemd's program. */
export const BUILT_IN: Readonly<Record<string, BuiltIn>> = {
  'systemd-debug-generator': debug,
  'systemd-fstab-generator': fstab,
  'systemd-getty-generator': getty,
  'systemd-rc-local-generator': rcLocal,
};
