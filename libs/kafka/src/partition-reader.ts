// One partition fetched without a group, read_committed: what read-partition and tail-partition are made of. Positions
// are right because of patches/fetch-response: the last record decoded, marker or not, says where the next fetch begins.
import type { Kafka } from 'kafkajs';
import {
  createReaderCluster,
  READ_COMMITTED,
  type FetchedPartition,
  type RawCluster,
  type RawRecord,
} from './kafkajs.js';
import type { KafkaRecord } from './records.js';

/** What one fetch brought. */
export interface Fetched {
  /** In order, at or above the position asked for, markers left out. */
  records: KafkaRecord[];
  /** The position after the fetch. Equal to the one before when nothing came. */
  next: bigint;
  /** The end of what is decided: nothing below it is part of an open transaction. */
  lastStableOffset: bigint;
  highWatermark: bigint;
}

/** One value per header: kafkajs gives a list when a name repeats, and the last one stands. */
function headersOf(raw: RawRecord['headers']): Record<string, Buffer | undefined> {
  const headers: Record<string, Buffer | undefined> = {};
  for (const [name, value] of Object.entries(raw ?? {})) headers[name] = Array.isArray(value) ? value.at(-1) : value;
  return headers;
}

/** kafkajs' message as a KafkaRecord. */
export function toKafkaRecord(
  topic: string,
  partition: number,
  raw: Pick<RawRecord, 'offset' | 'timestamp' | 'key' | 'value' | 'headers'>,
): KafkaRecord {
  return {
    topic,
    partition,
    offset: BigInt(raw.offset),
    timestampMs: Number(raw.timestamp),
    key: raw.key,
    value: raw.value,
    headers: headersOf(raw.headers),
  };
}

/** Kafka answers a position outside of the log with this error. */
export function isOutOfRange(error: unknown): boolean {
  return error instanceof Error && error.name === 'KafkaJSOffsetOutOfRange';
}

export class PartitionReader {
  readonly #cluster: RawCluster;

  constructor(
    kafka: Kafka,
    private readonly topic: string,
    private readonly partition: number,
    private readonly fetchOptions: { maxBytes: number; maxWaitMs: number },
  ) {
    this.#cluster = createReaderCluster(kafka);
  }

  async open(): Promise<void> {
    await this.#cluster.connect();
    await this.#cluster.addTargetTopic(this.topic);
  }

  /** Also ends a fetch that is under way. */
  async close(): Promise<void> {
    try {
      await this.#cluster.disconnect();
    } catch {
      // The connection is gone, which is what was wanted.
    }
  }

  /** The first offset still in the log. */
  async startOffset(): Promise<bigint> {
    return this.#listOffset(true);
  }

  /** The last stable offset, as this read_committed reader is told it. */
  async endOffset(): Promise<bigint> {
    return this.#listOffset(false);
  }

  async fetch(from: bigint): Promise<Fetched> {
    const { maxBytes, maxWaitMs } = this.fetchOptions;
    const leaders = this.#cluster.findLeaderForPartitions(this.topic, [this.partition]);
    const nodeId = Object.keys(leaders)[0];
    if (nodeId === undefined) {
      throw Object.assign(new Error(`${this.topic}/${this.partition} has no leader`), { type: 'LEADER_NOT_AVAILABLE' });
    }
    const broker = await this.#cluster.findBroker({ nodeId });
    const answer = await broker.fetch({
      isolationLevel: READ_COMMITTED,
      maxWaitTime: maxWaitMs,
      minBytes: 1,
      maxBytes,
      topics: [
        {
          topic: this.topic,
          partitions: [{ partition: this.partition, fetchOffset: from.toString(), maxBytes }],
        },
      ],
    });
    const fetched = answer.responses[0]?.partitions[0];
    if (fetched === undefined) throw new Error(`the fetch of ${this.topic}/${this.partition} was answered without it`);
    return this.#toFetched(fetched, from);
  }

  #toFetched(fetched: FetchedPartition, from: bigint): Fetched {
    const records: KafkaRecord[] = [];
    let next = from;
    for (const raw of fetched.messages) {
      const offset = BigInt(raw.offset);
      if (offset < next) continue; // a batch is answered whole, even when its middle was asked for
      if (!raw.isControlRecord) records.push(toKafkaRecord(this.topic, this.partition, raw));
      next = offset + 1n;
    }
    return {
      records,
      next,
      lastStableOffset: BigInt(fetched.lastStableOffset),
      highWatermark: BigInt(fetched.highWatermark),
    };
  }

  /** After a failed call: forgets what is known of the brokers, so that the next call looks anew. */
  async recover(error: unknown): Promise<void> {
    const { name, host, port } = (error ?? {}) as { name?: string; host?: string; port?: number };
    if (name === 'KafkaJSConnectionClosedError' && host !== undefined && port !== undefined) {
      this.#cluster.removeBroker({ host, port });
    }
    if (!this.#cluster.isConnected()) await this.#cluster.connect();
    await this.#cluster.addTargetTopic(this.topic);
    await this.#cluster.refreshMetadata();
  }

  async #listOffset(fromBeginning: boolean): Promise<bigint> {
    const [answer] = await this.#cluster.fetchTopicsOffset([
      { topic: this.topic, partitions: [{ partition: this.partition }], fromBeginning },
    ]);
    const offset = answer?.partitions[0]?.offset;
    if (offset === undefined) {
      throw Object.assign(new Error(`${this.topic}/${this.partition} has no leader`), { type: 'LEADER_NOT_AVAILABLE' });
    }
    return BigInt(offset);
  }
}
