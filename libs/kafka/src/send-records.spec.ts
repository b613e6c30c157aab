// Sends over several brokers, against kafkajs' own sendMessages: what it does by itself when one of two brokers fails,
// and what is left of that when each partition is a call of its own.
import { kafkaJsInternal } from './kafkajs.js';
import type { OutRecord } from './records.js';
import { sendRecords, type BatchSender } from './send-records.js';

type SendBatch = BatchSender['raw']['sendBatch'];
type TopicData = { topic: string; partitions: { partition: number; firstSequence: number; messages: object[] }[] }[];
const makeSendMessages = kafkaJsInternal<(options: object) => SendBatch>('producer/sendMessages');

const records: OutRecord[] = [0, 1].map((partition) => ({ topic: 't', partition, key: null, value: 'row' }));
const retriable = (): Error =>
  Object.assign(new Error('CONCURRENT_TRANSACTIONS'), { name: 'KafkaJSProtocolError', retriable: true });

/** Two brokers, partition p on broker p. The first request to broker 0 fails at once; broker 1 takes its time. */
function openWorld() {
  const taken: string[] = [];
  const sequences = new Map<number, number>();
  const locks = new Map<object, Promise<void>>();
  const releases = new Map<object, () => void>();
  let failures = 1;
  const brokers = [0, 1].map((nodeId) => ({
    nodeId,
    produce: async ({ topicData }: { topicData: TopicData }) => {
      if (nodeId === 0 && failures-- > 0) throw retriable();
      if (nodeId === 1) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const { partitions } of topicData)
        for (const { partition, firstSequence } of partitions) taken.push(`${partition} from ${firstSequence}`);
      return topicData;
    },
  }));
  const nothing = async (): Promise<void> => {};
  const cluster = {
    refreshMetadataIfNecessary: nothing,
    refreshMetadata: nothing,
    addMultipleTargetTopics: nothing,
    isConnected: () => true,
    findTopicPartitionMetadata: () => [{}, {}],
    findLeaderForPartitions: (_topic: string, partitions: string[]) =>
      Object.fromEntries(partitions.map((partition) => [partition, [Number(partition)]])),
    findBroker: async ({ nodeId }: { nodeId: string }) => brokers[Number(nodeId)],
  };
  const eosManager = {
    isTransactional: () => false,
    getProducerId: () => 1,
    getProducerEpoch: () => 0,
    getSequence: (_topic: string, partition: number) => sequences.get(partition) ?? 0,
    updateSequence: (_topic: string, partition: number, by: number) =>
      void sequences.set(partition, (sequences.get(partition) ?? 0) + by),
    acquireBrokerLock: async (broker: object) => {
      while (locks.has(broker)) await locks.get(broker);
      locks.set(broker, new Promise((resolve) => releases.set(broker, resolve)));
    },
    releaseBrokerLock: async (broker: object) => {
      locks.delete(broker);
      releases.get(broker)!();
    },
  };
  const retrier = async (attempt: (bail: (error: Error) => void, count: number, time: number) => Promise<unknown>) => {
    for (let count = 0; ; count++) {
      try {
        return await attempt(() => undefined, count, 0);
      } catch (error) {
        if (count === 3) throw error;
      }
    }
  };
  const logger = { debug: () => undefined, error: () => undefined };
  const partitioner = (): never => {
    throw new Error('records name their partition: nobody may be asked'); // kafkajs' grouping would (patch 2)
  };
  const stock = makeSendMessages({ logger, cluster, partitioner, eosManager, retrier });
  /** kafkajs' answer is made of the broker's; here the broker answers with what it was sent. */
  const sendBatch: SendBatch = async (batch) => {
    await stock(batch as Parameters<SendBatch>[0]).catch(() => undefined);
    return batch.topicMessages.flatMap(({ topic, messages }) =>
      [...new Set(messages.map(({ partition }) => partition!))].map((partition) => {
        return { topicName: topic, partition, errorCode: 0, baseOffset: '0' };
      }),
    );
  };
  return { taken, raw: { sendBatch }, settled: () => new Promise((resolve) => setTimeout(resolve, 60)) };
}

describe('sendRecords', () => {
  it('is needed: kafkajs alone sends the same rows to the other broker again, as new ones', async () => {
    const { raw, taken, settled } = openWorld();
    await sendRecords({ raw, brokerCount: () => 1 }, records);
    await settled();
    expect(taken.filter((what) => what.startsWith('1 '))).toEqual(['1 from 0', '1 from 1']);
  });

  it.each([2, null])('sends each partition once when there are several brokers (known: %s)', async (count) => {
    const { raw, taken, settled } = openWorld();
    const sent = await sendRecords({ raw, brokerCount: () => count }, records);
    await settled();
    expect(taken.sort()).toEqual(['0 from 0', '1 from 0']);
    expect(sent.map(({ partition }) => partition)).toEqual([0, 1]);
  });

  it('does not trust a send during which a second broker came', async () => {
    const counts = [1, 2];
    const { raw } = openWorld();
    const sending = sendRecords({ raw, brokerCount: () => counts.shift()! }, records);
    await expect(sending).rejects.toMatchObject({ code: 'brokers_joined', retriable: true });
  });

  it('throws only after every partition has its answer', async () => {
    let answered = 0;
    const sendBatch: SendBatch = async ({ topicMessages }) => {
      const { topic, messages } = topicMessages[0]!;
      const partition = messages[0]!.partition!;
      if (partition === 0) throw new Error('refused');
      await new Promise((resolve) => setTimeout(resolve, 10));
      answered++;
      return [{ topicName: topic, partition, errorCode: 0, baseOffset: '7' }];
    };
    await expect(sendRecords({ raw: { sendBatch }, brokerCount: () => 3 }, records)).rejects.toThrow('refused');
    expect(answered).toBe(1);
  });
});
