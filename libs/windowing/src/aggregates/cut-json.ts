// Long texts inside accumulators: cut by what they take as JSON, so that an entry's size is bounded by construction.

/** The bytes that a UTF-16 code unit takes inside a JSON string, written as JSON.stringify does; at most this many. */
function unitBytes(unit: number): number {
  if (unit < 0x20) return 6;
  if (unit === 0x22 || unit === 0x5c) return 2;
  if (unit < 0x80) return 1;
  if (unit < 0x800) return 2;
  // Two halves are 4 bytes, but a lone one is written as a \u escape.
  return unit >= 0xd800 && unit <= 0xdfff ? 6 : 3;
}

/** The longest beginning of `text`, whole characters, that takes at most `bytes` inside a JSON string. */
export function cutJson(text: string, bytes: number): string {
  if (text.length * 6 <= bytes) return text;
  let used = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    used += unitBytes(unit);
    if (used > bytes) return ownCopy(text.slice(0, isLowHalf(unit) ? i - 1 : i));
  }
  return text;
}

const isLowHalf = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

/** A slice would keep the whole long text in memory. */
const ownCopy = (text: string): string => JSON.parse(JSON.stringify(text)) as string;

/** At most what `text` takes inside a JSON string, without quotes. */
export function jsonBytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) bytes += unitBytes(text.charCodeAt(i));
  return bytes;
}
