// What the publisher tells tasks of the pipeline file and of resets: records of `uploads` and control records of `rows`, in
// one transaction, so that every partition has the change at the same place among its rows.
import {
  encodeControl,
  stagesOf,
  type ActivePipeline,
  type Pipeline,
  type PipelineChange,
  type PipelineTopics,
  type ViewSince,
} from '#contracts';
import type { OutRecord } from '#kafka';
import { fingerprint } from '#windowing';

/**
 * The pipeline file as `uploads` keeps it. `before`: what stands there; views that go on keep their `since`. `sequence`: of
 * the last upload.
 */
export function activePipeline(
  pipeline: Pipeline,
  args: { partitions: number; before: ActivePipeline | null; sequence: number },
): ActivePipeline {
  const { partitions, before, sequence } = args;
  const now = fingerprint(pipeline, partitions);
  const since = Object.entries(now.views).map(([view, text]) => {
    if (before === null) return [view, null] as const;
    return [view, before.views[view] === text ? (before.since[view] ?? null) : { at: null, sequence }] as const;
  });
  return { ...now, since: Object.fromEntries(since), text: pipeline.text };
}

/** The same once an upload has come that was created `at`; null when no view waited for one. */
export function begunAt(active: ActivePipeline, at: string): ActivePipeline | null {
  const isWaiting = (since: ViewSince | null): since is ViewSince => since !== null && since.at === null;
  if (!Object.values(active.since).some(isWaiting)) return null;
  const since = Object.entries(active.since).map(([view, one]) => [view, isWaiting(one) ? { ...one, at } : one]);
  return { ...active, since: Object.fromEntries(since) };
}

/** What of a changed file may not go on under the state that is there; null: nothing. */
export function keyChange(before: ActivePipeline, now: ActivePipeline): string | null {
  const changes: string[] = [];
  if (before.key.join('\u0000') !== now.key.join('\u0000')) {
    changes.push(`the key columns were ${before.key.join(', ')} and are now ${now.key.join(', ')}`);
  }
  if (before.partitions !== now.partitions) {
    changes.push(`there were ${before.partitions} partitions and are now ${now.partitions}`);
  }
  return changes.length === 0 ? null : changes.join('; ');
}

export function sameActiveViews(a: ActivePipeline, b: ActivePipeline): boolean {
  const views = Object.keys(a.views);
  return views.length === Object.keys(b.views).length && views.every((view) => a.views[view] === b.views[view]);
}

/** One control record for each partition of `rows`. */
export function changeControls(
  kind: 'pipeline-changed' | 'reset',
  args: { topics: PipelineTopics; active: ActivePipeline; sequence: number; pipeline: Pipeline; generation: number },
): OutRecord[] {
  const { topics, active, sequence, pipeline, generation } = args;
  const { views, partitions } = active;
  const began = Object.fromEntries(
    Object.entries(active.since).flatMap(([view, since]) => (since ? [[view, since.sequence]] : [])),
  );
  const change: PipelineChange = { generation, views, began, partials: stagesOf(pipeline).includes('partials') };
  const nothing = { upload: '', row: 0, streamTime: null, rowsInPartition: 0, rowsTotal: 0 };
  const record = encodeControl({ kind, ...nothing, sequence, change });
  return Array.from({ length: partitions }, (_, partition) => ({ topic: topics.rows, partition, ...record }));
}
