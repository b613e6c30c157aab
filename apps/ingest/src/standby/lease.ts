// One ingest is active: the one that holds the lease, a record in a topic of its own that its holder renews. Who takes it
// fences the holder before (Kafka's transactional id), as every other writer of ingest is fenced when it is opened: two
// that believe to be active can do no harm, and the older one learns of it at its next renewal.
import { sharedTopics, transactionalIds } from '#contracts';
import { isFenced, KafkaError, type KafkaClient, type TransactionalProducer } from '#kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import { ulid } from 'ulid';
import { LeaseWatch, LOOK_MS, RENEW_MS, type LeaseRecord } from './lease-watch.js';
import { hasEnded, ownIdentity } from './process-identity.js';

export interface LeaseOptions {
  client: KafkaClient;
  prefix: string;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Another ingest is active: this process must end, its memory is old. Called once. */
  onLost: (error: Error) => void;
}

export class Lease {
  private readonly topic: string;
  private readonly holder = ulid();
  private readonly watch = new LeaseWatch(hasEnded);
  private readonly waiting = new AbortController();
  private readonly stopping = new AbortController();
  private producer: TransactionalProducer | null = null;
  private next: bigint | undefined;
  private renewing: Promise<void> | null = null;

  constructor(private readonly options: LeaseOptions) {
    this.topic = sharedTopics(options.prefix).ingest;
  }

  /** Looks once. */
  async isFree(signal = this.stopping.signal): Promise<boolean> {
    const records: LeaseRecord[] = [];
    const { next } = await this.options.client.readPartition({
      topic: this.topic,
      partition: 0,
      ...(this.next === undefined ? {} : { from: this.next }),
      signal,
      onRecord: ({ value }) => void records.push(JSON.parse(value!.toString()) as LeaseRecord),
    });
    this.next = next;
    this.watch.look(records, performance.now());
    return this.watch.isFree;
  }

  /** Looks until nobody is active (true), or {@link stopWaiting} (false). Never rejects. */
  async untilFree(): Promise<boolean> {
    const { signal } = this.waiting;
    while (!signal.aborted) {
      try {
        if (await this.isFree(signal)) return true;
      } catch (error) {
        if (!signal.aborted) this.options.log.warn({ err: error }, 'looking for the active ingest failed');
      }
      // Two standbys must not look in step.
      await sleep(LOOK_MS * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
    return false;
  }

  /** Fences whoever had it, and holds it from now on. Throws a KafkaError. */
  async take(): Promise<void> {
    this.producer = await this.open();
    await this.write('held');
    this.renewing = this.renew();
  }

  /** {@link untilFree} ends; a lease that is held stays so. */
  stopWaiting(): void {
    this.waiting.abort();
  }

  /** Lets go: a standby may take over at once. Never rejects. */
  async release(): Promise<void> {
    this.stopping.abort();
    await this.renewing;
    if (this.producer && !this.producer.broken) await this.write('released').catch(() => undefined);
    await this.producer?.close();
  }

  private open(): Promise<TransactionalProducer> {
    const transactionalId = transactionalIds.ingest(this.options.prefix);
    return this.options.client.openTransactional({ transactionalId, transactionTimeoutMs: 10_000 });
  }

  private async write(state: LeaseRecord['state']): Promise<void> {
    const record: LeaseRecord = { holder: this.holder, process: ownIdentity(), state };
    const transaction = await this.producer!.begin();
    await transaction.send([{ topic: this.topic, partition: 0, key: 'lease', value: JSON.stringify(record) }]);
    await transaction.commit();
  }

  private async renew(): Promise<void> {
    const { signal } = this.stopping;
    for (;;) {
      await sleep(RENEW_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        if (this.producer!.broken) await this.reopen();
        await this.write('held');
      } catch (error) {
        if (signal.aborted) return;
        if (isFenced(error)) return this.options.onLost(lost(error));
        this.options.log.warn({ err: error }, 'saying that this ingest is active failed; it is tried again');
      }
    }
  }

  /** After an error. Another one may be active since: it must not be fenced by one that comes back. */
  private async reopen(): Promise<void> {
    await this.producer!.close();
    await this.isFree();
    if (this.watch.holder !== this.holder) throw lost(null);
    this.producer = await this.open();
  }
}

function lost(cause: unknown): KafkaError {
  const message = 'another ingest is active: this one ends, and is a standby when it is started again';
  return new KafkaError('fenced', message, { retriable: true, cause });
}
