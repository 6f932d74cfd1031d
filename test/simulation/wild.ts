/**
 * Random sets of units of the rarer sorts, for a live systemd and for us: aliases, templates, masked, missing and faulty units,
 * drop-ins, links in `.wants`, slices, sockets, paths, job modes of OnFailure=, start limits, jobs with a timeout; and requests of
 * all types of jobs, some made while the jobs of the one before still run.
 *
 * {@link generate.ts} makes the plain ones. What ends another way on a slow machine than on a fast one is left out here too: what
 * takes its time takes either no time, or longer than it is until the next request.
 */
import { randomStream } from '../../src/host/sim/kernel.ts';
import type { JobMode, RequestVerb } from '../../src/jobs/types.ts';
import { type SetRequest, STARTERS, type UnitSet, VERBS } from './generate.ts';

type Weighted<T> = readonly (readonly [T, number])[];

const KINDS: Weighted<string> = [
  ['Requires', 6],
  ['Wants', 6],
  ['BindsTo', 3],
  ['Requisite', 3],
  ['PartOf', 3],
  ['Upholds', 1],
  ['Conflicts', 3],
  ['PropagatesReloadTo', 2],
  ['ReloadPropagatedFrom', 1],
  ['PropagatesStopTo', 2],
  ['StopPropagatedFrom', 1],
  ['OnFailure', 3],
  ['OnSuccess', 2],
  ['JoinsNamespaceOf', 1],
];
const TYPES: Weighted<string> = [
  ['service', 12],
  ['target', 4],
  ['slice', 1],
  ['socket', 1],
  ['path', 1],
];
const ALL_VERBS: Weighted<RequestVerb> = [...VERBS, ['verify-active', 1], ['try-reload', 1], ['reload-or-start', 1]];
const MODES: Weighted<JobMode> = [
  ['replace', 10],
  ['fail', 3],
  ['isolate', 1],
  ['flush', 1],
  ['ignore-dependencies', 1],
  ['ignore-requirements', 1],
  ['replace-irreversibly', 1],
  ['triggering', 1],
];
const RULE_MODES = ['fail', 'replace-irreversibly', 'ignore-dependencies', 'ignore-requirements', 'flush', 'isolate'];

/** A set from its seed; names begin with the prefix, so that sets can be loaded side by side. */
export function wildSet(seed: number, prefix: string, most = 40): UnitSet {
  const random = randomStream(seed);
  const below = (count: number) => Math.floor(random() * count);
  const chance = (of: number) => random() < of;
  const one = <T>(choices: readonly T[]) => choices[below(choices.length)] as T;
  const weighted = <T>(choices: Weighted<T>): T => {
    let left = random() * choices.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [choice, weight] of choices) {
      left -= weight;
      if (left < 0) return choice;
    }
    return choices[0]![0];
  };

  const count = 3 + Math.floor(random() ** 2 * (most - 2));
  const units = Array.from({ length: count }, (_, index) => {
    const type = weighted(TYPES);
    const stem = `${prefix}${String(index).padStart(2, '0')}`;
    const instance = type === 'service' && chance(0.12);
    const file = `${stem}${instance ? '@' : ''}.${type}`;
    const special = chance(0.06) ? one(['masked', 'missing', 'broken'] as const) : undefined;
    const alias =
      special === undefined && !instance && type !== 'slice' && chance(0.12) ? `${stem}a.${type}` : undefined;
    return { stem, type, file, name: instance ? `${stem}@i.service` : file, special, alias };
  });
  const files: Record<string, string> = {};
  const meaning: Record<string, string> = {};
  const sections = units.map(() => ({ main: [] as string[], dropIn: [] as string[], links: [] as string[] }));
  const said = units.map(() => [] as string[]);
  const called = (index: number) => (chance(0.5) ? units[index]!.alias : undefined) ?? units[index]!.name;
  const relate = (from: number, kind: string, to: number) => {
    const unit = units[from]!;
    if (unit.special !== undefined && kind !== 'Wants' && kind !== 'Requires') return;
    const link = (kind === 'Wants' || kind === 'Requires') && chance(0.15);
    if (unit.special !== undefined && !link) return;
    if (link) files[`${unit.name}.${kind.toLowerCase()}/${units[to]!.name}`] = `-> ../${units[to]!.file}`;
    else if (unit.name === unit.file && kind === 'OnFailure' && units[to]!.name.includes('@') && chance(0.5)) {
      sections[from]!.main.push(`OnFailure=${units[to]!.stem}@i.%p`.replace('%p', 'service'));
    } else (chance(0.15) ? sections[from]!.dropIn : sections[from]!.main).push(`${kind}=${called(to)}`);
    said[from]!.push(`${kind}=${units[to]!.name}`);
  };
  const rank = units.map(() => random());
  const cycles = chance(0.15);
  const order = (a: number, b: number) => {
    if (a === b) return;
    const [first, second] = cycles || rank[a]! < rank[b]! ? [a, b] : [b, a];
    if (chance(0.7)) relate(second, 'After', first);
    else relate(first, 'Before', second);
  };
  const edges = Math.floor(count * (1 + random() * 1.2));
  for (let edge = 0; edge < edges; edge += 1) {
    let [a, b] = [below(count), below(count)];
    if (a === b) continue;
    const kind = weighted(KINDS);
    if (STARTERS.has(kind) && a < b) [a, b] = [b, a];
    relate(a, kind, b);
    if (chance(0.6)) order(a, b);
  }
  for (let edge = 0; edge < count / 2; edge += 1) order(below(count), below(count));

  const sh = (script: string) => `/bin/sh -c '${script}'`;
  const service = (): string[] => {
    const reloads = chance(0.5) ? [`ExecReload=${sh(one(['exit 0', 'exit 1', 'sleep 0.8']))}`] : [];
    const stays = chance(0.5) ? ['RemainAfterExit=yes'] : [];
    const slowStop = chance(0.2) ? [`ExecStop=${sh('sleep 0.8')}`] : [];
    const daemon = `ExecStart=${sh('exec sleep 1000')}`;
    return one<() => string[]>([
      () => [daemon, ...reloads, ...slowStop],
      () => [daemon, ...reloads],
      () => ['Type=exec', daemon, ...reloads, ...slowStop],
      () => ['Type=oneshot', `ExecStart=${sh('exit 0')}`, ...stays, ...slowStop],
      () => ['Type=oneshot', `ExecStart=${sh('sleep 0.8')}`, ...stays],
      () => ['Type=oneshot', `ExecStart=${sh('sleep 0.8; exit 1')}`],
      () => ['Type=oneshot', `ExecStart=${sh('exit 1')}`],
      () => ['Type=oneshot', `ExecStart=${sh('exit 1')}`, 'SuccessExitStatus=1', ...stays],
      () => [daemon, `ExecCondition=${sh(one(['exit 0', 'exit 1']))}`],
      () => [daemon, `ExecStartPost=${sh(one(['exit 1', 'sleep 0.8']))}`],
      () => ['Type=oneshot', `ExecStart=${sh('exit 1')}`, 'Restart=on-failure', 'RestartSec=0', 'StartLimitBurst=3'],
      () => ['Type=oneshot', `ExecStart=${sh('exec sleep 1000')}`, 'JobRunningTimeoutSec=800ms'],
      () => ['Type=oneshot', `ExecStart=${sh('exec sleep 1000')}`, 'TimeoutStartSec=800ms'],
      () => ['Type=exec', 'ExecStart=/bin/nowhere'],
    ])();
  };
  for (const [index, unit] of units.entries()) {
    const { stem, name, file, type, special, alias } = unit;
    meaning[name] = said[index]!.join('\n');
    if (special === 'missing') continue;
    if (special === 'masked') {
      files[file] = '-> /dev/null';
      continue;
    }
    const { main, dropIn } = sections[index]!;
    const head = ['DefaultDependencies=no'];
    for (const [line, share] of [
      ['RefuseManualStart=yes', 0.04],
      ['RefuseManualStop=yes', 0.04],
      ['StopWhenUnneeded=yes', 0.06],
      ['ConditionPathExists=/nowhere', 0.05],
      ['AssertPathExists=/nowhere', 0.03],
      [`OnFailureJobMode=${one(RULE_MODES)}`, 0.1],
      [`OnSuccessJobMode=${one(RULE_MODES)}`, 0.1],
      ['AllowIsolate=yes', type === 'target' ? 0.6 : 0.3],
      ['IgnoreOnIsolate=yes', 0.08],
      ['CollectMode=inactive-or-failed', 0.08],
    ] as const)
      if (chance(share)) head.push(line);
    const body = type === 'service' ? service() : [];
    const inUnit = (line: string) => /^(Job|StartLimit)/.test(line);
    if (type === 'service') head.push('StartLimitIntervalSec=1h', `StartLimitBurst=${chance(0.1) ? 2 : 8}`);
    head.push(...body.filter(inUnit));
    const own = body.filter((line) => !inUnit(line));
    if (type === 'socket') own.push(`ListenStream=/run/${stem}.sock`);
    if (type === 'path') own.push('PathExists=/nowhere');
    const slices = units.flatMap((other, at) => (other.type === 'slice' && at !== index ? [other] : []));
    if (type === 'service' && slices.length > 0 && chance(0.4)) {
      const slice = one(slices).name;
      own.push(`Slice=${slice}`);
      meaning[name] += `\nRequires=${slice}\nAfter=${slice}`;
    }
    // A service that a socket or path starts is one of the set, most of the time.
    const services = units.filter((other) => other.type === 'service');
    if ((type === 'socket' || type === 'path') && services.length > 0) {
      const served = one(services).name;
      own.push(`${type === 'socket' ? 'Service' : 'Unit'}=${served}`);
      meaning[name] += `\nBefore=${served}`;
    }
    if (special === 'broken') head.push('Wants=/');
    const section = { service: 'Service', socket: 'Socket', path: 'Path' }[type];
    const settings = special === 'broken' && type === 'service' ? ['ExecStart=not/absolute'] : own;
    meaning[name] = [...head, ...own, ...meaning[name]!.split('\n')].join('\n');
    files[file] =
      `[Unit]\n${[...head, ...main].join('\n')}\n${section === undefined ? '' : `[${section}]\n${settings.join('\n')}\n`}`;
    if (dropIn.length > 0) files[`${name}.d/10-more.conf`] = `[Unit]\n${dropIn.join('\n')}\n`;
    if (alias !== undefined) files[alias] = `-> ${file}`;
  }

  const request = (first: boolean): SetRequest => {
    const several = chance(0.15) ? 2 : 1;
    const named = Array.from({ length: several }, () => called(below(count)));
    const verb = first ? 'start' : weighted(ALL_VERBS);
    return { verb, units: [...new Set(named)], mode: first ? 'replace' : weighted(MODES) };
  };
  const requests = Array.from({ length: 4 + below(4) }, (_, index): SetRequest => {
    const now = request(index === 0);
    return chance(0.4) ? { ...now, next: request(false) } : now;
  });
  return { seed, units: files, meaning, requests };
}
