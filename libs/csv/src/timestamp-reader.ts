// The text of a timestamp column -> epoch ms, by ISO 8601 or by the column's own pattern.
import { formatParts, statesDayOnly, statesZone, type FormatPart } from '#contracts';
import { DateTime } from 'luxon';
import { LocalZone } from './local-zone.js';
import { dayOfMs, FIRST_MS, LAST_MS, timestampMs } from './timestamp.js';

/**
 * A function from text to epoch ms, NaN for what is no existing moment of the years 1 to 9999. `format`: Luxon's tokens
 * that {@link formatProblem} allows, or null for ISO 8601. `timeZone`: the IANA zone of texts that state none; there a
 * time that the clock shows twice is the earlier, one that it skips is none, and a date alone is its first moment.
 */
export function timestampReader(format: string | null, timeZone: string): (text: string) => number {
  const zone = timeZone === 'UTC' ? null : new LocalZone(timeZone);
  if (format === null) return (text) => within(timestampMs(text, zone));
  const parts = formatParts(format);
  const local = fixedReader(parts) ?? luxonReader(format);
  if (zone === null || statesZone(parts)) return (text) => within(local(text));
  if (statesDayOnly(parts)) return (text) => within(zone.startOfDayMs(local(text)));
  return (text) => within(zone.instantMs(local(text)));
}

const within = (ms: number): number => (ms >= FIRST_MS && ms <= LAST_MS ? ms : NaN);

/** Any pattern, at Luxon's speed. English names of months and days; without a zone, as if in UTC. */
function luxonReader(format: string): (text: string) => number {
  return (text) => DateTime.fromFormat(text, format, { zone: 'utc', locale: 'en-US' }).toMillis();
}

/** Tokens of digits: how many at least and at most. */
const DIGITS: Readonly<Record<string, readonly [number, number]>> = {
  yyyy: [4, 4],
  M: [1, 2],
  MM: [2, 2],
  d: [1, 2],
  dd: [2, 2],
  H: [1, 2],
  HH: [2, 2],
  m: [1, 2],
  mm: [2, 2],
  s: [1, 2],
  ss: [2, 2],
  SSS: [3, 3],
};

/** The usual patterns, of digits alone, by one regular expression; null for others. What it reads, Luxon reads so too. */
function fixedReader(parts: readonly FormatPart[]): ((text: string) => number) | null {
  const tokens = parts.filter(({ token }) => token).map(({ text }) => text);
  const letters = tokens.map((token) => token[0]!);
  if (!tokens.every((token) => Object.hasOwn(DIGITS, token)) || new Set(letters).size !== letters.length) return null;
  const source = parts.map(({ token, text }) => {
    if (!token) return text.replaceAll(/[^A-Za-z0-9 ]/g, (sign) => `\\${sign}`);
    const [least, most] = DIGITS[text]!;
    return least === most ? `(\\d{${least}})` : `(\\d{${least},${most}})`;
  });
  const pattern = new RegExp(`^${source.join('')}$`);
  const place = (letter: string) => letters.indexOf(letter) + 1;
  const [year, month, day, hour, minute, second, ms] = [...'yMdHmsS'].map(place) as [number, ...number[]];
  return (text) => {
    const match = pattern.exec(text);
    if (!match) return NaN;
    const part = (index: number | undefined) => (index ? Number(match[index]) : 0);
    const [h, m, s] = [part(hour), part(minute), part(second)];
    if (h > 23 || m > 59 || s > 59) return NaN;
    return dayOfMs(part(year), part(month), part(day)) + h * 3_600_000 + m * 60_000 + s * 1_000 + part(ms);
  };
}
