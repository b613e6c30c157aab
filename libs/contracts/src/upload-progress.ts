// Records of `<pipeline>.uploads`: the publisher's memory. One transactional writer, so a read after the fence is final.
import type { Pipeline } from './pipeline.js';
export const GENERATION_KEY = 'generation';
export const SEQUENCE_KEY = 'sequence';

/** Epoch ms at which the pipeline's topics were created or reset: orders writes to Redis before any offset. */
export interface Generation {
  generation: number;
  /** Of a reset: where each partition of `rows` is read from, by partition. */
  from?: string[];
}

export const PIPELINE_KEY = 'pipeline';

/** When a view that was added began: `at` is ISO, null while no upload has come since; `sequence` is of the upload before. */
export interface ViewSince {
  at: string | null;
  sequence: number;
}

/** The pipeline file under which rows are published now. */
export interface ActivePipeline {
  /** As `fingerprint` of libs/windowing makes them. */
  key: string[];
  partitions: number;
  views: Record<string, string>;
  /** By view: null where it counts from the first upload, else when the first upload that it counts was created. */
  since: Record<string, ViewSince | null>;
  text: string;
}

/** The highest upload sequence given so far, and the stream time of the uploads that have ended (epoch ms). */
export interface LastSequence {
  sequence: number;
  stream_time?: number | null;
}

/** Key: run id. Tombstoned when the run has ended. */
export interface UploadProgress {
  /** 1-based record number to go on at. */
  next_row: number;
  published: number;
  rejected: number;
  sequence: number;
  /** As the pipeline file said when the upload began: `event_time` puts watermarks between its rows. */
  order: Pipeline['order'];
  stream_time: number | null;
  rows_in_partition: number[];
  /** True once the end-of-upload control records are in the log. */
  ended: boolean;
  dead_letters: { partition: number; from: string; to: string } | null;
}
