/**
 * A client without a manager: what concerns unit files alone, answered from a tree of files (`--root=`).
 *
 * It answers the methods of the API that are about unit files, so that the commands need not know whom they ask; everything
 * else is refused. Paths in answers are those outside of the tree.
 */
import { rootedFiles, systemPaths, unitFileState } from '../../units/index.ts';
import { defaultTarget } from '../../units/install.ts';
import type { InstallRequest } from '../../units/install-plan.ts';
import { runInstall } from '../../units/install-run.ts';
import { createUnitLoader } from '../../units/load.ts';
import { presetDirectories, presetOf, readPresets } from '../../units/preset.ts';
import { matchesGlob } from '../../units/syntax/glob.ts';
import { CallError, type Client } from '../client.ts';
import { CliError, type Context } from '../context.ts';
import { offlineFacts, plainFiles } from '../offline.ts';
import type { UnitFile } from '../wire.ts';

interface Filter {
  readonly patterns?: readonly string[];
  readonly types?: readonly string[];
  readonly states?: readonly string[];
}

interface ChangeFiles {
  readonly verb: InstallRequest['verb'];
  readonly names: readonly string[];
  readonly runtime?: boolean;
  readonly force?: boolean;
  readonly presetMode?: InstallRequest['presetMode'];
  readonly target?: string;
  readonly dryRun?: boolean;
}

/** @param root the directory that is the root of the tree */
export function createLocalClient(context: Context, root: string): Client {
  const prefix = root === '/' ? '' : root.replace(/\/+$/, '');
  const files = rootedFiles(plainFiles(), root);
  if (files.stat('/')?.kind !== 'directory') throw new CliError(`${root}: not a directory`);
  const facts = { ...offlineFacts(context), environment: {}, runDirectory: '/run/sysmaster' };
  const paths = systemPaths({}, facts.runDirectory);
  const loader = createUnitLoader({ files, facts, paths });
  const rules = () => readPresets(files, presetDirectories(facts.runDirectory)).rules;
  const outside = (path: string) => (path === '' ? '' : `${prefix}${path}`);

  const stateOf = (name: string): UnitFile => {
    const catalog = loader.catalog();
    const { entry, name: main } = catalog.find(name);
    const own = catalog.entries.get(name) ?? entry;
    if (own === undefined) return { name, path: '', state: '', preset: '' };
    const install = own.kind === 'masked' || entry === undefined ? undefined : loader.loadTemplate(main).install;
    return {
      name,
      path: outside(own.path),
      state: unitFileState(catalog, paths, name, install) || 'bad',
      preset: presetOf(name, rules()).enable ? 'enabled' : 'disabled',
    };
  };

  const methods: Readonly<Record<string, (parameters: never) => object>> = {
    'io.sysmaster.Units.FileStates': ({ names }: { names: readonly string[] }) => ({ files: names.map(stateOf) }),
    'io.sysmaster.Units.Files': ({ patterns = [], types = [], states = [] }: Filter) => ({
      files: [...loader.catalog().entries.keys()]
        .filter((name) => patterns.length === 0 || patterns.some((pattern) => matchesGlob(pattern, name)))
        .filter((name) => types.length === 0 || types.includes(name.slice(name.lastIndexOf('.') + 1)))
        .map(stateOf)
        .filter(({ state }) => states.length === 0 || states.includes(state))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    }),
    'io.sysmaster.Units.List': () => ({ units: [] }),
    'io.sysmaster.Units.Cat': ({ name }: { name: string }) => {
      const unit = loader.loadTemplate(loader.catalog().find(name).name);
      const texts = [unit.fragmentPath, ...unit.dropInPaths].filter((path) => path !== '');
      if (texts.length === 0)
        throw new CallError('io.sysmaster.Manager.NoSuchUnit', {
          unit: name,
          why: 'there is no file for it',
          todo: '',
        });
      return { files: texts.map((path) => ({ path: outside(path), text: files.readText(path) ?? '' })) };
    },
    'io.sysmaster.Manager.Get': () => {
      const target = defaultTarget(loader);
      if (target === undefined) throw new CliError('Failed to get default target: No such file or directory');
      return { manager: { defaultTarget: target } };
    },
    'io.sysmaster.Units.ChangeFiles': (asked: ChangeFiles) => {
      const { verb, names, runtime, force, presetMode, target, dryRun } = asked;
      const outcome = runInstall(
        { files, facts, paths },
        {
          verb,
          units: names.map((name) =>
            prefix !== '' && name.startsWith(`${prefix}/`) ? name.slice(prefix.length) : name,
          ),
          ...(runtime === undefined ? {} : { runtime }),
          ...(force === undefined ? {} : { force }),
          ...(presetMode === undefined ? {} : { presetMode }),
          ...(target === undefined ? {} : { target }),
        },
        dryRun === true,
      );
      loader.refresh();
      if ('refused' in outcome) throw new CallError(`io.sysmaster.Manager.${outcome.refused.error}`, outcome.refused);
      const { steps, carriesInstallInfo, findings } = outcome;
      return { steps: steps.map((step) => ({ ...step, path: outside(step.path) })), carriesInstallInfo, findings };
    },
  };

  const answer = <T>(method: string, parameters: object): T => {
    const own = methods[method];
    if (own === undefined)
      throw new CliError(`${method.split('.').pop()}: needs a running manager, so not with --root=`);
    return own(parameters as never) as T;
  };
  const refuse = (): never => {
    throw new CliError('This needs a running manager, so it cannot be done with --root=.');
  };
  return {
    path: root,
    call: async (method, parameters = {}) => answer(method, parameters),
    change: async (method, parameters) => answer(method, parameters),
    calls: async (method, each) => each.map((parameters) => answer(method, parameters)),
    farewell: async () => refuse(),
    // biome-ignore lint/correctness/useYield: there is nothing to tell
    async *stream() {
      refuse();
    },
    close: () => {},
  };
}
