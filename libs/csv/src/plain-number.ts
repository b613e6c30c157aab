// Numbers as exact text, for `type-value`: canonical form and order, without a float on the way.

/** No sign but `-`, no leading zeros, no trailing fractional zeros, no exponent; `-0` is `0`. */
const SHORT_CANONICAL = /^(?:0|-?[1-9]\d{0,14})(?:\.\d{0,13}[1-9])?$/;
const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** A decimal holds at most this many significant digits, and as many after the point. */
export const DECIMAL_DIGITS = 38;

/** How a file writes its numbers. */
export interface NumberStyle {
  readonly decimalMark: '.' | ',';
  /** The other mark may stand between thousands: not where the point was taken in doubt, 1,234 may mean 1.234 then. */
  readonly thousands: boolean;
}

const GROUPS = { ',': /^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?$/, '.': /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?$/ };

/** The number with a point for its decimal mark and without marks between thousands; null where these stand wrong. */
export function withPoint(text: string, { decimalMark, thousands }: NumberStyle): string | null {
  const other = decimalMark === ',' ? '.' : ',';
  let plain = text;
  if (text.includes(other)) {
    if (!thousands || !GROUPS[decimalMark].test(text)) return null;
    plain = text.replaceAll(other, '');
  }
  return decimalMark === ',' ? plain.replace(',', '.') : plain;
}

interface Parts {
  negative: boolean;
  /** Without zeros at either end; empty for zero. */
  digits: string;
  /** The value is `digits` divided by ten to this power; negative for trailing zeros. */
  scale: number;
  hasExponent: boolean;
}

function numberParts(text: string): Parts | null {
  const match = DECIMAL.exec(text);
  if (!match) return null;
  const whole = match[2]!;
  const fraction = match[3] ?? '';
  const all = whole + fraction;
  if (all === '') return null;
  // Loops, not patterns: a pattern for zeros at the end takes quadratic time on long runs of zeros.
  let start = 0;
  while (start < all.length && all[start] === '0') start++;
  let end = all.length;
  while (end > start && all[end - 1] === '0') end--;
  const scale = end === start ? 0 : fraction.length - (all.length - end) - Number(match[4] ?? 0);
  return { negative: match[1] === '-', digits: all.slice(start, end), scale, hasExponent: match[4] !== undefined };
}

function plainText({ negative, digits, scale }: Parts): string {
  if (digits === '') return '0';
  const sign = negative ? '-' : '';
  if (scale <= 0) return sign + digits + '0'.repeat(-scale);
  const padded = digits.padStart(scale + 1, '0');
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

/** The canonical text of a decimal; `type` when it is none, `range` when it needs more than 38 digits. */
export function canonicalDecimal(text: string): { text: string } | 'type' | 'range' {
  if (SHORT_CANONICAL.test(text)) return { text };
  const parts = numberParts(text);
  if (!parts) return 'type';
  const significant = parts.digits.length - Math.min(parts.scale, 0);
  if (significant > DECIMAL_DIGITS || parts.scale > DECIMAL_DIGITS) return parts.hasExponent ? 'type' : 'range';
  return { text: plainText(parts) };
}

const INTEGER = /^[+-]?\d+$/;
const INT64_MAX = '9223372036854775807';
const INT64_MIN = '-9223372036854775808';

/** The canonical text of an integer; `type` when it is none, `range` when it is none of 64 bits. */
export function canonicalInteger(text: string): { text: string } | 'type' | 'range' {
  if (!INTEGER.test(text)) return 'type';
  const canonical = plainText(numberParts(text)!);
  const within = compareNumbers(canonical, INT64_MIN) >= 0 && compareNumbers(canonical, INT64_MAX) <= 0;
  return within ? { text: canonical } : 'range';
}

/** The canonical text of any plain number, however long: a pipeline's `min` or `max`, which its schema has checked. */
export function canonicalBound(text: string): string {
  return plainText(numberParts(text)!);
}

/** Exact order of two canonical numbers: below, at or above zero as `a` is below, equal to or above `b`. */
export function compareNumbers(a: string, b: string): number {
  const negative = a.startsWith('-');
  if (negative !== b.startsWith('-')) return negative ? -1 : 1;
  return negative ? compareMagnitudes(b, a, 1) : compareMagnitudes(a, b, 0);
}

/** `from`: where the digits begin. */
function compareMagnitudes(a: string, b: string, from: number): number {
  const pointA = a.indexOf('.');
  const pointB = b.indexOf('.');
  const wholeA = pointA === -1 ? a.length : pointA;
  const wholeB = pointB === -1 ? b.length : pointB;
  if (wholeA !== wholeB) return wholeA - wholeB;
  // Equally long before the point, so the order of the text is the order of the numbers (of 1 and 1.5 too).
  const textA = a.slice(from);
  const textB = b.slice(from);
  return textA < textB ? -1 : textA > textB ? 1 : 0;
}
