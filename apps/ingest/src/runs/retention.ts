// `retention.runs`: ended runs that are older go, from memory and from `caudal.runs`; that their files are known stays.
import type { Pipeline } from '#contracts';
import { encodeTime } from 'ulid';
import type { RunStore } from './run-store.js';

/** Of runs whose pipeline is not here any more. */
const GONE_PIPELINE_MS = 90 * 86_400_000;

export interface RetentionOptions {
  store: Pick<RunStore, 'olderThan' | 'get' | 'expire' | 'writable'>;
  pipelines: ReadonlyMap<string, Pipeline>;
  now: () => number;
}

/** Deletes what is due; answers how many runs. */
export function expireRuns({ store, pipelines, now }: RetentionOptions): number {
  if (!store.writable) return 0;
  let expired = 0;
  const expireOlder = (ids: readonly string[], keptMs: number, isMeant: (pipeline: string) => boolean) => {
    for (const id of ids) {
      const run = store.get(id)!;
      if (run.ended_at === null || now() - Date.parse(run.ended_at) < keptMs || !isMeant(run.pipeline)) continue;
      store.expire(run);
      expired++;
    }
  };
  // A run ends after it was created: only those that were created before are looked at.
  const idsBefore = (keptMs: number, pipeline?: string) => store.olderThan(pipeline, firstIdAt(now() - keptMs));
  for (const { name, retention } of pipelines.values()) {
    expireOlder(idsBefore(retention.runsMs, name), retention.runsMs, () => true);
  }
  expireOlder(idsBefore(GONE_PIPELINE_MS), GONE_PIPELINE_MS, (pipeline) => !pipelines.has(pipeline));
  return expired;
}

/** The lowest id that a run created at `ms` can have. */
const firstIdAt = (ms: number): string => `${encodeTime(Math.max(0, ms), 10)}${'0'.repeat(16)}`;
