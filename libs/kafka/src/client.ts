// The client that an app opens once: topics, offsets, group-less reads, producers. Everything else of libs/kafka
// (task runners, the Nest transport) is given one of these.
import type { Consumer, ConsumerConfig, Kafka, KafkaConfig, LogEntry, SASLOptions } from 'kafkajs';
import { KafkaError } from './errors.js';
import { kafkajs } from './kafkajs.js';
import { installPatches } from './patches/install.js';
import {
  openPlainProducer,
  openTransactionalProducer,
  type PlainProducer,
  type TransactionalProducer,
} from './producers.js';
import { readPartition, type ReadPartitionArgs } from './read-partition.js';
import type { KafkaLogger, PartitionOffsets, TopicSpec } from './records.js';
import { SharedAdmin } from './shared-admin.js';
import { sleep } from './sleep.js';
import { tailPartition, type TailPartitionArgs } from './tail-partition.js';
import { committedOffsets, ensureTopics, partitionCount, topicOffsets, type WithAdmin } from './topics.js';

installPatches();

export interface KafkaClientOptions {
  /** `host:port` of one or more brokers. */
  brokers: string[];
  clientId: string;
  /** TLS (`ca`: PEM text of an authority that Node does not know) and SASL. Default: neither. */
  security?: KafkaSecurity;
  /** Where kafkajs' own lines go; without one they go nowhere. */
  logger?: KafkaLogger;
  /** A silent connection is given up after this. Keep it below the groups' session timeout. */
  requestTimeoutMs?: number;
}

export interface KafkaSecurity {
  readonly tls?: { readonly ca?: string };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
}

const REQUEST_TIMEOUT_MS = 8000;
const CONNECTION_TIMEOUT_MS = 2000;
const NO_RETRY = { retries: 0 };
const ADMIN_RETRY = { initialRetryTime: 50, maxRetryTime: 1000, retries: 10 };
// Governs connecting and metadata, for producers too: theirs does not apply there. About a minute in all.
const CLUSTER_RETRY = { initialRetryTime: 50, maxRetryTime: 1000, retries: 60 };

/**
 * Sends kafkajs' log entries to our logger. Its errors are warnings here: what matters is thrown as well. What it warns
 * of it tries again by itself, and so it does with a request that a broker answers with an error (the marker of the last
 * transaction is still being written, a coordinator is being found): no news for a person.
 */
function logCreator(logger: KafkaLogger | undefined) {
  return () =>
    ({ namespace, level, log }: LogEntry): void => {
      const { message, timestamp: _timestamp, logger: _logger, stack: _stack, ...fields } = log;
      const text = `kafkajs ${namespace}: ${message}`;
      const answered = message.startsWith('Response ') || message.startsWith('Failed to send messages');
      if (level === kafkajs.logLevel.ERROR && !answered) logger?.warn(text, fields);
      else logger?.debug(text, fields);
    };
}

function securityOf({ tls, sasl }: KafkaSecurity = {}): Pick<KafkaConfig, 'ssl' | 'sasl'> {
  return {
    ...(tls === undefined ? {} : { ssl: tls.ca === undefined ? true : { ca: [tls.ca] } }),
    // kafkajs has a type for each mechanism, of the same shape.
    ...(sasl === undefined ? {} : { sasl: sasl as SASLOptions }),
  };
}

export class KafkaClient {
  readonly #kafka: Kafka;
  readonly #admin: SharedAdmin;
  /** Asks once: a health check wants to know how things are, not to wait until they are better. */
  readonly #pingAdmin: SharedAdmin;
  readonly #withAdmin: WithAdmin;
  #pinging: Promise<unknown> | null = null;

  constructor(options: KafkaClientOptions) {
    const config: KafkaConfig = {
      brokers: options.brokers,
      clientId: options.clientId,
      ...securityOf(options.security),
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      enforceRequestTimeout: true,
      retry: CLUSTER_RETRY,
      logLevel: options.logger === undefined ? kafkajs.logLevel.NOTHING : kafkajs.logLevel.INFO,
      logCreator: logCreator(options.logger),
    };
    this.#kafka = new kafkajs.Kafka(config);
    this.#admin = new SharedAdmin(this.#kafka, ADMIN_RETRY);
    this.#pingAdmin = new SharedAdmin(new kafkajs.Kafka({ ...config, retry: NO_RETRY }), NO_RETRY);
    this.#withAdmin = (call) => this.#admin.call(call);
  }

  /** Resolves when a broker has answered; rejects with `kafka_unavailable` after about a minute. */
  async connect(): Promise<void> {
    await this.#withAdmin((admin) => admin.describeCluster());
  }

  /** Lets go of the client's own connections; producers and runners are closed by their owners. */
  async close(): Promise<void> {
    await Promise.all([this.#admin.drop(), this.#pingAdmin.drop()]);
  }

  /** A metadata round trip; rejects with `kafka_unavailable` when none is back after `timeoutMs`. */
  async ping(timeoutMs: number): Promise<void> {
    // One at a time: health checks must not pile up behind a silent connection.
    this.#pinging ??= this.#pingAdmin
      .call((admin) => admin.describeCluster())
      .finally(() => {
        this.#pinging = null;
      });
    const pinging = this.#pinging;
    pinging.catch(() => undefined); // told to whoever waits; late, to nobody
    const late = new AbortController();
    const timeout = sleep(timeoutMs, late.signal).then(() => {
      if (late.signal.aborted) return;
      throw new KafkaError('kafka_unavailable', `Kafka did not answer within ${timeoutMs} ms: is it running?`, {
        retriable: true,
      });
    });
    try {
      await Promise.race([pinging, timeout]);
    } finally {
      late.abort();
    }
  }

  /** Creates the missing ones and waits for leaders. Throws `partition_count_changed` (not retriable). */
  async ensureTopics(specs: TopicSpec[]): Promise<void> {
    await ensureTopics(this.#withAdmin, specs);
  }

  async partitionCount(topic: string): Promise<number> {
    return partitionCount(this.#withAdmin, topic);
  }

  /** Log start and high watermark of every partition, by partition number. */
  async offsets(topic: string): Promise<PartitionOffsets[]> {
    return topicOffsets(this.#withAdmin, topic);
  }

  /** The group's next offset by partition; partitions without a committed one are missing. */
  async committedOffsets(groupId: string, topic: string): Promise<Map<number, bigint>> {
    return committedOffsets(this.#withAdmin, groupId, topic);
  }

  async listTopics(): Promise<string[]> {
    return this.#withAdmin((admin) => admin.listTopics());
  }

  /** Deletes those of `names` that exist. */
  async deleteTopics(names: string[]): Promise<void> {
    const existing = new Set(await this.listTopics());
    const topics = names.filter((name) => existing.has(name));
    if (topics.length > 0) await this.#withAdmin((admin) => admin.deleteTopics({ topics }));
  }

  /** Reads a partition to its last stable offset (or `to`), read_committed, without a group. */
  async readPartition(args: ReadPartitionArgs): Promise<{ next: bigint; records: number }> {
    return readPartition(this.#kafka, args);
  }

  /** Follows a partition, read_committed, without a group, until `signal` aborts. */
  async tailPartition(args: TailPartitionArgs): Promise<void> {
    await tailPartition(this.#kafka, args);
  }

  /** Connects and fences every earlier producer with this id. `transactionTimeoutMs` defaults to 20,000. */
  async openTransactional(args: {
    transactionalId: string;
    transactionTimeoutMs?: number;
  }): Promise<TransactionalProducer> {
    return openTransactionalProducer(this.#kafka, args);
  }

  async openProducer(): Promise<PlainProducer> {
    return openPlainProducer(this.#kafka);
  }

  /** kafkajs' own consumer, for the task runner: nothing outside libs/kafka calls this. */
  openConsumer(config: ConsumerConfig): Consumer {
    return this.#kafka.consumer(config);
  }
}
