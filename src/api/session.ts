/**
 * One session's protocol, pure: (session, input) -> (session, outputs). Nothing here sends or waits.
 *
 * Varlink over a stream (https://varlink.org/Method-Call): a message is a JSON object; calls are answered in their
 * order, so while one waits for core the ones behind it wait too, in a bounded queue. A call that changes something
 * becomes a `change` output and is answered when core has spoken; a subscription keeps the session to itself until the
 * client hangs up. What is not a message at all is answered once, with the reason, and the session is closed: a
 * client that sends garbage cannot be in step any more.
 */
import { faultOf, type IdlMethod, type Interface } from './idl.ts';
import { interfaceOf } from './interfaces/index.ts';
import {
  type ApiError,
  type Change,
  type ChangeAnswer,
  type Manager,
  ManagerError,
  type ManagerEvent,
} from './manager.ts';
import { isOwner, may } from './may.ts';
import { handlers } from './methods/index.ts';
import { eventReply, fits, type Subscription } from './subscription.ts';

/** Longest message that is looked at, in characters. The host bounds bytes already; this holds without it. */
export const MAX_MESSAGE = 1 << 20;
/** Calls that may wait behind one that is being worked on. */
export const MAX_QUEUE = 64;

export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** The call that is being answered. */
interface Pending {
  readonly ticket: number;
  readonly method: string;
  readonly more: boolean;
  readonly oneway: boolean;
  readonly form: (answer: unknown) => Reply;
  readonly progress: ((progress: unknown) => Reply) | undefined;
}

export interface Session {
  readonly peer: Peer;
  readonly nextTicket: number;
  readonly pending: Pending | undefined;
  readonly subscription: Subscription | undefined;
  readonly queue: readonly string[];
  readonly closed: boolean;
}

export type Output =
  | { readonly send: string }
  | { readonly close: string }
  | { readonly change: Change; readonly ticket: number; readonly requestId: string | undefined }
  /** Core's reply did not fit the interface. It is sent all the same; this is for the log. */
  | { readonly fault: string };

export interface Step {
  readonly session: Session;
  readonly outputs: readonly Output[];
}

/** Parameters of a reply. */
export type Reply = Readonly<Record<string, unknown>>;

/** What a method's handler makes of a call. */
export type Handled =
  | { readonly reply: Reply }
  /** One of Varlink's own errors, by full name. */
  | { readonly error: string; readonly parameters: Reply }
  | {
      readonly change: Change;
      readonly requestId: string | undefined;
      readonly form: (answer: never) => Reply;
      readonly progress?: (progress: never) => Reply;
    }
  | { readonly subscribe: Subscription };

/** What a handler may know. `owner`: the peer may do everything. */
export interface CallContext {
  readonly manager: Manager;
  readonly peer: Peer;
  readonly owner: boolean;
}

export type Handler = (parameters: never, context: CallContext) => Handled;

export interface SessionContext {
  readonly manager: Manager;
  /** The uid that core runs as; it may do what root may. */
  readonly coreUid: number;
}

export const openSession = (peer: Peer): Session => ({
  peer,
  nextTicket: 1,
  pending: undefined,
  subscription: undefined,
  queue: [],
  closed: false,
});

const error = (name: string, parameters: object): string => JSON.stringify({ error: name, parameters });
const apiError = ({ error: name, ...fields }: ApiError): string => error(`io.sysmaster.Manager.${name}`, fields);

/** The session ends with a reason, which the client is told. */
function end(session: Session, why: string, todo: string): Step {
  const send = apiError({ error: 'BadMessage', unit: '', why, todo });
  return {
    session: { ...session, closed: true, queue: [], pending: undefined, subscription: undefined },
    outputs: [{ send }, { close: why }],
  };
}

interface Call {
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly more: boolean;
  readonly oneway: boolean;
  readonly upgrade: boolean;
}

const MEMBERS = new Set(['method', 'parameters', 'more', 'oneway', 'upgrade']);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A call, or why it is none. */
function parseCall(text: string): Call | string {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return 'the message is not JSON';
  }
  if (!isObject(message)) return 'the message is not a JSON object';
  const { method, parameters = {}, more = false, oneway = false, upgrade = false } = message;
  const stranger = Object.keys(message).find((key) => !MEMBERS.has(key));
  if (stranger !== undefined) return `the message has a member ${JSON.stringify(stranger.slice(0, 40))}`;
  if (typeof method !== 'string') return 'the message names no method';
  if (parameters !== null && !isObject(parameters)) return 'parameters is not an object';
  if (typeof more !== 'boolean' || typeof oneway !== 'boolean' || typeof upgrade !== 'boolean')
    return 'more, oneway and upgrade are true or false';
  return { method, parameters: parameters ?? {}, more, oneway, upgrade };
}

/** The message of a client. */
export function received(session: Session, text: string, context: SessionContext): Step {
  if (session.closed) return { session, outputs: [] };
  if (text.length > MAX_MESSAGE)
    return end(session, `a message of more than ${MAX_MESSAGE} characters`, 'send less at once');
  if (session.pending !== undefined || session.subscription !== undefined) {
    if (session.queue.length >= MAX_QUEUE)
      return end(session, `more than ${MAX_QUEUE} calls wait`, 'wait for answers, or use another connection');
    return { session: { ...session, queue: [...session.queue, text] }, outputs: [] };
  }
  return call(session, text, context);
}

function call(session: Session, text: string, context: SessionContext): Step {
  const parsed = parseCall(text);
  if (typeof parsed === 'string') return end(session, parsed, 'see https://varlink.org/Method-Call');
  const { method, oneway } = parsed;
  const answer = (send: string): Step => ({ session, outputs: oneway ? [] : [{ send }] });
  const dot = method.lastIndexOf('.');
  const at = interfaceOf(method.slice(0, Math.max(dot, 0)));
  if (at === undefined)
    return answer(error('org.varlink.service.InterfaceNotFound', { interface: method.slice(0, Math.max(dot, 0)) }));
  const idl = at.methods.get(method.slice(dot + 1));
  const handler = handlers.get(method);
  if (idl === undefined || handler === undefined)
    return answer(error('org.varlink.service.MethodNotFound', { method }));
  if (!may(session.peer.uid, method, context.coreUid)) {
    const why = `uid ${session.peer.uid} may not call ${method}`;
    return answer(
      apiError({ error: 'AccessDenied', unit: '', why, todo: `run it as root or as uid ${context.coreUid}` }),
    );
  }
  if (parsed.upgrade)
    return answer(
      error('org.varlink.service.InvalidParameter', { parameter: 'upgrade: no method takes the connection over' }),
    );
  const fault = faultOf(at, idl.input, parsed.parameters);
  if (fault !== undefined)
    return answer(error('org.varlink.service.InvalidParameter', { parameter: `${fault.path}: ${fault.why}` }));
  const handled = attempt(() =>
    handler(parsed.parameters as never, {
      manager: context.manager,
      peer: session.peer,
      owner: isOwner(session.peer.uid, context.coreUid),
    }),
  );
  if ('failed' in handled)
    return {
      session,
      outputs: [...(oneway ? [] : [{ send: apiError(handled.failed) }]), ...faultOutput(handled.fault)],
    };
  return carryOut(session, parsed, handled, at, idl);
}

const faultOutput = (fault: string | undefined): Output[] => (fault === undefined ? [] : [{ fault }]);

/** Law 7: what a handler throws costs this call, not the session. */
function attempt(handle: () => Handled): Handled | { readonly failed: ApiError; readonly fault: string | undefined } {
  try {
    return handle();
  } catch (thrown) {
    if (thrown instanceof ManagerError) return { failed: thrown.fault, fault: undefined };
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    const fault = thrown instanceof Error ? (thrown.stack ?? why) : why;
    return { failed: { error: 'Faulty', unit: '', why, todo: 'report it; the core log has the details' }, fault };
  }
}

function carryOut(session: Session, parsed: Call, handled: Handled, at: Interface, idl: IdlMethod): Step {
  const { method, more, oneway } = parsed;
  if ('reply' in handled) {
    return { session, outputs: oneway ? [] : reply(at, idl, handled.reply, false) };
  }
  if ('error' in handled) {
    return { session, outputs: oneway ? [] : [{ send: error(handled.error, handled.parameters) }] };
  }
  if ('subscribe' in handled) {
    if (!more || oneway)
      return { session, outputs: oneway ? [] : [{ send: error('org.varlink.service.ExpectedMore', {}) }] };
    return {
      session: { ...session, subscription: handled.subscribe },
      outputs: reply(at, idl, { event: { event: 'ready' } }, true),
    };
  }
  const ticket = session.nextTicket;
  const change: Output = { change: handled.change, ticket, requestId: handled.requestId };
  // Nobody waits for a one-way call, so the next one need not either.
  if (oneway) return { session: { ...session, nextTicket: ticket + 1 }, outputs: [change] };
  const pending: Pending = {
    ticket,
    method,
    more,
    oneway,
    form: handled.form as Pending['form'],
    progress: handled.progress as Pending['progress'],
  };
  return { session: { ...session, nextTicket: ticket + 1, pending }, outputs: [change] };
}

function reply(at: Interface, idl: IdlMethod, parameters: Reply, continues: boolean): Output[] {
  const fault = faultOf(at, idl.output, parameters);
  const send = JSON.stringify(continues ? { parameters, continues } : { parameters });
  return [
    { send },
    ...faultOutput(fault === undefined ? undefined : `${at.name}.${idl.name} answers ${fault.path}: ${fault.why}`),
  ];
}

/** Core's answer to a change. One that nobody waits for is dropped. */
export function answered(session: Session, ticket: number, answer: ChangeAnswer, context: SessionContext): Step {
  const { pending } = session;
  if (session.closed || pending === undefined || pending.ticket !== ticket) return { session, outputs: [] };
  const dot = pending.method.lastIndexOf('.');
  const at = interfaceOf(pending.method.slice(0, dot))!;
  const idl = at.methods.get(pending.method.slice(dot + 1))!;
  if ('progress' in answer) {
    if (!pending.more || pending.progress === undefined) return { session, outputs: [] };
    return { session, outputs: reply(at, idl, pending.progress(answer.progress), true) };
  }
  const outputs: Output[] =
    'error' in answer ? [{ send: apiError(answer.error) }] : reply(at, idl, pending.form(answer.result), false);
  return drain({ ...session, pending: undefined }, outputs, context);
}

/** Work on queued calls until one has to wait. At most {@link MAX_QUEUE} of them. */
function drain(start: Session, first: readonly Output[], context: SessionContext): Step {
  let session = start;
  const outputs = [...first];
  while (session.pending === undefined && session.subscription === undefined && !session.closed) {
    const [next, ...queue] = session.queue;
    if (next === undefined) break;
    const step = call({ ...session, queue }, next, context);
    session = step.session;
    outputs.push(...step.outputs);
  }
  return { session, outputs };
}

/** Something happened; told if the session subscribed to it. */
export function happened(session: Session, event: ManagerEvent): readonly Output[] {
  const { subscription } = session;
  if (subscription === undefined || session.closed || !fits(subscription, event)) return [];
  const at = interfaceOf('io.sysmaster.Events')!;
  return reply(at, at.methods.get('Subscribe')!, { event: eventReply(event) }, true);
}
