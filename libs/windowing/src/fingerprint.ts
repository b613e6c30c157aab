// What a task's state depends on, as stable text: state made under another fingerprint must not be continued.
import type { Pipeline, View, WindowSpec } from '#contracts';

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
    window: windowFingerprint(window),
    features: features.map(({ name, aggregate, column, q, k }) => [name, aggregate, column, q, k].filter(isGiven)),
    types: used.sort().map((name) => [name, types.get(name) ?? null]),
  });
}

const isGiven = (part: unknown): boolean => part !== undefined;

/** `emit` is left out: it says what is shown of the state, not what the state is. */
function windowFingerprint(window: WindowSpec): readonly unknown[] {
  switch (window.type) {
    case 'tumbling':
      return [window.type, window.sizeMs, window.graceMs, window.timeZone];
    case 'hopping':
      return [window.type, window.sizeMs, window.advanceMs, window.graceMs, window.timeZone];
    case 'session':
      return [window.type, window.gapMs, window.graceMs];
    default:
      return [window.type];
  }
}
