// For the specs of libs/redis: records of `features` and batches of them, with only what a test is about spelled out.
import { type FeatureWrite, type MarkerKey, type RedisStore, type UpsertBatch, type UpsertOutcome } from '#redis';
import { randomName } from './redis-server.js';

export const OWNER = 'empresas/por_cidade';
export const GENERATION = 1_700_000_000_000;

export function write(key: string, offset: number, more: Partial<FeatureWrite> = {}): FeatureWrite {
  return {
    key,
    owner: OWNER,
    offset: BigInt(offset),
    updatedAtMs: 1_700_000_000_000 + offset,
    features: { soma: String(offset) },
    upload: 'run-1',
    window: null,
    newestWindowOnly: false,
    remainingMs: null,
    ...more,
  };
}

export const newMarker = (): MarkerKey => ({ prefix: randomName('spec'), pipeline: 'empresas', partition: 0 });

export const markerText = ({ prefix, pipeline, partition }: MarkerKey): string =>
  `caudal:writer:${prefix}:${pipeline}:${partition}`;

/** A writer on a log of its own: keeps the marker it was last told of, as the feature writer does. */
export class SpecWriter {
  expected: UpsertBatch['expected'] = null;
  fromBeginning = true;

  constructor(
    readonly store: RedisStore,
    readonly marker: MarkerKey = newMarker(),
    readonly generation: number = GENERATION,
  ) {}

  batch(writes: readonly FeatureWrite[], nextOffset?: number): UpsertBatch {
    const { marker, generation, expected, fromBeginning } = this;
    const last = writes.at(-1)?.offset ?? -1n;
    return {
      marker,
      generation,
      expected,
      fromBeginning,
      nextOffset: nextOffset === undefined ? last + 1n : BigInt(nextOffset),
      writes,
    };
  }

  async upsert(...writes: FeatureWrite[]): Promise<UpsertOutcome> {
    const outcome = await this.store.upsertFeatures(this.batch(writes));
    if (outcome.outcome === 'written') {
      this.expected = outcome.marker;
      this.fromBeginning = false;
    }
    return outcome;
  }

  async statuses(...writes: FeatureWrite[]): Promise<readonly string[]> {
    const outcome = await this.upsert(...writes);
    return outcome.outcome === 'written' ? outcome.statuses : [outcome.outcome];
  }
}
