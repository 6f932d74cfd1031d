/** A saved plan, read back: everything that applying it rests on is looked at, and what is wrong is said. */
import type { KeptPlan } from './apply.ts';
import { isPlanId } from './identity.ts';
import { type JobMode, type JobRequest, REQUEST_VERBS, type RequestPart, type RequestVerb } from './types.ts';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

/** What may be asked for. */
export const VERBS: ReadonlySet<string> = new Set(REQUEST_VERBS);

/** The plan, or why it is none, or none for here. */
export function readPlan(
  value: unknown,
  here: { readonly machineId: string; readonly bootId: string },
): Omit<KeptPlan, 'madeMs'> | string {
  if (!isObject(value) || value['format'] !== 'sysmaster-plan') return 'this is not a plan';
  const { version, id, machineId, bootId, request, state } = value;
  if (version === undefined) return 'the plan does not say which version it has';
  if (version !== 1) return `the plan has version ${JSON.stringify(version)?.slice(0, 40)}, and this is version 1`;
  if (typeof id !== 'string' || !isPlanId(id)) return 'the id of the plan is not one';
  if (typeof machineId !== 'string' || machineId !== here.machineId)
    return `the plan was made on another machine (${words(machineId)}; this is ${here.machineId || 'one without an id'})`;
  if (typeof bootId !== 'string' || bootId !== here.bootId)
    return `the plan was made before this boot (boot ${words(bootId)}; this is ${here.bootId})`;
  const asked = readRequest(request);
  if (typeof asked === 'string') return asked;
  if (!isObject(state) || typeof state['hash'] !== 'string') return 'the plan does not say what it rests on (state)';
  const { hash, units } = state;
  if (units === undefined || units === null) return { id, hash, request: asked };
  if (!isObject(units) || !isStrings(Object.values(units))) return 'the state of the units in the plan is not text';
  return { id, hash, units: units as Record<string, string>, request: asked };
}

const words = (value: unknown) =>
  typeof value === 'string'
    ? value.slice(0, 40).replace(/[^\x20-\x7e]/g, '?') || 'one without an id'
    : 'it says not which';

function readRequest(value: unknown): JobRequest | string {
  const part = readPart(value);
  if (typeof part === 'string') return part;
  const { mode, automatic, also } = value as Record<string, unknown>;
  if (typeof mode !== 'string') return 'the request of the plan has no job mode';
  const parts = also === undefined ? [] : also;
  if (!Array.isArray(parts) || parts.length > 4) return 'the request of the plan has parts that cannot be read';
  const more: RequestPart[] = [];
  for (const one of parts) {
    const read = readPart(one);
    if (typeof read === 'string') return read;
    more.push(read);
  }
  return {
    ...part,
    mode: mode as JobMode,
    by: '',
    ...(automatic === true ? { automatic } : {}),
    ...(more.length === 0 ? {} : { also: more }),
  };
}

function readPart(value: unknown): RequestPart | string {
  if (!isObject(value)) return 'the plan does not say what was asked for (request)';
  const { verb, units } = value;
  if (typeof verb !== 'string' || !VERBS.has(verb)) return 'the request of the plan has no verb that is known';
  if (!isStrings(units)) return 'the request of the plan names no units';
  return { verb: verb as RequestVerb, units };
}
