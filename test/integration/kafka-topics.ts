// Topics for one spec file on the shared broker: a random prefix, made when asked for, deleted at the end.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { KafkaClient, type KafkaLogger, type KafkaRecord } from '#kafka';

export const brokers = (process.env.KAFKA_BROKERS ?? '127.0.0.1:9092').split(',');

interface Admin {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  fetchTopicOffsets(topic: string): Promise<unknown>;
  deleteTopicRecords(args: { topic: string; partitions: { partition: number; offset: string }[] }): Promise<void>;
}
/** For what no service does, and a test must. */
const { Kafka } = createRequire(import.meta.url)('kafkajs') as {
  Kafka: new (options: object) => { admin(): Admin };
};

export const quietLogger: KafkaLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export class SpecTopics {
  readonly prefix = `spec-${randomUUID().slice(0, 8)}`;
  readonly client = new KafkaClient({ brokers, clientId: this.prefix });
  readonly #made: string[] = [];

  /** A client of its own, as another process would have. */
  anotherClient(): KafkaClient {
    return new KafkaClient({ brokers, clientId: `${this.prefix}-other` });
  }

  async make(name: string, partitions = 1, config: Record<string, string> = {}): Promise<string> {
    const topic = `${this.prefix}.${name}`;
    this.#made.push(topic);
    await this.client.ensureTopics([
      { name: topic, partitions, config: { 'max.message.bytes': '2097152', ...config } },
    ]);
    return topic;
  }

  async values(topic: string, partition = 0, from?: bigint): Promise<string[]> {
    const values: string[] = [];
    const onRecord = (record: KafkaRecord): void => void values.push(String(record.value));
    await this.client.readPartition(
      from === undefined ? { topic, partition, onRecord } : { topic, partition, from, onRecord },
    );
    return values;
  }

  /** As retention does: what lies below `offset` is gone. */
  async deleteHead(topic: string, partition: number, offset: bigint): Promise<void> {
    const admin = new Kafka({ brokers, clientId: this.prefix, logLevel: 0 }).admin();
    await admin.connect();
    try {
      await admin.fetchTopicOffsets(topic); // kafkajs knows its leaders only then
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
    } finally {
      await admin.disconnect();
    }
  }

  async close(): Promise<void> {
    await this.client.deleteTopics(this.#made);
    await this.client.close();
  }
}

/** Waits until `check` answers something true, asking every 20 ms; fails with `what` after `timeoutMs`. */
export async function until<Answer>(
  what: string,
  check: () => Answer | Promise<Answer>,
  timeoutMs = 20_000,
): Promise<Exclude<Answer, false | null | undefined>> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await check();
    if (answer) return answer as Exclude<Answer, false | null | undefined>;
    if (performance.now() > endMs) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Cuts every connection of this process to the broker, as a restart of the broker or of the network between does. */
export function cutConnections(): number {
  const ports = new Set(brokers.map((broker) => Number(broker.split(':')[1])));
  const { _getActiveHandles: activeHandles } = process as unknown as { _getActiveHandles(): unknown[] };
  let cut = 0;
  for (const handle of activeHandles.call(process)) {
    if (!(handle instanceof Socket) || !ports.has(handle.remotePort ?? -1)) continue;
    handle.destroy(Object.assign(new Error('cut by the spec'), { code: 'ECONNRESET' }));
    cut++;
  }
  return cut;
}
