/**
 * All sessions of the API socket: what core wires between the host's `client` events, its own queue, and the port.
 *
 * `opened`, `message` and `closed` come in through {@link Sessions.client}; changes go to Manager.change; answers come
 * back through {@link Sessions.answered}; what happened through {@link Sessions.publish}. A session's state is set before
 * its outputs are carried out, so Manager may answer from within `change`.
 */
import type { ApiPort, ClientEvent, LogPort } from '../host/ports.ts';
import type { ChangeAnswer, Manager, ManagerEvent } from './manager.ts';
import { isOwner } from './may.ts';
import {
  answered,
  happened,
  type Output,
  openSession,
  type Peer,
  received,
  type Session,
  type SessionContext,
  type Step,
} from './session.ts';

/** Sessions at one time; a new one is refused. */
export const MAX_SESSIONS = 512;
/** Sessions of all strangers together (neither root nor core's own uid), so that they cannot lock root out. */
export const MAX_STRANGERS = 256;
/** Sessions of one stranger's uid. */
export const MAX_SESSIONS_PER_UID = 64;

export interface Sessions {
  /** An event of the host. Unknown sessions are no error: a session may be closed from both sides at once. */
  client(session: number, what: ClientEvent): void;
  /** Core's word on a change; see Manager.change. */
  answered(session: number, ticket: number, answer: ChangeAnswer): void;
  /** Tell subscribers. */
  publish(event: ManagerEvent): void;
  /** Is there a client that subscribes to news of this very unit? */
  watches(unit: string): boolean;
  /** How many there are. */
  readonly open: number;
}

export interface SessionsOptions {
  readonly manager: Manager;
  readonly port: ApiPort;
  readonly log: LogPort;
  /** The uid that core runs as. */
  readonly coreUid: number;
  /** A client is gone for which these units were to be kept; see {@link Sessions.watches}. */
  unwatched?(names: readonly string[]): void;
}

export function createSessions({ manager, port, log, coreUid, unwatched }: SessionsOptions): Sessions {
  const context: SessionContext = { manager, coreUid };
  const sessions = new Map<number, Session>();

  const drop = (id: number): void => {
    const names = [...(sessions.get(id)?.subscription?.names ?? [])];
    if (sessions.delete(id)) manager.forget(id);
    if (names.length > 0) unwatched?.(names);
  };

  const carryOut = (id: number, session: Session, outputs: readonly Output[]): void => {
    const { pid, uid, gid } = session.peer;
    for (const output of outputs) {
      if ('send' in output) port.send(id, output.send);
      else if ('change' in output)
        manager.change({ session: id, ticket: output.ticket, pid, uid, gid }, output.requestId, output.change);
      else if ('fault' in output)
        log.log('warning', { session: id, pid, fault: output.fault }, 'faulty reply of the API');
      else {
        log.log('notice', { session: id, pid, uid, why: output.close }, 'client sent away');
        drop(id);
        port.close(id);
      }
    }
  };

  const step = (id: number, { session, outputs }: Step): void => {
    sessions.set(id, session);
    carryOut(id, session, outputs);
  };

  /** Why there is no room for the peer; undefined: there is. */
  const noRoom = (uid: number): string | undefined => {
    if (sessions.size >= MAX_SESSIONS) return `${MAX_SESSIONS} sessions are open`;
    if (isOwner(uid, coreUid)) return undefined;
    const strangers = [...sessions.values()].filter(({ peer }) => !isOwner(peer.uid, coreUid));
    if (strangers.length >= MAX_STRANGERS) return `${MAX_STRANGERS} sessions of other users are open`;
    const own = strangers.filter(({ peer }) => peer.uid === uid).length;
    return own >= MAX_SESSIONS_PER_UID ? `uid ${uid} has ${own} sessions open` : undefined;
  };

  const opened = (id: number, peer: Peer): void => {
    const why = noRoom(peer.uid);
    if (why !== undefined) {
      port.send(
        id,
        JSON.stringify({
          error: 'io.sysmaster.Manager.Busy',
          parameters: { unit: '', why, todo: 'close some, or try again later' },
        }),
      );
      port.close(id);
      log.log('warning', { session: id, pid: peer.pid, uid: peer.uid, why }, 'client refused');
      return;
    }
    sessions.set(id, openSession(peer));
  };

  return {
    client(id, what) {
      if ('opened' in what) return opened(id, what.opened);
      const session = sessions.get(id);
      if (session === undefined) return;
      if ('message' in what) return step(id, received(session, what.message, context));
      drop(id);
    },
    answered(id, ticket, answer) {
      const session = sessions.get(id);
      if (session !== undefined) step(id, answered(session, ticket, answer, context));
    },
    publish(event) {
      for (const [id, session] of [...sessions]) carryOut(id, session, happened(session, event));
    },
    watches(unit) {
      for (const { subscription } of sessions.values()) if (subscription?.names.has(unit)) return true;
      return false;
    },
    get open() {
      return sessions.size;
    },
  };
}
