// Patch 3 of kafkajs: decoding of a fetch answer. The aborted-transaction filter is Java's, per record batch (kafkajs'
// own leaks aborted rows); positions advance over batches that hold no record any more; no big array is spread.
import {
  assertKafkaJsVersion,
  installedKafkaJsVersion,
  kafkaJsInternal,
  type FetchedPartition,
  type RawRecord,
} from '../kafkajs.js';
import { readBatchHead, readBatchRecords, RECORD_BATCH_HEADER_BYTES, type BatchHead } from './record-batch.js';

/** The part of kafkajs' Decoder used here. */
interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): { toString(): string };
  readString(): string;
  readBytes(size: number): Buffer;
  canReadBytes(size: number): boolean;
  readArray<Item>(read: (decoder: Decoder) => Item): Item[];
  readArrayAsync<Item>(read: (decoder: Decoder) => Promise<Item>): Promise<Item[]>;
}

interface AbortedTransaction {
  producerId: string;
  firstOffset: bigint;
}

const CONTROL_TYPE_ABORT = 0;

const Decoder = kafkaJsInternal<new (buffer: Buffer) => Decoder>('protocol/decoder');
const decodeBatch = kafkaJsInternal<(decoder: Decoder) => Promise<{ records: RawRecord[] }>>(
  'protocol/recordBatch/v0/decoder',
);

/** A control record's key is int16 version, int16 type; a batch of control records holds one. */
function isAbortMarker(records: readonly RawRecord[]): boolean {
  const key = records[0]?.key;
  return key != null && key.length >= 4 && key.readInt16BE(2) === CONTROL_TYPE_ABORT;
}

/** Stands for a batch without records: kafkajs moves its position past it and shows it to nobody. */
function positionRecord(offset: bigint): RawRecord {
  return {
    offset: offset.toString(),
    timestamp: '0',
    key: null,
    value: null,
    headers: {},
    isControlRecord: true,
    attributes: 0,
    batchContext: { producerId: '-1', inTransaction: false },
  };
}

/** The records of one batch; a compressed one goes through kafkajs and its codecs. */
async function recordsOf(data: Buffer, at: number, head: BatchHead): Promise<RawRecord[]> {
  if (head.isCompressed) return (await decodeBatch(new Decoder(data.subarray(at, head.end)))).records;
  const records: RawRecord[] = [];
  readBatchRecords(data, at, head, records);
  return records;
}

/** Decodes the record batches of one partition, leaving out what was aborted. */
export async function decodeRecords(data: Buffer, aborted: AbortedTransaction[]): Promise<RawRecord[]> {
  // Brokers list aborted transactions in the order of their abort markers; they begin to matter by first offset.
  const queue = aborted.toSorted((a, b) =>
    a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0,
  );
  const abortedProducers = new Set<string>();
  const records: RawRecord[] = [];
  let queueAt = 0;
  let last: bigint | null = null;
  for (let at = 0; at + RECORD_BATCH_HEADER_BYTES <= data.length;) {
    const head = readBatchHead(data, at);
    if (head.end > data.length) break; // a fetch ends where its bytes end: the rest comes with the next
    const { firstOffset, lastOffsetDelta, producerId, isControlBatch, inTransaction } = head.context;
    last = BigInt(firstOffset) + BigInt(lastOffsetDelta);
    for (let next = queue[queueAt]; next !== undefined && next.firstOffset <= last; next = queue[++queueAt]) {
      abortedProducers.add(next.producerId);
    }
    if (isControlBatch || !inTransaction || !abortedProducers.has(producerId)) {
      const found = await recordsOf(data, at, head);
      if (isControlBatch && isAbortMarker(found)) abortedProducers.delete(producerId);
      for (const record of found) records.push(record);
    }
    at = head.end;
  }
  const lastRecord = records.at(-1);
  if (last !== null && (lastRecord === undefined || BigInt(lastRecord.offset) < last))
    records.push(positionRecord(last));
  return records;
}

async function decodePartition(decoder: Decoder): Promise<FetchedPartition> {
  const partition = decoder.readInt32();
  const errorCode = decoder.readInt16();
  const highWatermark = decoder.readInt64().toString();
  const lastStableOffset = decoder.readInt64().toString();
  const lastStartOffset = decoder.readInt64().toString();
  const aborted = decoder.readArray((d) => ({
    producerId: d.readInt64().toString(),
    firstOffset: BigInt(d.readInt64().toString()),
  }));
  const preferredReadReplica = decoder.readInt32();
  const size = decoder.readInt32();
  const data = size > 0 && decoder.canReadBytes(size) ? decoder.readBytes(size) : Buffer.alloc(0);
  const messages = await decodeRecords(data, aborted);
  // An empty list turns kafkajs' own filter into the identity: the filtering is done.
  const abortedTransactions: unknown[] = [];
  return {
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    lastStartOffset,
    abortedTransactions,
    preferredReadReplica,
    messages,
  };
}

/** Decodes a whole Fetch v11 answer into the shape kafkajs' own decoder gives. */
export async function decodeFetchResponse(rawData: Buffer): Promise<object> {
  const decoder = new Decoder(rawData);
  const clientSideThrottleTime = decoder.readInt32();
  const errorCode = decoder.readInt16();
  const sessionId = decoder.readInt32();
  const responses = await decoder.readArrayAsync(async (d) => ({
    topicName: d.readString(),
    partitions: await d.readArrayAsync(decodePartition),
  }));
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

/** Puts `decodeFetchResponse` in the place of kafkajs' own. */
export function patchFetchResponse(version = installedKafkaJsVersion()): void {
  assertKafkaJsVersion(version);
  const response = kafkaJsInternal<{ decode: typeof decodeFetchResponse }>('protocol/requests/fetch/v11/response');
  response.decode = decodeFetchResponse;
}
