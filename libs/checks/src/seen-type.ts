// What the texts of a string column look like: the narrowest type that all of them have. A column whose numbers turn into
// words between two files is told by it.
import type { ColumnType } from '#contracts';

const INTEGER = /^[+-]?\d{1,19}$/;
const DECIMAL = /^[+-]?(\d+([.,]\d+)?|[.,]\d+)$/;
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?$/;
const BOOLEAN = /^(true|false)$/i;

/** Of one text. */
export function looksLike(text: string): ColumnType {
  const first = text.charCodeAt(0);
  const number =
    first === 0x2b || first === 0x2d || first === 0x2c || first === 0x2e || (first >= 0x30 && first <= 0x39);
  if (!number) return BOOLEAN.test(text) ? 'boolean' : 'string';
  if (INTEGER.test(text)) return 'integer';
  if (DECIMAL.test(text)) return 'decimal';
  return TIMESTAMP.test(text) ? 'timestamp' : 'string';
}

/** The narrowest type of both; null: nothing seen. */
export function wider(a: ColumnType | null, b: ColumnType | null): ColumnType | null {
  if (a === null || b === null || a === b) return a ?? b;
  const numbers: ReadonlySet<ColumnType> = new Set(['integer', 'decimal']);
  return numbers.has(a) && numbers.has(b) ? 'decimal' : 'string';
}
