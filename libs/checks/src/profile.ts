// The profile of a file: what every column holds, and which of its records were rejected for what.
import type { Cell, ColumnType } from '#contracts';
import { ColumnProfile, type ColumnProfileJson } from './column-profile.js';
import { BUCKETS, foldBuckets } from './categories.js';

export interface ProfileColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** As it is kept with a run; bounded, see {@link encodeColumns}. */
export type ColumnsJson = Record<string, ColumnProfileJson>;

/** Values kept with their counts, over all columns of a profile. */
const VALUES_IN_ALL = 20_000;

/** How many different values each of `columns` columns keeps. */
export function valuesKept(columns: number): number {
  return Math.max(32, Math.min(512, Math.floor(VALUES_IN_ALL / Math.max(1, columns))));
}

/** One pass over rows whose cells are in the order of `columns`. */
export class Profile {
  readonly columns: ReadonlyMap<string, ColumnProfile>;
  private readonly list: readonly ColumnProfile[];

  constructor(columns: readonly ProfileColumn[]) {
    const most = valuesKept(columns.length);
    this.columns = new Map(columns.map(({ name, type }) => [name, new ColumnProfile(type, most)]));
    this.list = [...this.columns.values()];
  }

  add(cells: readonly Cell[]): void {
    for (let i = 0; i < this.list.length; i++) this.list[i]!.add(cells[i]!);
  }
}

/** Details by which a column's JSON becomes smaller, one after the other until it fits. */
const STEPS: ((json: ColumnProfileJson, profile: ColumnProfile) => void)[] = [
  (json, profile) => (json.registers = profile.distinct.fold(8).toJSON()),
  (json) => (json.categories.buckets = foldBuckets(json.categories.buckets, BUCKETS / 4)),
  (json, profile) => (json.histogram &&= profile.histogram!.at(0).coarsen(64).toJSON()),
  (json) => (json.categories.values = null),
  (json, profile) => (json.registers = profile.distinct.fold(6).toJSON()),
  (json) => (json.categories.buckets = foldBuckets(json.categories.buckets, 16)),
  (json, profile) => (json.histogram &&= profile.histogram!.at(0).coarsen(8).toJSON()),
];

const SMALL_SHARE = 2_000;
const STEPS_OF_SMALL_SHARES = 4;

/** Columns as JSON, each held to its share of `bytes`: what does not fit loses detail, never a count. */
export function encodeColumns(columns: ReadonlyMap<string, ColumnProfile>, bytes: number): ColumnsJson {
  const share = bytes / Math.max(1, columns.size);
  const encoded: ColumnsJson = {};
  for (const [name, profile] of columns) {
    const json = profile.toJSON();
    for (const [place, step] of STEPS.entries()) {
      // With many columns the first steps are needed anyway: measuring a thousand times what they leave takes long.
      const measured = share > SMALL_SHARE || place >= STEPS_OF_SMALL_SHARES;
      if (measured && Buffer.byteLength(JSON.stringify(json)) + Buffer.byteLength(name) + 8 <= share) break;
      step(json, profile);
    }
    Object.defineProperty(encoded, name, { value: json, enumerable: true });
  }
  return encoded;
}

export function decodeColumns(json: ColumnsJson): Map<string, ColumnProfile> {
  const entries = Object.entries(json);
  const most = valuesKept(entries.length);
  return new Map(entries.map(([name, column]) => [name, ColumnProfile.fromJSON(column, most)]));
}
