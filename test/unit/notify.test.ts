import { expect, test } from 'vitest';
import { parseNotify } from '../../src/actors/notify.ts';

test.each([
  ['READY=1\nSTATUS=Up and running', { ready: true, status: 'Up and running' }, []],
  ['RELOADING=1\nMONOTONIC_USEC=123456789', { reloading: true, monotonicUsec: 123456789 }, []],
  ['MAINPID=4711\nWATCHDOG=1', { mainPid: 4711, watchdog: 'ping' }, []],
  ['WATCHDOG=trigger\nWATCHDOG_USEC=2000000', { watchdog: 'trigger', watchdogUsec: 2000000 }, []],
  ['STATUS=a=b=c', { status: 'a=b=c' }, []],
  ['FDSTORE=1\nFDNAME=conn', { fdstore: true, fdname: 'conn' }, []],
  [
    'READY=0\nMAINPID=-1\nMAINPID=99999999999999999999\nNOISE\nX_OWN=1\nFDNAME=a:b',
    {},
    ['READY=0', 'MAINPID=-1', 'MAINPID=99999999999999999999', 'NOISE', 'FDNAME=a:b'],
  ],
  ['', {}, []],
  ['__proto__=1\nconstructor=2', {}, ['__proto__=1', 'constructor=2']],
])('a datagram %j says what it says, and what was not understood is named', (text, message, unknown) => {
  expect(parseNotify(text)).toEqual({ message, unknown });
});
