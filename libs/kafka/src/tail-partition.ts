// Following one partition for ever, without a group: how ingest and the console hear of runs and features.
import type { Kafka } from 'kafkajs';
import { KafkaError, toKafkaError } from './errors.js';
import { isOutOfRange, PartitionReader, type Fetched } from './partition-reader.js';
import type { KafkaRecord } from './records.js';
import { sleep } from './sleep.js';

export interface TailPartitionArgs {
  topic: string;
  partition: number;
  from: bigint;
  /** Ends the tail: the promise resolves. */
  signal: AbortSignal;
  /** Gets the records in order, each once; awaited before the next fetch. What it throws ends the tail. */
  onRecords: (records: KafkaRecord[]) => Promise<void> | void;
  /** Told of every failed fetch (it is tried again) and of `records_lost` (it goes on at the log start). */
  onError?: (error: KafkaError) => void;
}

const FETCH_BYTES = 1 << 20;
const FETCH_WAIT_MS = 500;
const RETRY_WAIT_MS = 200;
const RETRY_WAIT_MAX_MS = 2000;

class Tail {
  readonly #reader: PartitionReader;
  #position: bigint;
  #failed: unknown = null;
  #isOpen = false;

  constructor(
    kafka: Kafka,
    private readonly args: TailPartitionArgs,
  ) {
    this.#position = args.from;
    this.#reader = new PartitionReader(kafka, args.topic, args.partition, {
      maxBytes: FETCH_BYTES,
      maxWaitMs: FETCH_WAIT_MS,
    });
  }

  async run(): Promise<void> {
    const { signal, onRecords } = this.args;
    const close = (): void => void this.#reader.close();
    signal.addEventListener('abort', close, { once: true });
    try {
      for (let waitMs = RETRY_WAIT_MS; !signal.aborted;) {
        const fetched = await this.#tryFetch();
        if (signal.aborted) return;
        if (fetched === null) {
          await sleep(waitMs, signal);
          waitMs = Math.min(waitMs * 2, RETRY_WAIT_MAX_MS);
          continue;
        }
        waitMs = RETRY_WAIT_MS;
        if (fetched.records.length > 0) await onRecords(fetched.records);
        this.#position = fetched.next;
      }
    } finally {
      signal.removeEventListener('abort', close);
      await this.#reader.close();
    }
  }

  /** One fetch; null after a failure, which has been told. */
  async #tryFetch(): Promise<Fetched | null> {
    try {
      if (!this.#isOpen) {
        await this.#reader.open();
        this.#isOpen = true;
      } else if (this.#failed !== null) {
        await this.#reader.recover(this.#failed);
      }
      this.#failed = null;
      return await this.#reader.fetch(this.#position);
    } catch (error) {
      this.#failed = error;
      if (this.args.signal.aborted) return null;
      if (isOutOfRange(error)) await this.#resetToStart(error);
      else this.args.onError?.(toKafkaError(error));
      return null;
    }
  }

  async #resetToStart(cause: unknown): Promise<void> {
    const { topic, partition } = this.args;
    try {
      const start = await this.#reader.startOffset();
      const text = `${topic}/${partition} no longer holds offset ${this.#position}: going on at its start, ${start}`;
      this.args.onError?.(new KafkaError('records_lost', text, { retriable: true, cause }));
      this.#position = start;
    } catch (error) {
      this.args.onError?.(toKafkaError(error));
    }
  }
}

/** Follows a partition from `from` until `signal` aborts; survives broker restarts. */
export async function tailPartition(kafka: Kafka, args: TailPartitionArgs): Promise<void> {
  await new Tail(kafka, args).run();
}
