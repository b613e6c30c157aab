// The log under ingest's memory: `caudal.runs`. One transactional writer, fenced before anything is read; changes that
// come together are written together (group commit); what others write there (reports) is followed.
import { sharedTopics, transactionalIds } from '#contracts';
import {
  isFenced,
  KafkaError,
  type KafkaClient,
  type KafkaRecord,
  type OutRecord,
  type TransactionalProducer,
} from '#kafka';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RunsLogOptions {
  client: KafkaClient;
  prefix: string;
  now: () => number;
  onError: (error: unknown, what: string) => void;
  /** Called when this process may not or cannot write any more: it must end and be started again. */
  onFatal: (error: unknown) => void;
}

interface Pending {
  value: string | null;
  settle: ((error: Error | null) => void)[];
}

const RETRY_MS = 200;
/** A change that waits longer than this says that Kafka is away: new uploads are turned away meanwhile. */
const SLOW_MS = 5_000;
// Kafka may be away for a while; a process that cannot write for this long is restarted.
const GIVE_UP_MS = 15 * 60_000;

export class RunsLog {
  private readonly topic: string;
  private producer: TransactionalProducer | null = null;
  private pending = new Map<string, Pending>();
  private flushing: Promise<void> | null = null;
  /** When the batch under way was begun, epoch ms; null when there is none. */
  private writingSince: number | null = null;
  private failingSince: number | null = null;
  private readonly stopping = new AbortController();
  private following: Promise<void> | null = null;
  private closed = false;

  constructor(private readonly options: RunsLogOptions) {
    this.topic = sharedTopics(options.prefix).runs;
  }

  /** Fences earlier writers, then hands on every record; resolves with the offset to {@link follow} from. */
  async open(onRecord: (record: KafkaRecord) => void): Promise<bigint> {
    this.producer = await this.openProducer();
    const { next } = await this.options.client.readPartition({ topic: this.topic, partition: 0, onRecord });
    return next;
  }

  /** Hands on what is written from now on, our own records too. */
  follow(from: bigint, onRecords: (records: KafkaRecord[]) => void): void {
    const { client, onError, onFatal } = this.options;
    this.following = client
      .tailPartition({
        topic: this.topic,
        partition: 0,
        from,
        signal: this.stopping.signal,
        onRecords,
        onError: (error) => onError(error, 'reading reports'),
      })
      .catch((error: unknown) => {
        if (!this.stopping.signal.aborted) onFatal(error);
      });
  }

  /** False while Kafka does not take changes. */
  get writable(): boolean {
    if (this.closed || this.failingSince !== null) return false;
    return this.writingSince === null || this.options.now() - this.writingSince < SLOW_MS;
  }

  /** Queues one change; resolves when Kafka has it. Of several changes of a key the last one is what counts. */
  write(key: string, value: string | null): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null) => (error ? reject(error) : resolve());
      if (this.closed) return reject(closedError());
      const waiting = this.pending.get(key);
      if (waiting) {
        waiting.value = value;
        waiting.settle.push(settle);
      } else {
        this.pending.set(key, { value, settle: [settle] });
      }
      this.flushing ??= this.flush();
    });
  }

  /** Writes what waits, then lets go. Later writes reject. */
  async close(): Promise<void> {
    this.stopping.abort();
    await this.following;
    await this.flushing;
    this.closed = true;
    await this.producer?.close();
  }

  private openProducer(): Promise<TransactionalProducer> {
    return this.options.client.openTransactional({ transactionalId: transactionalIds.runs(this.options.prefix) });
  }

  private async flush(): Promise<void> {
    // One turn of the event loop gathers what belongs together (a run, its file, its reports).
    await new Promise((resolve) => setImmediate(resolve));
    while (this.pending.size > 0) {
      const batch = this.pending;
      this.pending = new Map();
      this.writingSince = this.options.now();
      const error = await this.commitWithRetries(batch);
      this.writingSince = null;
      for (const { settle } of batch.values()) for (const one of settle) one(error);
    }
    this.flushing = null;
  }

  private async commitWithRetries(batch: ReadonlyMap<string, Pending>): Promise<Error | null> {
    const { now, onError, onFatal } = this.options;
    const records = [...batch].map(([key, { value }]): OutRecord => ({ topic: this.topic, partition: 0, key, value }));
    for (;;) {
      try {
        this.producer ??= await this.openProducer();
        const transaction = await this.producer.begin();
        await transaction.send(records);
        await transaction.commit();
        this.failingSince = null;
        return null;
      } catch (error) {
        // The same values once more do no harm: the last value of a key is what counts.
        const broken = this.producer;
        this.producer = null;
        await broken?.close().catch(() => undefined);
        onError(error, 'writing runs');
        if (this.stopping.signal.aborted) return error as Error;
        this.failingSince ??= now();
        // Fenced: another ingest is active, or this one was away too long. Its memory may be old: begin anew.
        if (isFenced(error) || now() - this.failingSince > GIVE_UP_MS) {
          onFatal(error);
          return error as Error;
        }
        await sleep(RETRY_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      }
    }
  }
}

function closedError(): KafkaError {
  return new KafkaError('runs_closed', 'the service is stopping: nothing is written any more', { retriable: true });
}
