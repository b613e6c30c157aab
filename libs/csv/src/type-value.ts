// Fourth step: the text of one cell -> a typed value in its canonical form, or what keeps it from being one.
import type { Cell, ColumnType } from '#contracts';
import { canonicalDecimal, canonicalInteger, DECIMAL_DIGITS } from './plain-number.js';
import { timestampMs, timestampText } from './timestamp.js';

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

/** A function that reads the cells of a column of this type. ASCII white space around a value counts in strings only. */
export function valueReader(type: ColumnType): ValueReader {
  if (type === 'string') return (text) => (text === '' ? null : text);
  const read = READERS[type];
  return (text) => {
    const trimmed = trimSpaces(text);
    return trimmed === '' ? null : read(trimmed);
  };
}

const READERS = { integer: readInteger, decimal: readDecimal, timestamp: readTimestamp, boolean: readBoolean };

const SHORT_INTEGER = /^(?:0|-?[1-9]\d{0,14})$/;

/** A number up to 2^53-1, its text beyond, up to 64 bits. */
function readInteger(text: string): Cell | ValueFault {
  if (SHORT_INTEGER.test(text)) return Number(text);
  const read = canonicalInteger(text);
  if (read === 'type') return { code: 'type', rule: 'is not an integer: digits with an optional sign' };
  if (read === 'range') return { code: 'range', rule: 'is outside the integers of 64 bits' };
  const value = Number(read.text);
  return Number.isSafeInteger(value) ? value : read.text;
}

function readDecimal(text: string): Cell | ValueFault {
  const read = canonicalDecimal(text);
  if (read === 'type') {
    return {
      code: 'type',
      rule: `is not a decimal: digits with an optional sign and point, as -12.50, at most ${DECIMAL_DIGITS} digits`,
    };
  }
  if (read === 'range') return { code: 'range', rule: `has more than ${DECIMAL_DIGITS} digits` };
  return read.text;
}

function readTimestamp(text: string): Cell | ValueFault {
  const ms = timestampMs(text);
  if (Number.isNaN(ms)) {
    return {
      code: 'type',
      rule: 'is not an existing ISO 8601 date or date-time, as 2023-01-10 or 2023-01-10T09:00:00Z',
    };
  }
  return timestampText(ms, text);
}

function readBoolean(text: string): Cell | ValueFault {
  if (text.length <= 5) {
    const lower = text.toLowerCase();
    if (lower === 'true') return true;
    if (lower === 'false') return false;
  }
  return { code: 'type', rule: 'is not true or false' };
}

function trimSpaces(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

/** Space, tab, line breaks, vertical tab, form feed. */
function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
