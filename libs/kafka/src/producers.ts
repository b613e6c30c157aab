// Writing to Kafka: transactions (one producer per task, fenced when it is opened) and plain idempotent sends (reports).
// After ANY error a transactional producer is broken for good: kafkajs' state machine sticks, and its commit() resolves
// without sending anything when no send of the transaction succeeded. The owner opens a new one, which fences this one.
import type { Kafka, Producer, Transaction as RawTransaction } from 'kafkajs';
import { KafkaError, toKafkaError } from './errors.js';
import { createProducer, kafkajs } from './kafkajs.js';
import type { OutRecord, SentRange } from './records.js';
import { sendRecords } from './send-records.js';
import { sleep } from './sleep.js';

export const TRANSACTION_TIMEOUT_MS = 20_000;
const OPEN_GIVE_UP_MS = 60_000;
const OPEN_RETRY_MS = 100;
const OPEN_RETRY_MAX_MS = 2000;

// The producer's own retry: CONCURRENT_TRANSACTIONS is met often and gone within milliseconds.
const RETRY = { initialRetryTime: 5, maxRetryTime: 500, retries: 20 };

const PRODUCER_OPTIONS = {
  idempotent: true,
  maxInFlightRequests: 1,
  allowAutoTopicCreation: false,
  metadataMaxAge: 300_000,
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  retry: RETRY,
};

/** Closing is a courtesy to the broker: nothing depends on it, so its errors are nobody's. */
async function disconnectQuietly(producer: Producer): Promise<void> {
  try {
    await producer.disconnect();
  } catch {
    // The connection is gone, which is what was wanted.
  }
}

/** What a transaction tells its producer. */
interface TransactionOwner {
  brokerCount(): number | null;
  isBroken(): boolean;
  breakOff(): void;
  ended(): void;
}

/** One transaction. Every method throws a KafkaError; after one the producer is `broken`. */
export class Transaction {
  #last: Promise<unknown> = Promise.resolve();
  #isEnded = false;

  constructor(
    private readonly raw: RawTransaction,
    private readonly owner: TransactionOwner,
  ) {}

  /** Sends in order; resolves when every piece is acknowledged, with where the records landed. */
  send(records: readonly OutRecord[]): Promise<SentRange[]> {
    return this.#step(() => sendRecords({ raw: this.raw, brokerCount: () => this.owner.brokerCount() }, records));
  }

  /** Moves the group's offset of one partition with this transaction. `offset` is the next one to read. */
  sendOffsets(args: { groupId: string; topic: string; partition: number; offset: bigint }): Promise<void> {
    const { groupId, topic, partition, offset } = args;
    const topics = [{ topic, partitions: [{ partition, offset: offset.toString() }] }];
    return this.#step(() => this.raw.sendOffsets({ consumerGroupId: groupId, topics }));
  }

  /** Makes all of it visible. When this throws, the outcome is unknown until a new producer has fenced this one. */
  commit(): Promise<void> {
    return this.#end(() => this.raw.commit());
  }

  /** Makes none of it visible. */
  abort(): Promise<void> {
    return this.#end(() => this.raw.abort());
  }

  #end(finish: () => Promise<void>): Promise<void> {
    return this.#step(async () => {
      await finish();
      this.#isEnded = true;
      this.owner.ended();
    });
  }

  /** Steps run one after the other, whether or not the caller awaits them, and none runs after an error. */
  #step<Result>(run: () => Promise<Result>): Promise<Result> {
    const step = this.#last.then(async () => {
      if (this.owner.isBroken()) throw brokenError();
      if (this.#isEnded) {
        throw new KafkaError('transaction_ended', 'this transaction has ended: begin another', { retriable: false });
      }
      try {
        return await run();
      } catch (error) {
        this.owner.breakOff();
        throw toKafkaError(error);
      }
    });
    this.#last = step.catch(() => undefined);
    return step;
  }
}

function brokenError(): KafkaError {
  return new KafkaError('producer_broken', 'this producer failed before: close it and open a new one', {
    retriable: true,
  });
}

/** The only writer with its transactional id, until another one is opened with the same id. */
export class TransactionalProducer {
  #isBroken = false;
  #isOpen = false;

  constructor(
    private readonly raw: Producer,
    private readonly brokerCount: () => number | null,
  ) {}

  /** Whether an error (or close) has ended this producer: every further call throws `producer_broken`. */
  get broken(): boolean {
    return this.#isBroken;
  }

  /** Begins a transaction; the one before must have ended. */
  async begin(): Promise<Transaction> {
    if (this.#isBroken) throw brokenError();
    if (this.#isOpen) {
      throw new KafkaError('transaction_open', 'one transaction at a time: commit or abort the open one first', {
        retriable: false,
      });
    }
    this.#isOpen = true;
    try {
      return new Transaction(await this.raw.transaction(), {
        brokerCount: this.brokerCount,
        isBroken: () => this.#isBroken,
        breakOff: () => {
          this.#isBroken = true;
        },
        ended: () => {
          this.#isOpen = false;
        },
      });
    } catch (error) {
      this.#isBroken = true;
      throw toKafkaError(error);
    }
  }

  /** Lets go of the connections. An open transaction is aborted by Kafka (next owner, or the timeout). */
  async close(): Promise<void> {
    this.#isBroken = true;
    await disconnectQuietly(this.raw);
  }
}

/** An idempotent producer without transactions, acks all: at-least-once across restarts, in order within one life. */
export class PlainProducer {
  constructor(
    private readonly raw: Producer,
    private readonly brokerCount: () => number | null,
  ) {}

  /** Sends in order; resolves when all is acknowledged. Throws a KafkaError. */
  async send(records: readonly OutRecord[]): Promise<SentRange[]> {
    try {
      return await sendRecords({ raw: this.raw, brokerCount: this.brokerCount }, records);
    } catch (error) {
      throw toKafkaError(error);
    }
  }

  async close(): Promise<void> {
    await disconnectQuietly(this.raw);
  }
}

/** Repeats `attempt` over passing trouble (a coordinator that is just being made or moved), for a minute at most. */
async function openPatiently<Result>(attempt: () => Promise<Result>): Promise<Result> {
  const giveUpAtMs = performance.now() + OPEN_GIVE_UP_MS;
  for (let waitMs = OPEN_RETRY_MS; ; waitMs = Math.min(waitMs * 2, OPEN_RETRY_MAX_MS)) {
    try {
      return await attempt();
    } catch (error) {
      const failure = toKafkaError(error);
      if (!failure.retriable || performance.now() >= giveUpAtMs) throw failure;
    }
    await sleep(waitMs);
  }
}

/** Connects and FENCES: when this resolves, every earlier producer with this id can write nothing visible any more. */
export async function openTransactionalProducer(
  kafka: Kafka,
  args: { transactionalId: string; transactionTimeoutMs?: number },
): Promise<TransactionalProducer> {
  const { transactionalId, transactionTimeoutMs = TRANSACTION_TIMEOUT_MS } = args;
  return openPatiently(async () => {
    const config = { ...PRODUCER_OPTIONS, transactionalId, transactionTimeout: transactionTimeoutMs };
    const { producer: raw, brokerCount } = createProducer(kafka, config);
    try {
      await raw.connect();
      // Sends InitProducerId, which ends what an earlier owner left open, and no EndTxn: a clean 'fence now'.
      const fence = await raw.transaction();
      await fence.abort();
      return new TransactionalProducer(raw, brokerCount);
    } catch (error) {
      await disconnectQuietly(raw);
      throw error;
    }
  });
}

/** Connects an idempotent producer. */
export async function openPlainProducer(kafka: Kafka): Promise<PlainProducer> {
  return openPatiently(async () => {
    const { producer: raw, brokerCount } = createProducer(kafka, PRODUCER_OPTIONS);
    try {
      await raw.connect();
      return new PlainProducer(raw, brokerCount);
    } catch (error) {
      await disconnectQuietly(raw);
      throw error;
    }
  });
}
