// Topics: created where missing, compared where present, and what is known of their partitions and offsets.
import type { Admin } from 'kafkajs';
import { KafkaError, toKafkaError } from './errors.js';
import type { PartitionOffsets, TopicSpec } from './records.js';
import { sleep } from './sleep.js';

const WAIT_MS = 100;
const GIVE_UP_MS = 30_000;
/** The group coordinator is being found, made or loaded: it will answer in a moment. */
const COORDINATOR_CODES = ['group_load_in_progress', 'group_coordinator_not_available', 'not_coordinator_for_group'];

/** Runs `admin` calls; a failed one must not leave its traces in the next (kafkajs remembers deleted topics). */
export type WithAdmin = <Result>(call: (admin: Admin) => Promise<Result>) => Promise<Result>;

/** Partition counts of those of `names` that exist and have a leader for every partition; others are left out. */
async function readyPartitionCounts(withAdmin: WithAdmin, names: string[]): Promise<Map<string, number>> {
  const existing = new Set(await withAdmin((admin) => admin.listTopics()));
  const wanted = names.filter((name) => existing.has(name));
  if (wanted.length === 0) return new Map();
  const { topics } = await withAdmin((admin) => admin.fetchTopicMetadata({ topics: wanted }));
  const ready = topics.filter(({ partitions }) => partitions.length > 0 && partitions.every((p) => p.leader >= 0));
  return new Map(ready.map(({ name, partitions }) => [name, partitions.length]));
}

async function createMissing(withAdmin: WithAdmin, missing: TopicSpec[]): Promise<void> {
  const topics = missing.map(({ name, partitions, config }) => ({
    topic: name,
    numPartitions: partitions,
    replicationFactor: -1, // the broker's default
    configEntries: Object.entries(config).map(([key, value]) => ({ name: key, value })),
  }));
  try {
    await withAdmin((admin) => admin.createTopics({ topics, waitForLeaders: false }));
  } catch (error) {
    // Another process may create the same topics at the same moment; who won does not matter.
    const errors = (error as { errors?: { type?: string }[] }).errors ?? [];
    const others = errors.filter(({ type }) => type !== 'TOPIC_ALREADY_EXISTS');
    if (errors.length === 0 || others.length > 0) throw others[0] ?? error;
  }
}

function assertSameCounts(specs: TopicSpec[], counts: Map<string, number>): void {
  for (const { name, partitions } of specs) {
    const found = counts.get(name);
    if (found === undefined || found === partitions) continue;
    throw new KafkaError(
      'partition_count_changed',
      `topic ${name} has ${found} partitions, the configuration says ${partitions}: keys would move between ` +
        `partitions. Set CAUDAL_PARTITIONS back to ${found}, or another CAUDAL_TOPIC_PREFIX`,
      { retriable: false },
    );
  }
}

/** Creates what is missing and waits for leaders; throws `partition_count_changed` for a topic of another size. */
export async function ensureTopics(withAdmin: WithAdmin, specs: TopicSpec[]): Promise<void> {
  const names = specs.map(({ name }) => name);
  const giveUpAtMs = performance.now() + GIVE_UP_MS;
  for (;;) {
    try {
      const counts = await readyPartitionCounts(withAdmin, names);
      assertSameCounts(specs, counts);
      const missing = specs.filter(({ name }) => !counts.has(name));
      if (missing.length === 0) return;
      await createMissing(withAdmin, missing);
    } catch (error) {
      const failure = toKafkaError(error);
      if (!failure.retriable || performance.now() >= giveUpAtMs) throw failure;
    }
    if (performance.now() >= giveUpAtMs) {
      throw new KafkaError(
        'topics_not_ready',
        `topics ${names.join(', ')} have no leaders yet: look at the broker log`,
        {
          retriable: true,
        },
      );
    }
    await sleep(WAIT_MS);
  }
}

/** How many partitions the topic has. */
export async function partitionCount(withAdmin: WithAdmin, topic: string): Promise<number> {
  const { topics } = await withAdmin((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
  const partitions = topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
  if (partitions === 0) throw new KafkaError('unknown_topic', `topic ${topic} does not exist`, { retriable: true });
  return partitions;
}

/** Log start and end of every partition, by partition. */
export async function topicOffsets(withAdmin: WithAdmin, topic: string): Promise<PartitionOffsets[]> {
  const offsets = await withAdmin((admin) => admin.fetchTopicOffsets(topic));
  return offsets
    .map(({ partition, low, high }) => ({ partition, start: BigInt(low), end: BigInt(high) }))
    .sort((a, b) => a.partition - b.partition);
}

/** A group's committed offsets of the topic; partitions without one are left out. */
export async function committedOffsets(
  withAdmin: WithAdmin,
  groupId: string,
  topic: string,
): Promise<Map<number, bigint>> {
  const answers = await fetchOffsets(withAdmin, groupId, topic);
  const committed = new Map<number, bigint>();
  for (const { partition, offset } of answers.find((answer) => answer.topic === topic)?.partitions ?? []) {
    const next = BigInt(offset);
    if (next >= 0n) committed.set(partition, next); // -1: never; -2: kafkajs' mark for 'from the beginning'
  }
  return committed;
}

async function fetchOffsets(withAdmin: WithAdmin, groupId: string, topic: string) {
  const giveUpAtMs = performance.now() + GIVE_UP_MS;
  for (;;) {
    try {
      return await withAdmin((admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
    } catch (error) {
      const failure = toKafkaError(error);
      if (!COORDINATOR_CODES.includes(failure.code) || performance.now() >= giveUpAtMs) throw failure;
    }
    await sleep(WAIT_MS);
  }
}
