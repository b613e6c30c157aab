// What retention does in days, at once: the head of a partition's log goes.
import { kafkajs } from '../../libs/kafka/src/kafkajs.js';

export async function deleteRecords(topic: string, partition: number, before: bigint): Promise<void> {
  const kafka = new kafkajs.Kafka({
    clientId: 'caudal-test',
    brokers: process.env.KAFKA_BROKERS!.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const admin = kafka.admin();
  await admin.connect();
  try {
    // Makes the client know the partition's leader.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] });
  } finally {
    await admin.disconnect();
  }
}
