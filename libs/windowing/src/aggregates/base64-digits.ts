// Sketches as text: one character of the URL-safe base64 alphabet holds six bits, and needs no escape in JSON.
import { WindowingError } from '../errors.js';

export const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const VALUES = new Map(Array.from(DIGITS, (digit, value) => [digit.charCodeAt(0), value]));

/** The six bits of `text[at]`. Throws WindowingError `bad_changelog` when it is none of the alphabet. */
export function digitAt(text: string, at: number): number {
  const value = VALUES.get(text.charCodeAt(at));
  if (value === undefined) throw new WindowingError('bad_changelog', 'a sketch in a changelog record is cut or broken');
  return value;
}

/** A whole number from 0 to 2^53-1, five bits a character, the lowest first; the sixth bit says that more follow. */
export function encodeNumber(value: number): string {
  let rest = value;
  let text = '';
  while (rest >= 32) {
    text += DIGITS[(rest % 32) + 32]!;
    rest = Math.floor(rest / 32);
  }
  return text + DIGITS[rest]!;
}

/** Every number of such a text. Throws WindowingError `bad_changelog`. */
export function decodeNumbers(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let unit = 1;
  for (let at = 0; at < text.length; at++) {
    const digit = digitAt(text, at);
    value += (digit % 32) * unit;
    unit *= 32;
    if (digit >= 32) continue;
    numbers.push(value);
    value = 0;
    unit = 1;
  }
  if (unit !== 1 || numbers.some((number) => !Number.isSafeInteger(number))) {
    throw new WindowingError('bad_changelog', 'a sketch in a changelog record is cut or broken');
  }
  return numbers;
}
