// What an aggregate is. Accumulators are mutable, merge in any order, and encode to the same JSON whatever order
// their cells came in (`top_k` beyond its room alone promises an error bound instead).
import type { Cell, FeatureValue, Row } from '#contracts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[];

/** Where a cell stands among all others: what `first` and `last` go by. */
export type RowPlace = Pick<Row, 'upload' | 'row' | 'time'>;

export interface Aggregate<A> {
  empty(): A;
  clone(accumulator: A): A;
  /** Null and empty cells are skipped. For `*` the caller passes a cell that is never null. */
  add(accumulator: A, cell: Cell, place: RowPlace): void;
  /** `into` becomes what it had been, had it seen the cells of `other` too; `other` stays as it is. */
  merge(into: A, other: A): void;
  result(accumulator: A): FeatureValue;
  /** About how much memory it takes, bytes; measured by bench/memory.mjs. Cheap: it runs for every changed entry. */
  bytes(accumulator: A): number;
  encode(accumulator: A): JsonValue;
  /** The inverse of `encode`. Throws WindowingError `bad_changelog`. */
  decode(value: unknown): A;
}
