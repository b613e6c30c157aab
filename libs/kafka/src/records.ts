// The shapes that pass between Kafka and the rest of Caudal: what was read, what is to be written, where it landed.

/** A record as read. `offset` is the log offset; `timestampMs` the record's own timestamp (epoch ms). */
export interface KafkaRecord {
  topic: string;
  partition: number;
  offset: bigint;
  timestampMs: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer | undefined>;
}

/** A record to write. The partition is always named: kafkajs would otherwise choose one anew on each retry. */
export interface OutRecord {
  topic: string;
  partition: number;
  key: string | Buffer | null;
  value: string | Buffer | null;
  headers?: Record<string, string>;
}

/** Consecutive offsets that one acknowledged batch got: `baseOffset` up to, not including, `baseOffset + count`. */
export interface SentRange {
  topic: string;
  partition: number;
  baseOffset: bigint;
  count: number;
}

/** A topic that must exist. `config` holds Kafka's own topic settings; replication is the broker's default. */
export interface TopicSpec {
  name: string;
  partitions: number;
  config: Record<string, string>;
}

/** First offset still in the log and the end of the log (high watermark) of a partition. */
export interface PartitionOffsets {
  partition: number;
  start: bigint;
  end: bigint;
}

/** Where kafkajs' own log lines go. */
export interface KafkaLogger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}
