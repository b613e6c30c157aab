// What a task's state depends on, as stable text: state made under another fingerprint must not be continued.
import type { Pipeline, View } from '#contracts';

export interface Fingerprint {
  key: string[];
  partitions: number;
  /** View name -> text of its group_by, window, features and the types of the columns it uses. */
  views: Record<string, string>;
}

/** Where results go (Redis keys, ttl, retention) is left out: it may change under a running state. */
export function fingerprint(pipeline: Pipeline, partitions: number): Fingerprint {
  const views = Object.fromEntries(pipeline.views.map((view) => [view.name, viewFingerprint(pipeline, view)]));
  return { key: [...pipeline.key], partitions, views };
}

/** The order of features counts, since changelog records hold accumulators by position. */
function viewFingerprint(pipeline: Pipeline, { groupBy, window, features }: View): string {
  const types = new Map(pipeline.columns.map((column) => [column.name, column.type]));
  const used = [...new Set([...groupBy, ...features.map((feature) => feature.column)])].filter((name) => name !== '*');
  return JSON.stringify({
    group_by: groupBy,
    window: window.type === 'tumbling' ? [window.type, window.sizeMs, window.graceMs] : [window.type],
    features: features.map(({ name, aggregate, column, q, k }) => [name, aggregate, column, q, k].filter(isGiven)),
    types: used.sort().map((name) => [name, types.get(name) ?? null]),
  });
}

const isGiven = (part: unknown): boolean => part !== undefined;
