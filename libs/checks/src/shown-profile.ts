// The profile as the API shows it: of a single run, for people.
import type { ColumnType } from '#contracts';
import { ColumnProfile } from './column-profile.js';
import type { EvidenceJson } from './inspection.js';

const TOP = 10;
const BINS = 20;

export interface ShownColumn {
  type: ColumnType;
  /** The narrowest type that all values have; null: no values. */
  type_seen: ColumnType | null;
  count: number;
  nulls: number;
  /** Exact while there are few, else an estimate. */
  distinct: number;
  min: string | null;
  max: string | null;
  mean: number | null;
  stddev: number | null;
  /** Numbers and timestamps: bins of values, timestamps as ISO text. */
  histogram: { from: number | string; to: number | string; count: number }[] | null;
  /** The most frequent values; null where there are too many different ones. */
  top_values: { value: string; count: number }[] | null;
  /** Rejected records that this column is to blame for, by code. */
  rejected: Record<string, number>;
}

export interface ShownProfile {
  rows: number;
  columns: Record<string, ShownColumn>;
}

export function shownProfile(evidence: EvidenceJson): ShownProfile | null {
  const slice = evidence.tables['']?.[''];
  if (!slice) return null;
  const columns: Record<string, ShownColumn> = {};
  for (const [name, json] of Object.entries(slice.columns)) {
    const rejected = Object.hasOwn(evidence.rejected, name) ? evidence.rejected[name]! : {};
    const value = shownColumn(ColumnProfile.fromJSON(json, json.categories.values?.length ?? 0), rejected);
    Object.defineProperty(columns, name, { value, enumerable: true });
  }
  return { rows: slice.rows, columns };
}

function shownColumn(profile: ColumnProfile, rejected: Record<string, number>): ShownColumn {
  const top = profile.categories.top;
  return {
    type: profile.type,
    type_seen: profile.seen,
    count: profile.count,
    nulls: profile.nulls,
    distinct: top?.length ?? Math.min(profile.count, profile.distinct.estimate()),
    min: profile.min,
    max: profile.max,
    mean: profile.moments && profile.moments.count > 0 ? rounded(profile.moments.mean) : null,
    stddev: profile.moments && rounded(profile.moments.stddev),
    histogram: profile.count > 0 ? shownHistogram(profile) : null,
    top_values: top && top.slice(0, TOP).map(([value, count]) => ({ value, count })),
    rejected,
  };
}

function shownHistogram(profile: ColumnProfile): ShownColumn['histogram'] {
  if (!profile.histogram) return null;
  const histogram = profile.histogram.at(profile.histogram.coarseness).coarsen(BINS);
  const time = profile.type === 'timestamp';
  const edge = (value: number) => (time ? new Date(value).toISOString() : rounded(value)!);
  return histogram.sorted().map(([index, count]) => {
    const [from, to] = histogram.edges(index);
    return { from: edge(from), to: edge(to), count };
  });
}

/** Ten digits: what Welford in doubles is good for. */
function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(10));
}
