// Fifth step: the text of one cell -> a typed value in its canonical form, or what keeps it from being one.
import type { Cell, Column } from '#contracts';
import { canonicalDecimal, canonicalInteger, DECIMAL_DIGITS, withPoint, type NumberStyle } from './plain-number.js';
import { trimSpaces } from './read-cells.js';
import { timestampReader } from './timestamp-reader.js';
import { timestampText } from './timestamp.js';

/** `rule` ends the sentence that begins with the column: `column "x" is not an integer`. */
export interface ValueFault {
  code: 'type' | 'range';
  rule: string;
}

/** Null for an empty value, which has no type to miss. */
export type ValueReader = (text: string) => Cell | ValueFault;

export function isValueFault(value: Cell | ValueFault): value is ValueFault {
  return typeof value === 'object' && value !== null;
}

/**
 * A function that reads the cells of this column. Empty cells and those that are one of `nulls` are null. ASCII white
 * space around a value counts in strings only.
 */
export function valueReader(column: Column, numbers: NumberStyle, nulls: readonly string[]): ValueReader {
  const spellings = new Set(nulls.filter((text) => text !== ''));
  const isNull =
    spellings.size === 0 ? (text: string) => text === '' : (text: string) => text === '' || spellings.has(text);
  if (column.type === 'string') return (text) => (isNull(text) ? null : text);
  const read = readerOf(column, numbers);
  return (text) => {
    const trimmed = trimSpaces(text);
    return isNull(trimmed) ? null : read(trimmed);
  };
}

function readerOf(column: Column, numbers: NumberStyle): ValueReader {
  switch (column.type) {
    case 'integer':
      return (text) => readInteger(text, numbers);
    case 'decimal':
      return (text) => readDecimal(text, numbers);
    case 'timestamp':
      return timestampColumn(column);
    default:
      return booleanColumn(column);
  }
}

const SHORT_INTEGER = /^(?:0|-?[1-9]\d{0,14})$/;

/** A number up to 2^53-1, its text beyond, up to 64 bits. */
function readInteger(text: string, numbers: NumberStyle): Cell | ValueFault {
  if (SHORT_INTEGER.test(text)) return Number(text);
  const plain = withPoint(text, numbers);
  const read = plain === null ? 'type' : canonicalInteger(plain);
  if (read === 'type') return { code: 'type', rule: 'is not an integer: digits with an optional sign' };
  if (read === 'range') return { code: 'range', rule: 'is outside the integers of 64 bits' };
  const value = Number(read.text);
  return Number.isSafeInteger(value) ? value : read.text;
}

function readDecimal(text: string, numbers: NumberStyle): Cell | ValueFault {
  const plain = withPoint(text, numbers);
  const read = plain === null ? 'type' : canonicalDecimal(plain);
  if (read === 'type') {
    const mark = numbers.decimalMark === ',' ? 'comma, as -12,50' : 'point, as -12.50';
    return {
      code: 'type',
      rule: `is not a decimal: digits with an optional sign and ${mark}, at most ${DECIMAL_DIGITS} digits`,
    };
  }
  if (read === 'range') return { code: 'range', rule: `has more than ${DECIMAL_DIGITS} digits` };
  return read.text;
}

function timestampColumn({ format, timeZone }: Column): ValueReader {
  const read = timestampReader(format, timeZone);
  const isIso = format === null;
  const form = isIso
    ? 'ISO 8601 date or date-time, as 2023-01-10 or 2023-01-10T09:00:00Z'
    : `time in the form ${format}`;
  const zone = timeZone === 'UTC' ? '' : ` (in ${timeZone} where it states no zone)`;
  const fault: ValueFault = { code: 'type', rule: `is not an existing ${form}${zone}` };
  return (text) => {
    const ms = read(text);
    if (Number.isNaN(ms)) return fault;
    return isIso ? timestampText(ms, text) : new Date(ms).toISOString();
  };
}

function booleanColumn({ trueValues, falseValues }: Column): ValueReader {
  const values = new Map<string, boolean>();
  for (const text of trueValues) values.set(text.toLowerCase(), true);
  for (const text of falseValues) values.set(text.toLowerCase(), false);
  const fault: ValueFault = { code: 'type', rule: `is not ${[...trueValues, ...falseValues].join(' or ')}` };
  return (text) => values.get(text.toLowerCase()) ?? fault;
}
