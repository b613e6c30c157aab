// Cuts what is to be sent into requests: kafkajs makes one record batch per partition of a send, and a batch above the
// topic's max.message.bytes is refused for good (and would be on every replay).
import type { OutRecord } from './records.js';

export const REQUEST_RECORDS_MAX = 4000;
export const BATCH_BYTES_MAX = 700_000;
/** Length fields, deltas and attributes of one record, rounded up. */
const RECORD_OVERHEAD_BYTES = 24;

function bytesOf(text: string | Buffer | null): number {
  return text === null ? 0 : Buffer.byteLength(text);
}

/** An upper bound of the bytes a record takes in its batch. */
export function recordBytes(record: OutRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + bytesOf(record.key) + bytesOf(record.value);
  for (const [name, value] of Object.entries(record.headers ?? {})) {
    bytes += RECORD_OVERHEAD_BYTES + Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  return bytes;
}

/**
 * Yields consecutive pieces of `records`, order kept: at most 4000 records a piece and 700 kB per topic and partition.
 * A record larger than that ends its piece as soon as its partition has anything else in it.
 */
export function* splitRecords(records: readonly OutRecord[]): Generator<OutRecord[]> {
  let piece: OutRecord[] = [];
  let batchBytes = new Map<string, number>();
  for (const record of records) {
    const batch = `${record.topic}/${record.partition}`;
    const bytes = recordBytes(record);
    const before = batchBytes.get(batch) ?? 0;
    if (piece.length >= REQUEST_RECORDS_MAX || (before > 0 && before + bytes > BATCH_BYTES_MAX)) {
      yield piece;
      piece = [];
      batchBytes = new Map();
    }
    piece.push(record);
    batchBytes.set(batch, (batchBytes.get(batch) ?? 0) + bytes);
  }
  if (piece.length > 0) yield piece;
}
