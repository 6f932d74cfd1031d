/** Sockets: connections that wait while nobody is there, several listeners, and services that will not come. */
import { type Life, programs, service, unit } from './life.ts';

export const socketLives: readonly Life[] = [
  {
    name: 'connections that wait at two listeners while the service starts, stops and starts again',
    units: {
      'a.socket': unit(
        '[Socket]\nListenStream=/run/a.sock\nListenStream=127.0.0.1:80\nSymlinks=/run/link.sock\nRemoveOnStop=yes\n',
      ),
      'a.service': service('ExecStartPre=/bin/true\nExecStart=/bin/polite'),
    },
    programs,
    wishes: [
      { atMs: 20, verb: 'start', units: ['a.socket'] },
      { atMs: 500, verb: 'stop', units: ['a.service'] },
      { atMs: 900, verb: 'stop', units: ['a.socket', 'a.service'] },
      { atMs: 1_000, verb: 'start', units: ['a.socket'] },
    ],
    outside: [
      { atMs: 200, connect: 'listen:a.socket:1' },
      { atMs: 205, connect: 'listen:a.socket:0' },
      { atMs: 510, connect: 'listen:a.socket:1' },
    ],
    forMs: 4_000,
    end: { 'a.socket': 'listening success' },
  },
  {
    name: 'a datagram socket and a FIFO whose service fails each time',
    units: {
      'a.socket': unit('[Socket]\nListenDatagram=/run/a.dgram\nTriggerLimitBurst=3\nTriggerLimitIntervalSec=1h\n'),
      'a.service': service('ExecStart=/bin/dies', 'StartLimitIntervalSec=0'),
      'b.socket': unit('[Socket]\nListenFIFO=/run/b.fifo\nService=c.service\n'),
      'c.service': service('ExecStart=/bin/dies', 'StartLimitBurst=2\nStartLimitIntervalSec=1h'),
    },
    programs,
    wishes: [{ atMs: 20, verb: 'start', units: ['a.socket', 'b.socket'] }],
    outside: [
      { atMs: 200, connect: 'listen:a.socket:0' },
      { atMs: 900, connect: 'listen:b.socket:0' },
    ],
    forMs: 5_000,
    end: {},
  },
];
