/** The front door of src/units. */
export type * from './types.ts';
export { type Catalog, type CatalogEntry, createCatalog } from './catalog.ts';
export { DIRECTIVES, type Directive, directive, sectionsOf, type Status } from './directives.ts';
export { about, nearest, place, sentence } from './finding.ts';
export { createGraph, DEPENDENCY_KINDS, type Graph, INVERSES } from './graph.ts';
export { createUnitLoader, emptyUnit, type UnitLoader, type UnitLoaderOptions } from './load.ts';
export { plainPaths, systemdPaths, systemPaths, type UnitPaths } from './load-path.ts';
export * from './names.ts';
export { type Assignment, placeOf, readUnitText, type UnitText } from './reader.ts';
export { architectureName, type Specifiers, specifiersOf } from './specifiers.ts';
export { type UnitFileState, unitFileState } from './unit-file-state.ts';
