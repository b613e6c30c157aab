// ISO 8601 text -> epoch milliseconds, for `type-value`. Written by hand: `Date.parse` takes dates that do not exist.
import type { LocalZone } from './local-zone.js';

const DAY_MS = 86_400_000;
const ZERO = 0x30;
/** 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z. */
export const FIRST_MS = -62_135_596_800_000;
export const LAST_MS = 253_402_300_799_999;

/**
 * Epoch ms of an ISO 8601 date (`2023-01-10`) or date-time: `T` or a space, seconds and fraction optional (cut to ms),
 * then `Z`, `+hh:mm`, `+hhmm`, `+hh` or nothing, which is `zone`'s clock (null: UTC). NaN for everything else, dates and
 * times that do not exist, 24:00, leap seconds and moments outside the years 1 to 9999.
 */
export function timestampMs(text: string, zone: LocalZone | null = null): number {
  const dayMs = dateMs(text);
  if (text.length === 10 || Number.isNaN(dayMs)) return zone === null ? dayMs : zone.startOfDayMs(dayMs);
  const separator = text.charCodeAt(10);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  if ((separator !== 0x54 && separator !== 0x20) || text.charCodeAt(13) !== 0x3a) return NaN;
  if (!(hour <= 23 && minute <= 59)) return NaN;
  let at = 16;
  let ms = dayMs + hour * 3_600_000 + minute * 60_000;
  if (text.charCodeAt(at) === 0x3a) {
    const second = digits(text, 17, 2);
    if (!(second <= 59)) return NaN;
    ms += second * 1_000;
    at = 19;
    const mark = text.charCodeAt(at);
    if (mark === 0x2e || mark === 0x2c) {
      const end = digitsEnd(text, ++at);
      if (end === at) return NaN;
      ms += Number(text.slice(at, Math.min(end, at + 3)).padEnd(3, '0'));
      at = end;
    }
  }
  if (zone !== null && at === text.length) ms = zone.instantMs(ms);
  else ms -= offsetMs(text, at);
  return ms >= FIRST_MS && ms <= LAST_MS ? ms : NaN;
}

/** ISO 8601 UTC with milliseconds of `ms`, which `text` stands for: often the text itself, or nearly. */
export function timestampText(ms: number, text: string): string {
  if (text.charCodeAt(10) === 0x54) {
    if (text.charCodeAt(19) === 0x5a) return `${text.slice(0, 19)}.000Z`;
    if (text.length === 24 && text.charCodeAt(19) === 0x2e && text.charCodeAt(23) === 0x5a) return text;
  }
  return new Date(ms).toISOString();
}

/** Epoch ms of the date that the first ten characters are, or NaN. */
function dateMs(text: string): number {
  if (text.length < 10 || text.charCodeAt(4) !== 0x2d || text.charCodeAt(7) !== 0x2d) return NaN;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  return dayOfMs(year, month, digits(text, 8, 2));
}

/** Epoch ms of a date of the years 1 to 9999, or NaN when there is none. */
export function dayOfMs(year: number, month: number, day: number): number {
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return NaN;
  // Days since the epoch in the proleptic Gregorian calendar, years counted from March so that leap days come last.
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return (era * 146_097 + dayOfEra - 719_468) * DAY_MS;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Ms that the zone at `at` is ahead of UTC: 0 for `Z` and for no zone, NaN when it is none or text follows it. */
function offsetMs(text: string, at: number): number {
  const rest = text.length - at;
  if (rest === 0) return 0;
  const sign = text.charCodeAt(at);
  if (sign === 0x5a) return rest === 1 ? 0 : NaN;
  if (sign !== 0x2b && sign !== 0x2d) return NaN;
  const colon = text.charCodeAt(at + 3) === 0x3a;
  const hours = digits(text, at + 1, 2);
  const minutes = rest === 3 ? 0 : digits(text, at + (colon ? 4 : 3), 2);
  if (rest !== 3 && rest !== (colon ? 6 : 5)) return NaN;
  if (!(hours <= 23 && minutes <= 59)) return NaN;
  return (sign === 0x2d ? -1 : 1) * (hours * 3_600_000 + minutes * 60_000);
}

/** The number that `count` characters from `at` write, NaN when one is no digit. */
function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) >= ZERO && text.charCodeAt(at) <= ZERO + 9) at++;
  return at;
}
