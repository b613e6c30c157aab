// What a simulated process takes for its KafkaClient: real transactions of libs/kafka on a producer that talks to the
// simulated broker. Each request waits for its turn before it arrives and again before its answer is there; either may
// be lost, and a lost request may still arrive much later.
import { toKafkaError, TransactionalProducer, type KafkaClient, type OutRecord, type ReadPartitionArgs } from '#kafka';
import type { SimBroker } from './sim-broker.js';
import type { Owner, Scheduler } from './scheduler.js';

/** How a deliberately broken client differs: each must be caught by the simulation. */
export type Mutant =
  | 'offset record outside of the transaction'
  | 'restore before the fence'
  | 'a transactional id of its own'
  | 'a producer that is kept after an error';

interface Batch {
  topicMessages: { topic: string; messages: Omit<OutRecord, 'topic'>[] }[];
}
interface RawTransaction {
  sendBatch(batch: Batch): Promise<object[]>;
  sendOffsets(args: {
    topics: { topic: string; partitions: { partition: number; offset: string }[] }[];
  }): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

type RawProducer = ConstructorParameters<typeof TransactionalProducer>[0];

const FETCH_RECORDS = 20;
const LATE_TURNS = 60;

export interface SimClientOptions {
  scheduler: Scheduler;
  broker: SimBroker;
  owner: Owner;
  /** A request or answer is lost once in so many; asked each time. Infinity: never. */
  lossEvery: () => number;
  mutant: Mutant | null;
  /** Tells apart what a mutant must not share. */
  name: string;
  isOffsetRecord: (record: OutRecord) => boolean;
}

export class SimClient {
  private readonly keptEpochs = new Map<string, number>();

  constructor(private readonly options: SimClientOptions) {}

  /** One request: fault points before it arrives and before its answer arrives. */
  private async request<Answer>(run: () => Answer | Promise<Answer>): Promise<Answer> {
    const { scheduler, owner } = this.options;
    await scheduler.turn(owner);
    if (this.isLost()) {
      if (scheduler.oneIn(2)) void this.arriveLate(run);
      throw connectionError();
    }
    const answer = await run();
    await scheduler.turn(owner);
    if (this.isLost()) throw connectionError();
    return answer;
  }

  /** As the group's consumer reads: committed records, in order. */
  fetch(topic: string, partition: number, from: bigint, limit: number) {
    return told(this.request(() => this.options.broker.read(topic, partition, from, limit)));
  }

  /** As a task sees it. */
  asKafkaClient(): KafkaClient {
    const { broker } = this.options;
    const client = {
      openTransactional: (args: { transactionalId: string }) => told(this.openTransactional(args.transactionalId)),
      readPartition: (args: ReadPartitionArgs) => told(this.readPartition(args)),
      offsets: (topic: string) => told(this.request(() => broker.offsets(topic))),
    };
    return client as unknown as KafkaClient;
  }

  private isLost(): boolean {
    const every = this.options.lossEvery();
    return Number.isFinite(every) && this.options.scheduler.oneIn(every);
  }

  private async arriveLate(run: () => unknown): Promise<void> {
    const { scheduler, broker } = this.options;
    for (let turns = scheduler.random.below(LATE_TURNS); turns > 0; turns--) await scheduler.turn(broker);
    try {
      await run();
    } catch {
      // Nobody waits for this answer any more.
    }
  }

  private async readPartition({ topic, partition, onRecord, onProgress }: ReadPartitionArgs) {
    const { broker, scheduler } = this.options;
    let next = 0n;
    let records = 0;
    for (;;) {
      const limit = scheduler.random.between(1, FETCH_RECORDS);
      const fetched = await this.request(() => broker.read(topic, partition, next, limit));
      for (const record of fetched.records) onRecord(record);
      records += fetched.records.length;
      next = fetched.next;
      onProgress?.({ start: 0n, next, end: fetched.lastStable, records });
      if (next >= fetched.lastStable) return { next, records };
    }
  }

  private async openTransactional(id: string): Promise<TransactionalProducer> {
    const { broker, mutant, name } = this.options;
    const transactionalId = mutant === 'a transactional id of its own' ? `${id}.${name}` : id;
    const init = async (): Promise<number> => {
      const kept = this.keptEpochs.get(transactionalId);
      if (mutant === 'a producer that is kept after an error' && kept !== undefined) return kept;
      const epoch = await this.request(() => broker.initProducer(transactionalId));
      this.keptEpochs.set(transactionalId, epoch);
      return epoch;
    };
    let epoch = mutant === 'restore before the fence' ? null : await init();
    const raw = {
      transaction: async () => {
        epoch ??= await init();
        return this.begin(transactionalId, epoch);
      },
      disconnect: async () => {},
    };
    return new TransactionalProducer(raw as unknown as RawProducer, () => 1);
  }

  private begin(id: string, epoch: number): RawTransaction {
    const { broker, mutant, isOffsetRecord } = this.options;
    let hasSent = false;
    const finish = async (how: 'committing' | 'aborting'): Promise<void> => {
      if (!hasSent) return; // kafkajs resolves and sends nothing
      await this.request(() => broker.endTransaction(id, epoch, how));
    };
    return {
      sendBatch: async ({ topicMessages }) => {
        const all = topicMessages.flatMap(({ topic, messages }) => messages.map((message) => ({ ...message, topic })));
        const isOutside = (record: OutRecord) =>
          mutant === 'offset record outside of the transaction' && isOffsetRecord(record);
        for (const record of all.filter(isOutside)) broker.append(record);
        const records = all.filter((record) => !isOutside(record));
        if (records.length === 0) return ranges(all, []);
        const offsets = await this.request(() => broker.produce(id, epoch, records));
        hasSent = true;
        return ranges(records, offsets);
      },
      sendOffsets: async ({ topics: [{ topic, partitions } = { topic: '', partitions: [] }] }) => {
        const { partition, offset } = partitions[0]!;
        await this.request(() => broker.sendOffset(id, epoch, `${topic}/${partition}`, BigInt(offset)));
      },
      commit: () => finish('committing'),
      abort: () => finish('aborting'),
    };
  }
}

/** One answer per partition, as kafkajs gives it. */
function ranges(records: readonly OutRecord[], offsets: readonly bigint[]): object[] {
  const first = new Map<string, object>();
  records.forEach(({ topic, partition }, at) => {
    const name = `${topic}/${partition}`;
    const baseOffset = String(offsets[at] ?? 0);
    if (!first.has(name)) first.set(name, { topicName: topic, partition, errorCode: 0, baseOffset });
  });
  return [...first.values()];
}

/** libs/kafka lets nothing out but KafkaErrors. */
async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw toKafkaError(error);
  }
}

function connectionError(): Error {
  return Object.assign(new Error('Closed connection'), { name: 'KafkaJSConnectionClosedError', retriable: true });
}
