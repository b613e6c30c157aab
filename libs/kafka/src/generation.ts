// The generation of a pipeline's topics: what orders writes to Redis before any offset. Read at each acquisition.
import { GENERATION_KEY, PIPELINE_KEY, type ActivePipeline, type Generation } from '#contracts';
import type { KafkaClient } from './client.js';
import { KafkaError } from './errors.js';

/** Epoch ms at which the topics were created or reset. Throws `no_generation` (retriable) before ingest wrote it. */
export async function readGeneration(client: KafkaClient, uploadsTopic: string): Promise<number> {
  return (await readGenerationRecord(client, uploadsTopic)).generation;
}

/** The generation, and of a reset where it begins. Throws `no_generation` (retriable) before ingest wrote it. */
export async function readGenerationRecord(client: KafkaClient, uploadsTopic: string): Promise<Generation> {
  const generation = await lastValue<Generation>(client, uploadsTopic, GENERATION_KEY);
  if (generation !== null) return generation;
  throw new KafkaError('no_generation', `${uploadsTopic} has no generation yet: start the ingest service`, {
    retriable: true,
  });
}

/** The pipeline file under which ingest publishes; null before it said so. */
export async function readActivePipeline(client: KafkaClient, uploadsTopic: string): Promise<ActivePipeline | null> {
  return lastValue<ActivePipeline>(client, uploadsTopic, PIPELINE_KEY);
}

async function lastValue<Value>(client: KafkaClient, topic: string, name: string): Promise<Value | null> {
  const found: { value: Value | null } = { value: null };
  await client.readPartition({
    topic,
    partition: 0,
    onRecord: ({ key, value }) => {
      if (key?.toString() === name && value !== null) found.value = JSON.parse(value.toString()) as Value;
    },
  });
  return found.value;
}
