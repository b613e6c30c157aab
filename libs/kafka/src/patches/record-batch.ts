// Part of patch 3: decodes an uncompressed record batch (message format 2, KIP-98) in one pass over its bytes. kafkajs'
// own decoder makes a Decoder call for every field and a Long for every number: several microseconds a record.
import { kafkaJsInternal, type RawRecord } from '../kafkajs.js';

/** Bytes before a batch's records. */
export const RECORD_BATCH_HEADER_BYTES = 61;

const CODEC_MASK = 0x07;
const LOG_APPEND_TIME_FLAG = 0x08;
const TRANSACTIONAL_FLAG = 0x10;
const CONTROL_FLAG = 0x20;

const TimestampTypes = kafkaJsInternal<{ CREATE_TIME: number; LOG_APPEND_TIME: number }>('protocol/timestampTypes');

/** What stands before a batch's records, as kafkajs names it. */
export interface BatchContext {
  firstOffset: string;
  firstTimestamp: string;
  partitionLeaderEpoch: number;
  inTransaction: boolean;
  isControlBatch: boolean;
  lastOffsetDelta: number;
  producerId: string;
  producerEpoch: number;
  firstSequence: number;
  maxTimestamp: string;
  timestampType: number;
  magicByte: number;
}

export interface BatchHead {
  context: BatchContext;
  isCompressed: boolean;
  recordCount: number;
  /** Where the batch ends in the data; beyond its length when the fetch cut it off. */
  end: number;
}

/** `at` has {@link RECORD_BATCH_HEADER_BYTES} behind it. */
export function readBatchHead(data: Buffer, at: number): BatchHead {
  const attributes = data.readInt16BE(at + 21);
  return {
    context: {
      firstOffset: data.readBigInt64BE(at).toString(),
      firstTimestamp: data.readBigInt64BE(at + 27).toString(),
      partitionLeaderEpoch: data.readInt32BE(at + 12),
      inTransaction: (attributes & TRANSACTIONAL_FLAG) !== 0,
      isControlBatch: (attributes & CONTROL_FLAG) !== 0,
      lastOffsetDelta: data.readInt32BE(at + 23),
      producerId: data.readBigInt64BE(at + 43).toString(),
      producerEpoch: data.readInt16BE(at + 51),
      firstSequence: data.readInt32BE(at + 53),
      maxTimestamp: data.readBigInt64BE(at + 35).toString(),
      timestampType:
        (attributes & LOG_APPEND_TIME_FLAG) === 0 ? TimestampTypes.CREATE_TIME : TimestampTypes.LOG_APPEND_TIME,
      magicByte: data.readInt8(at + 16),
    },
    isCompressed: (attributes & CODEC_MASK) !== 0,
    recordCount: data.readInt32BE(at + 57),
    end: at + 12 + data.readInt32BE(at + 8),
  };
}

/** Appends the records of an uncompressed batch that begins at `at`. Keys and values are views of `data`. */
export function readBatchRecords(data: Buffer, at: number, head: BatchHead, into: RawRecord[]): void {
  const { context } = head;
  const reader = new VarintReader(data, at + RECORD_BATCH_HEADER_BYTES);
  // Offsets and times are far below 2^53: plain numbers are exact, and a BigInt for each record is dear.
  const firstOffset = Number(context.firstOffset);
  const firstTimestamp = Number(context.firstTimestamp);
  const appendTime = context.timestampType === TimestampTypes.LOG_APPEND_TIME ? context.maxTimestamp : null;
  for (let i = 0; i < head.recordCount; i++) {
    const size = reader.varint();
    const end = reader.at + size;
    const attributes = data.readInt8(reader.at);
    reader.at++;
    const timestamp = firstTimestamp + reader.varint();
    const offset = firstOffset + reader.varint();
    const key = reader.bytes();
    const value = reader.bytes();
    const headers = reader.headers();
    into.push({
      magicByte: context.magicByte,
      attributes,
      timestamp: appendTime ?? String(timestamp),
      offset: String(offset),
      key,
      value,
      headers,
      isControlRecord: context.isControlBatch,
      batchContext: context,
    });
    reader.at = end;
  }
}

/** Zigzag varints of protobuf, as the record format uses them. */
class VarintReader {
  constructor(
    private readonly data: Buffer,
    public at: number,
  ) {}

  /** Also a varlong, while it is exact as a number (time deltas are). */
  varint(): number {
    let byte = this.data[this.at++]!;
    let value = byte & 0x7f;
    let scale = 128;
    while (byte >= 0x80) {
      byte = this.data[this.at++]!;
      value += (byte & 0x7f) * scale;
      scale *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | null {
    const size = this.varint();
    if (size < 0) return null;
    const bytes = this.data.subarray(this.at, this.at + size);
    this.at += size;
    return bytes;
  }

  /** A name that comes more than once has its values in a list, as kafkajs gives it. */
  headers(): RawRecord['headers'] {
    const headers: Record<string, Buffer | Buffer[] | undefined> = {};
    for (let left = this.varint(); left > 0; left--) {
      const name = (this.bytes() ?? Buffer.alloc(0)).toString();
      const value = this.bytes() as Buffer;
      const known = headers[name];
      headers[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
    }
    return headers;
  }
}
