// Records of `features`: one per (view, group, window), and the end-of-upload record that follows the last of them.
import type { WindowSpec } from './pipeline.js';

const NUL = '\u0000';

/** One of the most frequent values. `count` is never above the true number. */
export interface TopValue {
  readonly value: string;
  readonly count: number;
}

/**
 * Counts are numbers; results of sum, avg, min, max, variance, stddev, approx_quantile and integers beyond 2^53-1 are
 * strings; first and last are the cell as the row has it; top_k is a list, the most frequent first; of no values, null.
 */
export type FeatureValue = number | string | boolean | null | readonly TopValue[];

/** A feature as Redis and tables show it: plain text, a list as JSON. */
export function featureText(value: Exclude<FeatureValue, null>): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export interface FeatureRecord {
  readonly view: string;
  readonly key: Record<string, string>;
  /** `start`, `end`: epoch ms; null for upload and all_time. */
  readonly window: { readonly type: WindowSpec['type']; readonly start: number | null; readonly end: number | null };
  readonly features: Record<string, FeatureValue>;
  readonly final: boolean;
  readonly upload: string;
  /** The task's stream time when the record was made, epoch ms; null before the first upload has ended. */
  readonly stream_time: number | null;
}

/** `<view>` NUL `<group>` NUL `<window start ms>`; the last part is empty for upload and all_time. */
export function featureKey(view: string, group: string, windowStart: number | null): string {
  return `${view}${NUL}${group}${NUL}${windowStart ?? ''}`;
}

/** The parts of a feature's key; null for a control record's key, which begins with NUL. */
export function parseFeatureKey(key: string): { view: string; group: string; windowStart: number | null } | null {
  if (key.startsWith(NUL)) return null;
  // A group value may itself hold NUL (rows with NUL bytes are rejected today): the outer parts never do.
  const first = key.indexOf(NUL);
  const last = key.lastIndexOf(NUL);
  const start = key.slice(last + 1);
  return {
    view: key.slice(0, first),
    group: key.slice(first + 1, last),
    windowStart: start === '' ? null : Number(start),
  };
}

/** Header of a retraction: the view as it was, for its Redis key, since today's pipeline file may have another or none. */
export const RETRACTED_VIEW = 'view';

/** Tells the feature writer that a task has begun a new generation: what it wrote before is to be written anew. */
export function encodeFeaturesReset(stage: string, generation: number): { key: string; value: string } {
  return { key: ['', 'reset', stage].join(NUL), value: JSON.stringify({ generation }) };
}

/** The new generation, or null for any other record. */
export function decodeFeaturesReset(key: string, value: Buffer | null): number | null {
  if (!key.startsWith(`${NUL}reset${NUL}`) || value === null) return null;
  return (JSON.parse(value.toString()) as { generation: number }).generation;
}

/** Tells the feature writer that all features due from an upload, in this partition and stage, stand before it. */
export interface EndOfFeatures {
  readonly upload: string;
  readonly sequence: number;
  readonly stage: string;
  readonly partition: number;
  readonly rows: number;
  /** Rows that were late in at least one view. */
  readonly late: number;
  /** Rows that were late, by view; views without any are left out. */
  readonly late_by_view: Record<string, number>;
}

/**
 * The key is bounded (sequence mod 1000), so that compaction cleans old ones up; a report of a later upload
 * stands for every earlier one of the same stage and partition.
 */
export function encodeEndOfFeatures(record: EndOfFeatures): { key: string; value: string } {
  const parts = ['', 'end-of-upload', record.stage, String(record.partition), String(record.sequence % 1000)];
  return { key: parts.join(NUL), value: JSON.stringify(record) };
}

export function decodeEndOfFeatures(key: string, value: Buffer | null): EndOfFeatures | null {
  if (!key.startsWith(`${NUL}end-of-upload${NUL}`) || value === null) return null;
  return JSON.parse(value.toString()) as EndOfFeatures;
}
