// One send, shared by the plain and the transactional producer: split, group by topic, await each piece, report where
// the records landed.
import type { TopicMessages } from 'kafkajs';
import { KafkaError } from './errors.js';
import { grouped, type PlacedMessage } from './patches/group-messages.js';
import type { OutRecord, SentRange } from './records.js';
import { splitRecords } from './split-records.js';

/** A producer or transaction, and how many brokers it knows of (null: none yet). */
export interface BatchSender {
  raw: {
    sendBatch(batch: {
      acks: number;
      topicMessages: TopicMessages[];
    }): Promise<{ topicName: string; partition: number; errorCode: number; baseOffset?: string }[]>;
  };
  brokerCount: () => number | null;
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

/** The records of each topic and partition, order kept. */
function byPartition(piece: OutRecord[]): OutRecord[][] {
  const lists = new Map<string, OutRecord[]>();
  for (const record of piece) {
    const name = `${record.topic}/${record.partition}`;
    const list = lists.get(name);
    if (list === undefined) lists.set(name, [record]);
    else list.push(record);
  }
  return [...lists.values()];
}

/**
 * Sends `records` piece by piece (acks all); one range per piece and partition. Throws what kafkajs throws.
 *
 * kafkajs sends to all brokers at once, and when one of them fails it tries again while the others' answers are still on
 * their way: those then get the same records a second time with new sequence numbers, and Kafka takes them for new ones.
 * A partition that moves to a broker which has answered before is left out without a word. So where there is more than
 * one broker each partition is a call of its own, with one request at a time.
 */
export async function sendRecords(sender: BatchSender, records: readonly OutRecord[]): Promise<SentRange[]> {
  const ranges: SentRange[] = [];
  for (const piece of splitRecords(records)) {
    if (sender.brokerCount() === 1) {
      ranges.push(...(await sendTogether(sender, piece)));
      if (sender.brokerCount() !== 1) throw brokersJoinedError();
      continue;
    }
    const sent = await Promise.allSettled(byPartition(piece).map((part) => sendTogether(sender, part)));
    for (const one of sent) {
      if (one.status === 'rejected') throw one.reason;
      ranges.push(...one.value);
    }
  }
  return ranges;
}

function brokersJoinedError(): KafkaError {
  return new KafkaError('brokers_joined', 'brokers were added during a send: open a new producer and send again', {
    retriable: true,
  });
}

async function sendTogether(sender: BatchSender, piece: OutRecord[]): Promise<SentRange[]> {
  const ranges: SentRange[] = [];
  const answers = await sender.raw.sendBatch({ acks: ACKS_ALL, topicMessages: toTopicMessages(piece) });
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
  return ranges;
}
