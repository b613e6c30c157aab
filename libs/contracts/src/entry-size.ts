// How large one changelog entry can become, by aggregate: what a pipeline file may ask for together, and what the
// accumulators in libs/windowing hold to. Bytes as JSON, separators included, of numbers up to 38 digits on each side.
import type { AggregateName, FeatureSpec } from './pipeline.js';

/** `first` and `last` keep at most so much of a text, as JSON without quotes. */
export const FIRST_LAST_VALUE_BYTES = 4 * 1024;
/** `top_k` keeps at most so much of a value, as JSON without quotes ... */
export const TOP_K_VALUE_BYTES = 256;
/** ... and so much of all its values with their counts. */
export const TOP_K_BYTES = 28 * 1024;

/** The largest entry: `[upload, accumulator...]` in the changelog. */
export const ENTRY_BYTES = 64 * 1024;
/** What an entry takes beside its accumulators: brackets and the upload's id. */
export const ENTRY_FRAME_BYTES = 64;

/** The most that an accumulator takes in the changelog. */
export const ACCUMULATOR_BYTES: Readonly<Record<AggregateName, number>> = {
  count: 24,
  sum: 112,
  avg: 136,
  min: 88,
  max: 88,
  first: FIRST_LAST_VALUE_BYTES + 96,
  last: FIRST_LAST_VALUE_BYTES + 96,
  variance: 320,
  stddev: 320,
  approx_count_distinct: 4_100,
  approx_quantile: 19_000,
  top_k: TOP_K_BYTES + 32,
};

/**
 * Which features share an accumulator: those of the same aggregate and column, which differ in what they read from it
 * (several quantiles of one column). Answers the first feature of each accumulator, and for every feature its accumulator's
 * place.
 */
export function sharedAccumulators<F extends Pick<FeatureSpec, 'aggregate' | 'column'>>(
  features: readonly F[],
): { accumulators: F[]; places: number[] } {
  const known = new Map<string, number>();
  const accumulators: F[] = [];
  const places = features.map((feature) => {
    const key = `${feature.aggregate} ${feature.column}`;
    const place = known.get(key) ?? accumulators.push(feature) - 1;
    known.set(key, place);
    return place;
  });
  return { accumulators, places };
}

/** The most that an entry of these features takes in the changelog. */
export function largestEntryBytes(features: readonly Pick<FeatureSpec, 'aggregate' | 'column'>[]): number {
  const { accumulators } = sharedAccumulators(features);
  return accumulators.reduce((sum, { aggregate }) => sum + ACCUMULATOR_BYTES[aggregate], ENTRY_FRAME_BYTES);
}
