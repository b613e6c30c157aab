// Control records in `rows`: null key, header `caudal`, written by ingest into every partition.
// They tell every task, at the same place of each partition's log, that an upload has ended or was given up.

/**
 * `pipeline-changed`: from here on the views are those of another pipeline file; `reset`: a new generation begins, every
 * task is to empty its state and begin where the generation says.
 */
export type ControlKind = 'end-of-upload' | 'cancel-upload' | 'watermark' | 'pipeline-changed' | 'reset';

/** With `order: event_time` a watermark follows every so many records of a file, rejected ones counted. */
export const ROWS_PER_WATERMARK = 1_000;

export interface ControlRecord {
  readonly kind: ControlKind;
  readonly upload: string;
  /** Number of the last row read so far (1-based; rejected ones counted), 0 when there was none. */
  readonly row: number;
  /** Largest event time of the rows accepted so far in this upload, epoch ms; null when there was none. */
  readonly streamTime: number | null;
  readonly rowsInPartition: number;
  readonly rowsTotal: number;
  /** Place of the upload in the pipeline's order; later uploads have higher numbers. */
  readonly sequence: number;
  /** Of `pipeline-changed` and `reset` only. */
  readonly change?: PipelineChange;
}

/** What a change of the pipeline or a reset tells tasks. */
export interface PipelineChange {
  readonly generation: number;
  /** Fingerprints of the views that count from here on, by name. */
  readonly views: Record<string, string>;
  /** The sequence of the last upload before each of those views began; none for a view that was there from the first. */
  readonly began: Record<string, number>;
  /** Whether any of those views is kept through `partials`. */
  readonly partials: boolean;
}

export function encodeControl(record: ControlRecord): { key: null; value: string; headers: Record<string, string> } {
  return {
    key: null,
    value: JSON.stringify({
      upload: record.upload,
      row: record.row,
      stream_time: record.streamTime,
      rows_in_partition: record.rowsInPartition,
      rows_total: record.rowsTotal,
      ...(record.change && { change: record.change }),
    }),
    headers: { caudal: record.kind, sequence: String(record.sequence) },
  };
}

/** The control record in a message of `rows`, or null for a row. */
export function decodeControl(message: {
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer | undefined>;
}): ControlRecord | null {
  const kind = message.headers.caudal?.toString();
  if (kind === undefined || message.key !== null || message.value === null) return null;
  const value = JSON.parse(message.value.toString()) as Record<string, never>;
  return {
    kind: kind as ControlKind,
    upload: value.upload!,
    row: value.row!,
    streamTime: value.stream_time!,
    rowsInPartition: value.rows_in_partition!,
    rowsTotal: value.rows_total!,
    sequence: Number(message.headers.sequence?.toString() ?? 0),
    ...(value.change === undefined ? {} : { change: value.change }),
  };
}
