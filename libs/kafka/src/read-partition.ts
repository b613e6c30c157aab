// Reading one partition to its end, without a group: restoring a task's state, loading ingest's memory, reading a range.
import type { Kafka } from 'kafkajs';
import { KafkaError, toKafkaError } from './errors.js';
import { isOutOfRange, PartitionReader, type Fetched } from './partition-reader.js';
import type { KafkaRecord } from './records.js';
import { sleep } from './sleep.js';

/** How far a read has come: it began at `start`, goes on at `next`, and ends at `end` as that is known now. */
export interface ReadProgress {
  start: bigint;
  next: bigint;
  end: bigint;
  /** Handed on so far. */
  records: number;
}

export interface ReadPartitionArgs {
  topic: string;
  partition: number;
  /** First offset to read; default the log start. Below the log start it begins at the log start. */
  from?: bigint;
  /** Ends before this offset, if the last stable offset does not end it earlier. */
  to?: bigint;
  signal?: AbortSignal;
  /** Called for every record in order; `false` ends the read after this record. */
  onRecord: (record: KafkaRecord) => void | false;
  /** Called after every fetch. */
  onProgress?: (progress: ReadProgress) => void;
}

const FETCH_BYTES = 4 << 20;
const FETCH_WAIT_MS = 50;
const RETRY_WAIT_MS = 200;
/** Without an answer for so long the read fails: the caller's own retry decides then. */
const GIVE_UP_MS = 60_000;
/** A tail that compaction has removed is answered with nothing below the last stable offset: believed the third time. */
const EMPTY_FETCHES_MAX = 3;

function abortedError(topic: string, partition: number): KafkaError {
  return new KafkaError('read_aborted', `reading ${topic}/${partition} was called off`, { retriable: true });
}

class BoundedRead {
  readonly #reader: PartitionReader;
  #records = 0;

  constructor(
    kafka: Kafka,
    private readonly args: ReadPartitionArgs,
  ) {
    this.#reader = new PartitionReader(kafka, args.topic, args.partition, {
      maxBytes: FETCH_BYTES,
      maxWaitMs: FETCH_WAIT_MS,
    });
  }

  async run(): Promise<{ next: bigint; records: number }> {
    const close = (): void => void this.#reader.close();
    this.args.signal?.addEventListener('abort', close, { once: true });
    try {
      await this.#patiently(() => this.#reader.open());
      const start = await this.#patiently(() => this.#reader.startOffset());
      const from = this.args.from ?? start;
      const next = await this.#readFrom(from > start ? from : start);
      return { next, records: this.#records };
    } finally {
      this.args.signal?.removeEventListener('abort', close);
      await this.#reader.close();
    }
  }

  async #readFrom(from: bigint): Promise<bigint> {
    let position = from;
    let empties = 0;
    let emptyAt = -1n;
    for (;;) {
      if (this.args.to !== undefined && position >= this.args.to) return position;
      const fetched = await this.#patiently(() => this.#fetch(position));
      const handled = this.#handle(fetched);
      const end = fetched.lastStableOffset;
      if (handled !== null) return handled;
      const isEmpty = fetched.next === position;
      position = fetched.next;
      this.args.onProgress?.({ start: from, next: position, end, records: this.#records });
      if (position >= end) return position;
      empties = !isEmpty ? 0 : emptyAt === end ? empties + 1 : 1;
      emptyAt = end;
      if (empties >= EMPTY_FETCHES_MAX) return position;
    }
  }

  /** Hands the records on; an offset when the read has ended among them. */
  #handle(fetched: Fetched): bigint | null {
    for (const record of fetched.records) {
      if (this.args.to !== undefined && record.offset >= this.args.to) return this.args.to;
      this.#records++;
      if (this.args.onRecord(record) === false) return record.offset + 1n;
    }
    return null;
  }

  async #fetch(position: bigint): Promise<Fetched> {
    try {
      return await this.#reader.fetch(position);
    } catch (error) {
      if (!isOutOfRange(error)) throw error;
      // A position beyond the end answers the same way; then there is nothing to read, and nothing was lost.
      const end = await this.#reader.endOffset();
      const start = await this.#reader.startOffset();
      if (position > end && position >= start) {
        return { records: [], next: position, lastStableOffset: end, highWatermark: end };
      }
      const { topic, partition } = this.args;
      throw new KafkaError(
        'records_lost',
        `${topic}/${partition} lost its head (now at ${start}) while it was read at ${position}: read it again`,
        { retriable: true, cause: error },
      );
    }
  }

  /** Repeats a call over passing trouble, for a minute at most. */
  async #patiently<Result>(call: () => Promise<Result>): Promise<Result> {
    const giveUpAtMs = performance.now() + GIVE_UP_MS;
    for (let failed: unknown = null; ;) {
      this.#assertWanted();
      try {
        if (failed !== null) await this.#reader.recover(failed);
        return await call();
      } catch (error) {
        this.#assertWanted();
        const failure = toKafkaError(error);
        const isFinal = !failure.retriable || failure.code === 'records_lost';
        if (isFinal || performance.now() >= giveUpAtMs) throw failure;
        failed = error;
      }
      await sleep(RETRY_WAIT_MS, this.args.signal);
    }
  }

  #assertWanted(): void {
    if (this.args.signal?.aborted) throw abortedError(this.args.topic, this.args.partition);
  }
}

/**
 * Reads from `from` to the last stable offset seen at the end (or to `to`): `next` is the position after, `records` how
 * many were handed on. Throws KafkaErrors: `read_aborted`, `records_lost`, `kafka_unavailable` after a minute.
 */
export async function readPartition(kafka: Kafka, args: ReadPartitionArgs): Promise<{ next: bigint; records: number }> {
  return new BoundedRead(kafka, args).run();
}
