// What was rejected, counted: bad values are part of a column's picture although no accepted row holds them.
import type { DeadLetterCode } from '#contracts';

/** Rejected records by column (empty: none in particular) and code. */
export type RejectedJson = Record<string, Partial<Record<DeadLetterCode, number>>>;

export function countRejected(rejected: RejectedJson, column: string | null, code: DeadLetterCode): void {
  const name = column ?? '';
  if (!Object.hasOwn(rejected, name)) Object.defineProperty(rejected, name, { value: {}, enumerable: true });
  const codes = rejected[name]!;
  codes[code] = (codes[code] ?? 0) + 1;
}
