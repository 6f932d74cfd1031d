/**
 * The layers of DESIGN section 3, as rules: who may import whom.
 * Law 9: only src/host/node, src/cli, ext/ (and tests and scripts) touch node: modules and packages that do.
 */
const only = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
const portable =
  '^src/(units|machines|jobs|supervisor|actors|api|host/sim|host/order\\.ts|host/(ports|pieces)\\.ts|core\\.ts)';
module.exports = {
  forbidden: [
    only(
      'no-cycles',
      'Imports point one way.',
      { path: '^src' },
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    only(
      'core-is-portable',
      'Law 9: core runs on any ECMAScript engine.',
      { path: portable },
      { dependencyTypes: ['core'] },
    ),
    only(
      'packages-of-core',
      'Core may use xstate, and nothing else.',
      { path: portable },
      { dependencyTypes: ['npm', 'npm-dev', 'npm-optional'], pathNot: 'node_modules/xstate' },
    ),
    only(
      'xstate-decides',
      'Statecharts stand in machines; the supervisor hosts them.',
      { path: '^src', pathNot: '^src/(machines|supervisor|actors|cli|core\\.ts)' },
      { path: 'node_modules/xstate' },
    ),
    only(
      'machines-are-pure',
      'Law 2: a machine sees types and pure rules.',
      { path: '^src/machines' },
      { path: '^src', pathNot: '^src/(machines|units/types\\.ts|units/index\\.ts|jobs/|host/ports\\.ts)' },
    ),
    only(
      'supervisor-knows-no-units',
      'It is handed child specs.',
      { path: '^src/supervisor' },
      { path: '^src', pathNot: '^src/(supervisor|host/(ports|pieces)\\.ts)' },
    ),
    only(
      'units-stand-alone',
      'The unit-file language needs a file port.',
      { path: '^src/units' },
      { path: '^src', pathNot: '^src/(units|host/ports\\.ts)' },
    ),
    only(
      'jobs-stand-alone',
      'Plans are pure.',
      { path: '^src/jobs' },
      {
        path: '^src',
        pathNot: '^src/(jobs|units/types\\.ts|host/ports\\.ts|supervisor/actor\\.ts|machines/(job|protocol)\\.ts)',
      },
    ),
    only(
      'cli-speaks-varlink',
      'sctl knows core by its interface; of the host it knows files, facts and the files of machine plugins.',
      { path: '^src/cli' },
      {
        path: '^src/(actors|supervisor|host/(?!ports|node/(plain-files|errors|facts|plugins))|jobs/(?!types|cycles|plan-id))',
      },
    ),
    only(
      'addon-in-one-place',
      "The native addon is host/node's.",
      { path: '^src', pathNot: '^src/host/node' },
      { path: 'native/' },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
