/** The front door of src/units. */

export { type Catalog, type CatalogEntry, createCatalog } from './catalog.ts';
export {
  type Check,
  type CheckAnswer,
  type CheckRequest,
  commandLineWords,
  conditionChecks,
  conditionText,
  evaluate,
  parseOsRelease,
  type Verdict,
} from './conditions.ts';
export { type OrderingCycle, orderingCycles, originText, ringText } from './cycles.ts';
export { DIRECTIVES, type Directive, directive, type Status, sectionsOf } from './directives.ts';
export { about, nearest, place, sentence } from './finding.ts';
export {
  type GeneratorOptions,
  type GeneratorPlan,
  type GeneratorSpawn,
  generatorDirectories,
  planGenerators,
} from './generators.ts';
export { createGraph, DEPENDENCY_KINDS, type Graph, INVERSES } from './graph.ts';
export { defaultTarget, type InstallOptions, planInstall } from './install.ts';
export { applyChanges, type Change, type InstallPlan, type InstallRequest, type InstallVerb } from './install-plan.ts';
export { createUnitLoader, type UnitLoader, type UnitLoaderOptions } from './load.ts';
export { plainPaths, systemdPaths, systemPaths, type UnitPaths } from './load-path.ts';
export { type LoadedUnit, LoadedUnits } from './loaded.ts';
export * from './names.ts';
export { type PresetAnswer, type PresetRule, presetDirectories, presetOf, readPresets } from './preset.ts';
export { type Assignment, placeOf, readUnitText, type UnitText } from './reader.ts';
export { rootedFiles } from './rooted.ts';
export { architectureName, type Specifiers, specifiersOf } from './specifiers.ts';
export type * from './types.ts';
export { type UnitFileState, unitFileState } from './unit-file-state.ts';
