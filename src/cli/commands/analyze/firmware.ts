/**
 * How long firmware and boot loader took, from what the loader leaves in EFI variables (systemd-boot(7), "EFI VARIABLES":
 * LoaderTimeInitUSec, LoaderTimeExecUSec). Other loaders leave nothing, and a machine without EFI has no variables.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = '/sys/firmware/efi/efivars';
const VENDOR = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
/** Before the value stand four bytes of attributes. */
const ATTRIBUTES = 4;
/** Longer than this no loader takes: the two times do not belong together. */
const LOADER_MAX_US = 3_600_000_000;

/** In µs. */
export interface BeforeKernel {
  readonly firmwareUs: number;
  readonly loaderUs: number;
}

/** A number that stands there as text, in UTF-16. */
function timeOf(directory: string, name: string): number | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(directory, `${name}-${VENDOR}`));
  } catch {
    return undefined; // the machine has no such variable, or only root may read it
  }
  const text = bytes.subarray(ATTRIBUTES).toString('utf16le').replace(/\0+$/, '');
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** undefined: not known. */
export function beforeKernel(directory = DIRECTORY): BeforeKernel | undefined {
  const began = timeOf(directory, 'LoaderTimeInitUSec');
  const left = timeOf(directory, 'LoaderTimeExecUSec');
  if (began === undefined || left === undefined || left === 0) return undefined;
  return left < began || left - began > LOADER_MAX_US ? undefined : { firmwareUs: began, loaderUs: left - began };
}
