// What views have left behind in a task's changelog and its features is taken back: the pipeline file no longer has them,
// or has others under their names, or a reset empties everything. In parts, each a transaction of its own; whoever is
// stopped in between finds the rest again.
import { LIMITS, parseFeatureKey, RETRACTED_VIEW, type View } from '#contracts';
import type { OutRecord, TaskContext } from '#kafka';
import { parseChangelogKey } from '#windowing';
import type { TaskSession } from './task-session.js';

/**
 * `isGone`: by view name. `before`: the views as they were, which name their Redis keys. `stay`: the offset record as it
 * is, kept until all is out; the caller commits what follows.
 */
export async function clearViews(
  session: TaskSession,
  args: {
    isGone: (view: string) => boolean;
    /** Whether this task takes back the features of a view that is gone. */
    retracts: (view: string) => boolean;
    before: readonly View[];
    stay: { offsetRecord: object; next: bigint };
  },
  ctx: TaskContext,
): Promise<void> {
  const { isGone, retracts, before, stay } = args;
  const { topics, partition } = session.place;
  const state = new Set<string>();
  await session.readChangelog(ctx, (key, value) => {
    if (value === null) state.delete(key);
    else if (isGone(parseChangelogKey(key).view)) state.add(key);
  });
  const headers = new Map(before.map((view) => [view.name, { [RETRACTED_VIEW]: JSON.stringify(view) }]));
  const records: OutRecord[] = Array.from(state, (key) => ({ topic: topics.changelog, partition, key, value: null }));
  for (const key of await session.liveFeatures(ctx)) {
    const { view } = parseFeatureKey(key)!;
    if (!isGone(view) || !retracts(view)) continue;
    const known = headers.get(view);
    records.push({ topic: topics.features, partition, key, value: null, ...(known && { headers: known }) });
  }
  for (let at = 0; at < records.length; at += LIMITS.closedPerTransaction) {
    const after = records.slice(at, at + LIMITS.closedPerTransaction);
    await session.transact({ changes: [], after, ...stay }, ctx);
  }
}
