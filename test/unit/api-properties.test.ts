/** What `show` tells of a unit's settings, held against the table of directives: what is honoured can be seen. */
import { describe, expect, test } from 'vitest';
import { unitProperties } from '../../src/api/properties/unit.ts';
import { propertiesOf } from '../../src/units/directives/properties.ts';
import { createGraph, createUnitLoader, DIRECTIVES, type Directive, plainPaths } from '../../src/units/index.ts';
import { fakeState } from './support/fake-units.ts';
import { memoryFiles, testFacts } from './units-support.ts';

const resting = fakeState('inactive', 'dead');

/** A unit of each section, with as little in it as it needs. */
const PLAIN: Readonly<Record<string, readonly [name: string, text: string]>> = {
  Unit: ['a.target', ''],
  Service: ['a.service', '[Service]\nExecStart=/bin/true\n'],
  Socket: ['a.socket', '[Socket]\nListenStream=/a\n'],
  Timer: ['a.timer', '[Timer]\nOnBootSec=1\n'],
  Path: ['a.path', '[Path]\nPathExists=/a\n'],
  Mount: ['a.mount', '[Mount]\nWhat=/dev/a\nWhere=/a\n'],
  Automount: ['a.automount', '[Automount]\nWhere=/a\n'],
  Swap: ['dev-a.swap', '[Swap]\nWhat=/dev/a\n'],
  Slice: ['a.slice', '[Slice]\n'],
};

function shown(section: string, setting = ''): Record<string, string> {
  const [name, text] = PLAIN[section]!;
  const files = memoryFiles({ [`/u/${name}`]: `${text}[${section}]\n${setting}\n` });
  const graph = createGraph(createUnitLoader({ files, facts: testFacts, paths: plainPaths(['/u']) }));
  const unit = graph.load(name);
  const faults = unit.findings.filter(({ severity }) => severity !== 'note');
  if (faults.length > 0) throw new Error(`the sample ${setting} is faulty: ${faults[0]!.why}`);
  return unitProperties({ unit, state: resting, preset: '' }, graph.allEdges(name));
}

/** A value other than the default: by key where a form has several meanings, else by form. */
const BY_KEY: Readonly<Record<string, string>> = {
  CollectMode: 'inactive-or-failed',
  OnSuccessJobMode: 'isolate',
  OnFailureJobMode: 'isolate',
  JobTimeoutAction: 'reboot',
  StartLimitAction: 'reboot',
  FailureAction: 'reboot',
  SuccessAction: 'reboot',
  'Service.Type': 'exec',
  'Path.Unit': 'x.target',
  // The first empties the list.
  'Service.ExecStart': '\nExecStart=/bin/x',
  ExitType: 'cgroup',
  TimeoutStartFailureMode: 'abort',
  TimeoutStopFailureMode: 'abort',
  Restart: 'on-failure',
  NotifyAccess: 'main',
  OOMPolicy: 'continue',
  RuntimeDirectoryPreserve: 'yes',
  CPUQuotaPeriodSec: '500ms',
  WorkingDirectory: '/var',
  Timestamping: 'us',
  Personality: 'x86',
  ListenNetlink: 'kobject-uevent 1',
  ListenFIFO: '/fifo',
  ListenSpecial: '/dev/x',
  ListenMessageQueue: '/queue',
  IgnoreSIGPIPE: 'no',
  PassEnvironment: 'LANG',
  UnsetEnvironment: 'LANG',
};
const BY_FORM: Readonly<Record<string, string>> = {
  STRING: 'x',
  'URL...': 'man:x(1)',
  PATH: '/x',
  'PATH...': '/x',
  'UNIT...': 'x.service',
  SECONDS: '77',
  UNSIGNED: '7',
  STATUS: '7',
  'STATUS...': '7',
  CONDITION: '/x',
  BUSNAME: 'org.x',
  'COMMAND...': '/bin/x',
  'SOCKET...': 'x.socket',
  USER: 'games',
  GROUP: 'games',
  'GROUP...': 'games',
  MODE: '0711',
  NICE: '7',
  INTEGER: '7',
  IOCLASS: 'idle',
  IOPRIORITY: '7',
  CPUSCHEDPOLICY: 'batch',
  CPUSCHEDPRIO: '7',
  CPUS: '0',
  'NAME=value...': 'A=1',
  INPUT: 'tty',
  OUTPUT: 'tty',
  LEVEL: 'debug',
  LIMIT: '7',
  'CAPABILITY...': 'CAP_KILL',
  ARCHITECTURE: 'x86-64',
  'DIRECTORY...': 'x',
  'control-group|mixed|process|none': 'mixed',
  SIGNAL: 'SIGUSR1',
  SLICE: 'x.slice',
  BYTES: '8M',
  NUMBER: '7',
  WEIGHT: '7',
  NODES: '0',
  PERCENT: '20%',
  'BOOLEAN or CONTROLLER...': 'yes',
  ADDRESS: '/b',
  'default|both|ipv6-only': 'both',
  INTERFACE: 'eth0',
  SIZE: '8M',
  TOS: 'low-delay',
  LONG: '7',
  PROTOCOL: 'sctp',
  SERVICE: 'x.service',
};
/** Conditions that take no path. */
const CONDITIONS: Readonly<Record<string, string>> = { FirstBoot: 'yes', ACPower: 'yes' };

function sample({ section, key, form, default: standard }: Directive): string {
  const own = BY_KEY[`${section}.${key}`] ?? BY_KEY[key] ?? CONDITIONS[key.replace(/^(Condition|Assert)/, '')];
  if (own !== undefined) return own;
  if (form === 'BOOLEAN') return standard === 'yes' ? 'no' : 'yes';
  return BY_FORM[form] ?? 'x';
}

describe('show', () => {
  test.each(Object.keys(PLAIN))('tells of every setting of [%s] that is honoured', (section) => {
    const before = shown(section);
    const rows = DIRECTIVES.filter((row) => row.status === 'honoured' && row.section === section);
    const silent = rows.flatMap((row) => {
      const properties = propertiesOf(row);
      if (properties.length === 0 || (section === 'Slice' && row.key === 'Slice')) return [];
      const after = shown(section, `${row.key}=${sample(row)}`);
      return properties
        .filter((property) => after[property] === undefined || after[property] === before[property])
        .map((property) => `${row.key}=${sample(row)}: ${property}=${after[property]}`);
    });
    expect(silent).toEqual([]);
  });
});
