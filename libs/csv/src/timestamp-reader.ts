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
  const local = fixedReader(parts) ?? luxonReader(format, parts);
  if (zone === null || statesZone(parts)) return (text) => within(local(text));
  if (statesDayOnly(parts)) return (text) => within(zone.startOfDayMs(local(text)));
  return (text) => within(zone.instantMs(local(text)));
}

const within = (ms: number): number => (ms >= FIRST_MS && ms <= LAST_MS ? ms : NaN);

/** Any pattern, at Luxon's speed. English names of months and days; without a zone, as if in UTC. */
function luxonReader(format: string, parts: readonly FormatPart[]): (text: string) => number {
  const read = (text: string) => DateTime.fromFormat(text, format, { zone: 'utc', locale: 'en-US' }).toMillis();
  if (!parts.some(({ token, text }) => token && text.startsWith('h'))) return read;
  // Luxon takes 13:00 AM for one in the afternoon: an hour of a half day is one of 1 to 12, or the text is in doubt.
  const halves = patternOf(parts, ({ text }) => HOURS_OF_HALF[text] ?? digits(text) ?? '.{1,12}?');
  return (text) => (halves.test(text) ? read(text) : NaN);
}

const HOURS_OF_HALF: Readonly<Record<string, string>> = { h: '(?:0?[1-9]|1[0-2])', hh: '(?:0[1-9]|1[0-2])' };

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
  const pattern = patternOf(parts, ({ text }) => `(${digits(text)!})`);
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

/** The digits that a token stands for; null for one that is not of digits alone, or of any number of them. */
function digits(token: string): string | null {
  const counts = DIGITS[token];
  return counts ? `\\d{${counts.join(',')}}` : null;
}

/** The whole text: signs as they are, tokens by `source`. */
function patternOf(parts: readonly FormatPart[], source: (token: FormatPart) => string): RegExp {
  const sources = parts.map((part) =>
    part.token ? source(part) : part.text.replaceAll(/[^A-Za-z0-9 ]/g, (sign) => `\\${sign}`),
  );
  return new RegExp(`^${sources.join('')}$`);
}
