// Windows, aggregates, watermark, group-by: the pure core. No clock, no I/O, no Nest.
export type { Aggregate, JsonValue } from './aggregates/aggregate.js';
export { aggregateFor } from './aggregates/aggregate-for.js';
export type { Due, DueArgs } from './close-windows.js';
export { Decimal } from './decimal.js';
export { parseChangelogKey, type EntryChange } from './entry-change.js';
export { WindowingError, type WindowingErrorCode } from './errors.js';
export { fingerprint, type Fingerprint } from './fingerprint.js';
export { GroupBy } from './group-by.js';
export { fixedWindows } from './fixed-windows.js';
export type { Step } from './step.js';
export { laterOf } from './stream-time.js';
