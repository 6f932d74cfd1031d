/** [Socket]. Source: systemd.socket(5). */
import { parseListen } from '../syntax/address.ts';
import { isInterfaceName } from '../syntax/ip.ts';
import { parseInteger } from '../syntax/scalar.ts';
import { parseSize } from '../syntax/size.ts';
import { parseSpanUs } from '../syntax/timespan.ts';
import type { Listen, SocketSection } from '../types.ts';
import { known, section } from './build.ts';
import { cgroupDirectives } from './cgroup.ts';
import type { Checker, Context, Directive, Mutable, Parser } from './draft.ts';
import { defaultExec, execDirectives } from './exec.ts';
import {
  boolean,
  commands,
  isDescriptorName,
  mode,
  oneOf,
  oneOfOrBoolean,
  path,
  paths,
  principal,
  span,
  text,
  timeout,
  unitName,
  unsigned,
  verbatim,
} from './parsers.ts';

export function defaultSocket(): Mutable<SocketSection> {
  return {
    ...defaultExec(),
    Listen: [],
    Accept: false,
    Service: '',
    FileDescriptorName: '',
    Backlog: 4_294_967_295,
    SocketUser: '',
    SocketGroup: '',
    SocketMode: 0o666,
    DirectoryMode: 0o755,
    RemoveOnStop: false,
    Symlinks: [],
    FlushPending: false,
    TriggerLimitIntervalSec: 2000,
    TriggerLimitBurst: -1, // settled by finishSocket, since it depends on Accept=
    MaxConnections: 64,
    TimeoutSec: 90_000,
    ExecStartPre: [],
    ExecStartPost: [],
    ExecStopPre: [],
    ExecStopPost: [],
    options: {},
  };
}

/** Triggers in an interval before the socket is given up: fewer if one trigger serves many connections. */
export function finishSocket(socket: Mutable<SocketSection>, name: string): void {
  if (socket.TriggerLimitBurst < 0) socket.TriggerLimitBurst = socket.Accept ? 200 : 20;
  if (socket.FileDescriptorName === '') socket.FileDescriptorName = socket.Accept ? 'connection' : name;
}

const LISTENERS: readonly (readonly [key: string, kind: Listen['kind']])[] = [
  ['ListenStream', 'stream'],
  ['ListenDatagram', 'datagram'],
  ['ListenSequentialPacket', 'seqpacket'],
  ['ListenFIFO', 'fifo'],
  ['ListenNetlink', 'netlink'],
  ['ListenSpecial', 'special'],
  ['ListenMessageQueue', 'message-queue'],
];

type Option = string | number | boolean;

/** Values of `options` are what the port hands to the kernel: times in seconds, sizes in bytes. */
const INT_MAX = 2_147_483_647;
const seconds: Parser<Option> = (value, ctx) => {
  const us = parseSpanUs(value, 1_000_000);
  if (us === undefined) {
    ctx.fault('not a time span', 'use for example 90 or 1min');
    return undefined;
  }
  if (us === 'infinity') return INT_MAX;
  return Math.round(us / 1_000_000);
};
const bytes: Parser<Option> = (value, ctx) => {
  const parsed = parseSize(value);
  if (parsed === undefined) ctx.fault('not a size', 'use bytes, or a number with K, M or G');
  return parsed;
};
const whole =
  (least: number, most: number): Parser<Option> =>
  (value, ctx) => {
    const parsed = parseInteger(value, least, most);
    if (parsed === undefined) ctx.fault(`not a whole number from ${least} to ${most}`, 'use a number in that range');
    return parsed;
  };
const TOS: Readonly<Record<string, number>> = { 'low-delay': 16, throughput: 8, reliability: 4, 'low-cost': 2 };
const tos: Parser<Option> = (value, ctx, current) =>
  (Object.hasOwn(TOS, value) ? TOS[value] : undefined) ?? whole(0, 255)(value, ctx, current);
const device: Parser<Option> = (value, ctx) => {
  if (value === '' || value === '*') return '';
  if (isInterfaceName(value)) return value; // specifiers are not resolved here
  ctx.fault('not the name of an interface', 'use a name such as eth0');
  return undefined;
};
const asOption = (parser: Checker) => parser as Parser<Option>;

const EMPTIED: ReadonlySet<string> = new Set(['BindToDevice', 'TCPCongestion', 'IPTOS']);

const OPTIONS: readonly (readonly [key: string, parser: Parser<Option>, form: string])[] = [
  [
    'BindIPv6Only',
    asOption(oneOfOrBoolean('a binding', ['default', 'both', 'ipv6-only'], 'ipv6-only', 'both')),
    'default|both|ipv6-only',
  ],
  ['BindToDevice', device, 'INTERFACE'],
  ['KeepAlive', asOption(boolean), 'BOOLEAN'],
  ['KeepAliveTimeSec', seconds, 'SECONDS'],
  ['KeepAliveIntervalSec', seconds, 'SECONDS'],
  ['KeepAliveProbes', whole(0, 4_294_967_295), 'UNSIGNED'],
  ['NoDelay', asOption(boolean), 'BOOLEAN'],
  ['Priority', whole(-2_147_483_648, 2_147_483_647), 'INTEGER'],
  ['DeferAcceptSec', seconds, 'SECONDS'],
  ['ReceiveBuffer', bytes, 'SIZE'],
  ['SendBuffer', bytes, 'SIZE'],
  ['IPTOS', tos, 'TOS'],
  ['IPTTL', whole(-INT_MAX - 1, INT_MAX), 'INTEGER'],
  ['Mark', whole(-INT_MAX - 1, INT_MAX), 'INTEGER'],
  ['ReusePort', asOption(boolean), 'BOOLEAN'],
  ['PipeSize', bytes, 'SIZE'],
  ['MessageQueueMaxMessages', whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), 'LONG'],
  ['MessageQueueMessageSize', whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), 'LONG'],
  ['FreeBind', asOption(boolean), 'BOOLEAN'],
  ['Transparent', asOption(boolean), 'BOOLEAN'],
  ['Broadcast', asOption(boolean), 'BOOLEAN'],
  ['PassCredentials', asOption(boolean), 'BOOLEAN'],
  ['PassSecurity', asOption(boolean), 'BOOLEAN'],
  ['PassPacketInfo', asOption(boolean), 'BOOLEAN'],
  [
    'Timestamping',
    asOption(oneOfOrBoolean('a kind of time stamp', ['off', 'us', 'usec', 'ns', 'nsec'], 'us', 'off')),
    'BOOLEAN',
  ],
  ['TCPCongestion', asOption(verbatim), 'STRING'],
  ['SocketProtocol', asOption(oneOf('a protocol', ['udplite', 'sctp', 'mptcp'])), 'PROTOCOL'],
  ['Writable', asOption(boolean), 'BOOLEAN'],
];

const descriptorName: Parser<string> = (value, ctx) => {
  if (value === '') return '';
  const name = ctx.expand(value);
  if (name === undefined) return undefined;
  if (!isDescriptorName(name)) {
    ctx.fault('not a name for a descriptor', 'use up to 255 characters without colons');
    return undefined;
  }
  return name;
};

function listen(target: Mutable<SocketSection>, kind: Listen['kind'], value: string, ctx: Context): void {
  if (value === '') {
    target.Listen = []; // any empty Listen…= empties the whole list
    return;
  }
  const expanded = ctx.expand(value);
  if (expanded === undefined) return;
  const parsed = parseListen(kind, expanded);
  if ('fault' in parsed) ctx.fault(parsed.fault, 'see ListenStream= in systemd.socket(5)');
  else target.Listen = [...target.Listen, parsed];
}

const socket = section<SocketSection>('Socket', (draft) => draft.socket);

export const socketDirectives: readonly Directive[] = [
  ...LISTENERS.map(([key, kind]) =>
    socket.does(key, (target, value, ctx) => listen(target, kind, value, ctx), { form: 'ADDRESS' }),
  ),
  ...OPTIONS.map(([key, parser, form]) =>
    socket.does(
      key,
      (target, value, ctx) => {
        // Words may be emptied; numbers and booleans have no empty form.
        const empty = value === '' && EMPTIED.has(key);
        const parsed = empty ? undefined : parser(value, ctx, '');
        if (empty) target.options = Object.fromEntries(Object.entries(target.options).filter(([name]) => name !== key));
        else if (parsed !== undefined) target.options = { ...target.options, [key]: parsed };
      },
      { form },
    ),
  ),
  socket.set('Accept', 'Accept', boolean),
  socket.set('Service', 'Service', unitName('service'), { form: 'SERVICE' }),
  socket.set('FileDescriptorName', 'FileDescriptorName', descriptorName),
  socket.set('Backlog', 'Backlog', unsigned),
  socket.set('SocketUser', 'SocketUser', principal, { form: 'USER' }),
  socket.set('SocketGroup', 'SocketGroup', principal, { form: 'GROUP' }),
  socket.set('SocketMode', 'SocketMode', mode),
  socket.set('DirectoryMode', 'DirectoryMode', mode),
  socket.set('RemoveOnStop', 'RemoveOnStop', boolean),
  socket.set('Symlinks', 'Symlinks', paths(), { form: 'PATH...' }),
  socket.set('FlushPending', 'FlushPending', boolean),
  socket.set('TriggerLimitIntervalSec', 'TriggerLimitIntervalSec', span),
  socket.set('TriggerLimitBurst', 'TriggerLimitBurst', unsigned),
  socket.set('MaxConnections', 'MaxConnections', unsigned),
  socket.set('TimeoutSec', 'TimeoutSec', timeout, { form: 'SECONDS' }),
  socket.set('ExecStartPre', 'ExecStartPre', commands, { form: 'COMMAND...' }),
  socket.set('ExecStartPost', 'ExecStartPost', commands, { form: 'COMMAND...' }),
  socket.set('ExecStopPre', 'ExecStopPre', commands, { form: 'COMMAND...' }),
  socket.set('ExecStopPost', 'ExecStopPost', commands, { form: 'COMMAND...' }),
  ...known('Socket', 'MaxConnectionsPerSource', unsigned),
  // Newer than 252.
  ...known('Socket', 'PollLimitIntervalSec', span),
  ...known('Socket', 'PollLimitBurst', unsigned),
  ...known('Socket', 'PassFileDescriptorsToExec', boolean),
  ...known('Socket', 'SELinuxContextFromNet', boolean),
  ...known('Socket', 'ListenUSBFunction', path),
  ...known('Socket', 'SmackLabel SmackLabelIPIn SmackLabelIPOut', text),
  ...execDirectives('Socket', (draft) => draft.socket),
  ...cgroupDirectives(
    'Socket',
    (draft) => draft.socket,
    (draft) => draft.socket,
  ),
];
