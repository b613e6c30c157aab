// For the specs of the tasks: a Kafka in memory with what they need of it (fencing, transactions that show at their commit)
// and a fault wherever a test wants one. What a real broker does is shown in test/faults.
import { KafkaError, type KafkaClient, type KafkaRecord, type OutRecord } from '#kafka';

/** Where a fault may strike: before a call reaches Kafka, or after Kafka has done it and the answer is lost. */
export type FaultPoint = 'begin' | 'send' | 'sendOffsets' | 'commit' | 'committed';

/** Every topic has so many, most of them empty. */
const PARTITIONS = 16;

export class FakeKafka {
  readonly logs = new Map<string, KafkaRecord[]>();
  readonly groupOffsets = new Map<string, bigint>();
  /** Told of every point; an error that it throws is what the task sees. */
  onPoint: (point: FaultPoint) => void = () => undefined;
  transactions = 0;
  private readonly epochs = new Map<string, number>();
  private closed = 0;
  private opened = 0;

  /** Producers that were opened and not closed. */
  get openProducers(): number {
    return this.opened - this.closed;
  }

  log(topic: string, partition: number): KafkaRecord[] {
    const name = `${topic}/${partition}`;
    const log = this.logs.get(name) ?? [];
    this.logs.set(name, log);
    return log;
  }

  append({ topic, partition, key, value, headers }: OutRecord): void {
    const log = this.log(topic, partition);
    const bytes = (text: string | Buffer | null) => (typeof text === 'string' ? Buffer.from(text) : text);
    const entries = Object.entries(headers ?? {}).map(([name, text]) => [name, Buffer.from(text)] as const);
    const record = { topic, partition, offset: BigInt(log.length), timestampMs: 0 };
    log.push({ ...record, key: bytes(key), value: bytes(value), headers: Object.fromEntries(entries) });
  }

  /** What a task takes for a client. */
  client(): KafkaClient {
    const client = {
      openTransactional: async ({ transactionalId }: { transactionalId: string }) => this.producer(transactionalId),
      readPartition: async (args: { topic: string; partition: number; onRecord: (record: KafkaRecord) => void }) => {
        const log = this.log(args.topic, args.partition);
        log.forEach((record) => args.onRecord(record));
        return { next: BigInt(log.length), records: log.length };
      },
      committedOffsets: async (group: string) => {
        const offset = this.groupOffsets.get(group);
        return new Map(offset === undefined ? [] : [[0, offset]]);
      },
      offsets: async (topic: string) =>
        Array.from({ length: PARTITIONS }, (_, partition) => {
          return { partition, start: 0n, end: BigInt(this.log(topic, partition).length) };
        }),
    };
    return client as unknown as KafkaClient;
  }

  private producer(id: string) {
    const epoch = (this.epochs.get(id) ?? 0) + 1;
    this.epochs.set(id, epoch);
    this.opened++;
    const assertOwner = () => {
      if (this.epochs.get(id) !== epoch) throw new KafkaError('fenced', 'a newer owner', { retriable: true });
    };
    const point = (name: FaultPoint) => {
      this.onPoint(name);
      assertOwner();
    };
    const begin = async () => {
      point('begin');
      const records: OutRecord[] = [];
      const offsets: [string, bigint][] = [];
      return {
        send: async (some: OutRecord[]) => {
          point('send');
          records.push(...some);
          return [];
        },
        sendOffsets: async ({ groupId, offset }: { groupId: string; offset: bigint }) => {
          point('sendOffsets');
          offsets.push([groupId, offset]);
        },
        commit: async () => {
          point('commit');
          for (const record of records) this.append(record);
          for (const [group, offset] of offsets) this.groupOffsets.set(group, offset);
          this.transactions++;
          this.onPoint('committed');
        },
      };
    };
    return { begin, close: async () => void this.closed++ };
  }
}
