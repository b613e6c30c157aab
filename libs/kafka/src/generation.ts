// The generation of a pipeline's topics: what orders writes to Redis before any offset. Read at each acquisition.
import { GENERATION_KEY, type Generation } from '#contracts';
import type { KafkaClient } from './client.js';
import { KafkaError } from './errors.js';

/** Epoch ms at which the topics were created or reset. Throws `no_generation` (retriable) before ingest wrote it. */
export async function readGeneration(client: KafkaClient, uploadsTopic: string): Promise<number> {
  let generation: number | null = null;
  await client.readPartition({
    topic: uploadsTopic,
    partition: 0,
    onRecord: (record) => {
      if (record.key?.toString() !== GENERATION_KEY || record.value === null) return;
      generation = (JSON.parse(record.value.toString()) as Generation).generation;
    },
  });
  if (generation !== null) return generation;
  throw new KafkaError('no_generation', `${uploadsTopic} has no generation yet: start the ingest service`, {
    retriable: true,
  });
}
