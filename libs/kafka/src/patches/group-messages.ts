// Patch 2 of kafkajs: grouping the messages of a send by partition is O(n^2) (#1576) and asks the partitioner again on
// every retry. The array that we hand over brings its own linear `reduce`, the one method that the grouping calls.

/** A message whose partition is decided. */
export interface PlacedMessage {
  partition: number;
  key: string | Buffer | null;
  value: string | Buffer | null;
  headers?: Record<string, string>;
}

function groupByPartition(this: PlacedMessage[]): Record<number, PlacedMessage[]> {
  const groups: Record<number, PlacedMessage[]> = {};
  for (const message of this) {
    if (message.partition === undefined) {
      throw new TypeError('a message without a partition: libs/kafka always names it');
    }
    (groups[message.partition] ??= []).push(message);
  }
  return groups;
}

/** Marks an array of messages so that kafkajs groups it in one pass by the partition each message names. */
export function grouped(messages: PlacedMessage[]): PlacedMessage[] {
  return Object.defineProperty(messages, 'reduce', { value: groupByPartition });
}
