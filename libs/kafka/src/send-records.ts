// One send, shared by the plain and the transactional producer: split, group by topic, await each piece, report where
// the records landed.
import type { TopicMessages } from 'kafkajs';
import { KafkaError } from './errors.js';
import { grouped, type PlacedMessage } from './patches/group-messages.js';
import type { OutRecord, SentRange } from './records.js';
import { splitRecords } from './split-records.js';

/** The part of kafkajs' producers and transactions that sends. */
export interface BatchSender {
  sendBatch(batch: {
    acks: number;
    topicMessages: TopicMessages[];
  }): Promise<{ topicName: string; partition: number; errorCode: number; baseOffset?: string }[]>;
}

const ACKS_ALL = -1;

function toTopicMessages(piece: OutRecord[]): TopicMessages[] {
  const byTopic = new Map<string, PlacedMessage[]>();
  for (const record of piece) {
    const { partition, key, value, headers } = record;
    const message: PlacedMessage =
      headers === undefined ? { partition, key, value } : { partition, key, value, headers };
    const messages = byTopic.get(record.topic);
    if (messages === undefined) byTopic.set(record.topic, [message]);
    else messages.push(message);
  }
  return [...byTopic].map(([topic, messages]) => ({ topic, messages: grouped(messages) }));
}

function countByPartition(piece: OutRecord[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { topic, partition } of piece) {
    const key = `${topic}/${partition}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** Sends `records` piece by piece (acks all); one range per piece and partition. Throws what kafkajs throws. */
export async function sendRecords(sender: BatchSender, records: readonly OutRecord[]): Promise<SentRange[]> {
  const ranges: SentRange[] = [];
  for (const piece of splitRecords(records)) {
    const answers = await sender.sendBatch({ acks: ACKS_ALL, topicMessages: toTopicMessages(piece) });
    const counts = countByPartition(piece);
    for (const { topicName, partition, baseOffset } of answers) {
      const count = counts.get(`${topicName}/${partition}`);
      if (count === undefined || baseOffset === undefined) {
        throw new KafkaError(
          'bad_answer',
          `Kafka acknowledged ${topicName}/${partition} without being asked or without an offset: open a new producer`,
          { retriable: true },
        );
      }
      counts.delete(`${topicName}/${partition}`);
      ranges.push({ topic: topicName, partition, baseOffset: BigInt(baseOffset), count });
    }
    if (counts.size > 0) {
      throw new KafkaError(
        'bad_answer',
        `Kafka did not acknowledge ${[...counts.keys()].join(', ')}: open a new producer and send again`,
        { retriable: true },
      );
    }
  }
  return ranges;
}
