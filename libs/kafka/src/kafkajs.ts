// The one door to kafkajs: its public face, and the internals that the patches and the group-less reader need.
// kafkajs is CommonJS and its last release is 2.2.4; every internal used here was read in that version.
import { createRequire } from 'node:module';
import type { Kafka, Producer, ProducerConfig } from 'kafkajs';

const require = createRequire(import.meta.url);

export const KAFKAJS_VERSION = '2.2.4';

/** kafkajs' public exports. */
export const kafkajs = require('kafkajs') as typeof import('kafkajs');

/** The version of kafkajs that is installed. */
export function installedKafkaJsVersion(): string {
  return (require('kafkajs/package.json') as { version: string }).version;
}

/** Every patch asks first: what it replaces was read in this one version. */
export function assertKafkaJsVersion(version: string): void {
  if (version === KAFKAJS_VERSION) return;
  throw new Error(
    `libs/kafka patches kafkajs ${KAFKAJS_VERSION}, found ${version}: read docs/decisions/0001-kafkajs.md before changing it`,
  );
}

/** A module of kafkajs' `src/`, as the very object that kafkajs itself uses. */
export function kafkaJsInternal<Exports>(path: string): Exports {
  return require(`kafkajs/src/${path}`) as Exports;
}

/** A record as kafkajs decodes it. */
export interface RawRecord {
  offset: string;
  timestamp: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer | Buffer[] | undefined>;
  isControlRecord: boolean;
  attributes: number;
  magicByte?: number;
  batchContext: { producerId: string; inTransaction: boolean };
}

/** One partition of a fetch answer. `lastStartOffset` is the log start offset. */
export interface FetchedPartition {
  partition: number;
  errorCode: number;
  highWatermark: string;
  lastStableOffset: string;
  lastStartOffset: string;
  abortedTransactions: unknown[];
  preferredReadReplica: number;
  messages: RawRecord[];
}

/** The part of kafkajs' Broker that the reader uses. */
export interface RawBroker {
  fetch(request: {
    isolationLevel: number;
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
  }): Promise<{ responses: { topicName: string; partitions: FetchedPartition[] }[] }>;
}

/** The part of kafkajs' Cluster that the reader and the producers use. */
export interface RawCluster {
  brokerPool: { metadata: { brokers: unknown[] } | null };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  removeBroker(address: { host: string; port: number }): void;
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>;
  findBroker(node: { nodeId: string }): Promise<RawBroker>;
  fetchTopicsOffset(
    topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
  ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
}

export const READ_COMMITTED = 1;

type CreateCluster = (options: object) => RawCluster;

/** Where kafkajs keeps the function that makes a client's connection pools. */
function createClusterSymbol(kafka: Kafka): symbol {
  const symbol = Object.getOwnPropertySymbols(kafka).find((s) => s.description === 'private:Kafka:createCluster');
  if (symbol === undefined)
    throw new Error(`kafkajs has no createCluster any more: libs/kafka is for ${KAFKAJS_VERSION}`);
  return symbol;
}

/** A connection pool of its own for one group-less reader: another reader's deleted topic cannot disturb it. */
export function createReaderCluster(kafka: Kafka): RawCluster {
  const create = (kafka as unknown as Record<symbol, CreateCluster>)[createClusterSymbol(kafka)]!;
  return create({ metadataMaxAge: 300_000, allowAutoTopicCreation: false, isolationLevel: READ_COMMITTED });
}

/** A producer, and how many brokers it knows of: null before it has seen the cluster's metadata. */
export function createProducer(
  kafka: Kafka,
  config: ProducerConfig,
): { producer: Producer; brokerCount: () => number | null } {
  const symbol = createClusterSymbol(kafka);
  const create = (kafka as unknown as Record<symbol, CreateCluster>)[symbol]!;
  const made: { cluster: RawCluster | null } = { cluster: null };
  // The producer makes its pool through `this`: here is the only chance to see it.
  const watched = Object.create(kafka, {
    [symbol]: { value: (options: object) => (made.cluster = create(options)) },
  }) as Kafka;
  const producer = watched.producer(config);
  return { producer, brokerCount: () => made.cluster?.brokerPool.metadata?.brokers.length ?? null };
}
