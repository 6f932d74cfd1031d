import { expect, test } from 'vitest';
import { parseAddress } from '../../src/host/node/address.ts';

test.each([
  ['/run/x.sock', { unix: '/run/x.sock' }],
  ['@abstract', { unix: '@abstract' }],
  ['8080', { port: 8080 }],
  ['127.0.0.1:80', { ip: '127.0.0.1', six: false, port: 80, scope: '' }],
  ['[::1]:443', { ip: '::1', six: true, port: 443, scope: '' }],
  ['[fe80::1%eth0]:53', { ip: 'fe80::1', six: true, port: 53, scope: 'eth0' }],
  ['vsock:2:1234', { vsock: { cid: 2, port: 1234 } }],
  ['vsock::1234', { vsock: { cid: 0xffff_ffff, port: 1234 } }],
])('%s is an address', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test.each([
  '',
  '@',
  'relative',
  '0',
  '65536',
  '127.0.0.1',
  '127.0.0.1:0',
  '[::1]',
  '[::1]:99999',
  '::1:80',
  'host:80',
  '80 ',
])('%j is no address', (text) => {
  expect(parseAddress(text)).toBeUndefined();
});
