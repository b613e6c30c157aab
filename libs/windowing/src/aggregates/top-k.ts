// `top_k`: the most frequent values, as a Misra-Gries summary: mergeable, exact while a group's different values fit
// (512 of them, 28 KiB in all), and beyond that no count is too high, nor too low by more than n / 513 (n / 104 where
// values are longer than 36 bytes). It is the one aggregate whose result may depend on how the rows were cut.
import { cellText, TOP_K_BYTES, TOP_K_VALUE_BYTES, type TopValue } from '#contracts';
import { WindowingError } from '../errors.js';
import { MAP_BYTES, OBJECT_BYTES } from '../heap-bytes.js';
import type { Aggregate, JsonValue } from './aggregate.js';
import { cutJson, jsonBytes } from './cut-json.js';
import { hashHex } from './hash-text.js';

const MAX_COUNTERS = 512;
/** Quotes, commas and a count of up to 16 digits, beside the value. */
const COUNTER_BYTES = 20;
/** Beside the text's characters: its head, and its place in the map. */
const COUNTER_OVERHEAD_BYTES = 48;
/** In memory there may be so many times as much before it is cut down: then cutting costs little a row. */
const SLACK = 2;

interface Summary {
  counts: Map<string, number>;
  /** Of all counters, as the changelog holds them. */
  bytes: number;
}

/** Ascending ranks: the most frequent first, equal ones by their text. */
const byRank = ([a, m]: [string, number], [b, n]: [string, number]): number => n - m || (a < b ? -1 : 1);

function count(summary: Summary, value: string, times: number): void {
  const { counts } = summary;
  const before = counts.get(value);
  counts.set(value, (before ?? 0) + times);
  if (before !== undefined) return;
  summary.bytes += jsonBytes(value) + COUNTER_BYTES;
  if (counts.size > SLACK * MAX_COUNTERS || summary.bytes > SLACK * TOP_K_BYTES) Object.assign(summary, cut(summary));
}

/**
 * The most frequent values that fit, each less the count of the first that does not. So much is taken from each of
 * them and from that one: that is what bounds the error.
 */
function cut({ counts, bytes }: Summary): Summary {
  if (counts.size <= MAX_COUNTERS && bytes <= TOP_K_BYTES) return { counts, bytes };
  const ranked = [...counts].sort(byRank);
  let [fitting, used] = [0, 0];
  for (; fitting < MAX_COUNTERS; fitting++) {
    used += jsonBytes(ranked[fitting]![0]) + COUNTER_BYTES;
    if (used > TOP_K_BYTES) break;
  }
  const less = ranked[fitting]![1];
  const kept = ranked.slice(0, fitting).filter(([, times]) => times > less);
  return {
    counts: new Map(kept.map(([value, times]) => [value, times - less])),
    bytes: kept.reduce((sum, [value]) => sum + jsonBytes(value) + COUNTER_BYTES, 0),
  };
}

/** A long value is its beginning and its hash, so that different ones stay different. */
function boundedValue(text: string): string {
  const beginning = cutJson(text, TOP_K_VALUE_BYTES);
  if (beginning === text) return text;
  return `${cutJson(text, TOP_K_VALUE_BYTES - 19)}…${hashHex(text)}`;
}

export function topK(k: number): Aggregate<Summary> {
  return {
    empty: () => ({ counts: new Map(), bytes: 0 }),
    clone: ({ counts, bytes }) => ({ counts: new Map(counts), bytes }),
    add(summary, cell) {
      if (cell !== null && cell !== '') count(summary, boundedValue(cellText(cell)), 1);
    },
    merge(into, { counts }) {
      for (const [value, times] of counts) count(into, value, times);
    },
    // Texts in memory take at most about as much as in JSON; a map's entry takes the rest.
    bytes: ({ counts, bytes }) => OBJECT_BYTES + MAP_BYTES + counts.size * COUNTER_OVERHEAD_BYTES + bytes,
    result({ counts }) {
      if (counts.size === 0) return null;
      const ranked = [...counts].sort(byRank).slice(0, k);
      return ranked.map(([value, times]): TopValue => ({ value, count: times }));
    },
    /** `[value, count, value, count, ...]`, the most frequent first. */
    encode: (summary) => [...cut(summary).counts].sort(byRank).flat() as JsonValue,
    decode(value) {
      const items = Array.isArray(value) ? (value as unknown[]) : [null];
      const summary: Summary = { counts: new Map(), bytes: 0 };
      for (let i = 0; i < items.length; i += 2) {
        const [text, times] = [items[i], items[i + 1]];
        if (typeof text !== 'string' || !Number.isSafeInteger(times) || (times as number) < 1) {
          throw new WindowingError('bad_changelog', 'no values with their counts in a changelog record');
        }
        count(summary, text, times as number);
      }
      return summary;
    },
  };
}
