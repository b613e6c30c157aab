// What an aggregate is. Accumulators are mutable, merge in any order, and encode to the same JSON whatever order
// their cells came in.
import type { Cell, FeatureValue } from '#contracts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[];

export interface Aggregate<A> {
  empty(): A;
  clone(accumulator: A): A;
  /** Null and empty cells are skipped. For `*` the caller passes a cell that is never null. */
  add(accumulator: A, cell: Cell): void;
  /** `into` becomes what it had been, had it seen the cells of `other` too; `other` stays as it is. */
  merge(into: A, other: A): void;
  result(accumulator: A): FeatureValue;
  encode(accumulator: A): JsonValue;
  /** The inverse of `encode`. Throws WindowingError `bad_changelog`. */
  decode(value: unknown): A;
}
