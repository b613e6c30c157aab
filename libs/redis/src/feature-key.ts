// From a record of `features` to what Redis is to hold for it: the key, the owner, how long, and which guard applies.
import {
  decodeGroup,
  isTimeWindow,
  keyRenderer,
  parseFeatureKey,
  templateParts,
  type FeatureRecord,
  type FeatureValue,
  type Pipeline,
  type View,
} from '#contracts';
import { fixedWindows } from '#windowing';

/** A record of `features` that is no control record. */
export interface FeatureMessage {
  readonly key: string;
  /** Null: the feature is retracted. */
  readonly record: FeatureRecord | null;
  /** Of a retraction: the view as it was (JSON), where today's pipeline file may have another or none. */
  readonly retractedView?: string | null;
  readonly offset: bigint;
  /** The record's timestamp, epoch ms. */
  readonly timestampMs: number;
}

export interface FeatureWrite {
  /** The Redis key. */
  readonly key: string;
  /** `<pipeline>/<view>`, kept as `_view`. */
  readonly owner: string;
  /** Offset in `features`: the revision, and what the marker is compared with. */
  readonly offset: bigint;
  readonly updatedAtMs: number;
  /** Null: delete the hash. A null value inside removes that one feature. */
  readonly features: Readonly<Record<string, FeatureValue>> | null;
  /** The run; empty for a retraction. */
  readonly upload: string;
  /** Epoch ms; null for upload and all_time windows. The end is null where a session is retracted: nobody knows it. */
  readonly window: { readonly startMs: number; readonly endMs: number | null } | null;
  /** The key's template names no window: the key holds the newest one. */
  readonly newestWindowOnly: boolean;
  /** What is left of the view's ttl, at most 0 when it has passed; null: the key never expires. */
  readonly remainingMs: number | null;
}

/** What a hash's `_view` says: whose it is. */
export const viewOwner = (pipeline: string, view: string): string => `${pipeline}/${view}`;

type Target = (
  message: FeatureMessage,
  group: string,
  windowStartMs: number | null,
  nowMs: number,
) => FeatureWrite | null;

/**
 * A function that says what a record writes. It answers null for records that today's pipeline file has no place for:
 * of a view that was removed, or was grouped by other columns.
 */
export function featureWritesOf(pipeline: Pipeline): (message: FeatureMessage, nowMs: number) => FeatureWrite | null {
  const targets = new Map(pipeline.views.map((view) => [view.name, targetOf(pipeline.name, view)]));
  // Retractions come in crowds of one view.
  const former = new Map<string, Target>();
  const formerOf = (view: string): Target => {
    const target = former.get(view) ?? targetOf(pipeline.name, JSON.parse(view) as View);
    former.set(view, target);
    return target;
  };
  return (message, nowMs) => {
    const parts = parseFeatureKey(message.key);
    if (parts === null) throw new Error(`a control record is no feature: ${JSON.stringify(message.key)}`);
    const { record, retractedView } = message;
    const target = record === null && retractedView ? formerOf(retractedView) : targets.get(parts.view);
    return target?.(message, parts.group, parts.windowStart, nowMs) ?? null;
  };
}

function targetOf(pipeline: string, view: View): Target {
  const { groupBy, redis } = view;
  const owner = viewOwner(pipeline, view.name);
  const render = keyRenderer(redis.key, groupBy);
  const namesWindow = templateParts(redis.key).some(
    (part) => 'placeholder' in part && part.placeholder === 'window_start',
  );
  const newestWindowOnly = isTimeWindow(view.window) && !namesWindow;
  const fixed = fixedWindows(view.window);
  return (message, group, windowStartMs, nowMs) => {
    const key = message.record?.key ?? groupOfKey(group, groupBy);
    if (!groupBy.every((column) => typeof key[column] === 'string')) return null;
    const window = windowOf(fixed, message.record, windowStartMs);
    // A clock behind the broker's makes no key live longer than its ttl.
    const ageMs = Math.max(0, nowMs - message.timestampMs);
    return {
      key: render({
        pipeline,
        view: view.name,
        key,
        windowStart: window?.startMs ?? null,
        windowEnd: window?.endMs ?? null,
      }),
      owner,
      offset: message.offset,
      updatedAtMs: message.timestampMs,
      features: message.record?.features ?? null,
      upload: message.record?.upload ?? '',
      window,
      newestWindowOnly,
      remainingMs: redis.ttlMs === null ? null : redis.ttlMs - ageMs,
    };
  };
}

/** The columns' values; none for a key of other columns than today's, so that a view's old shape stops nobody. */
function groupOfKey(group: string, groupBy: readonly string[]): Record<string, string> {
  if (groupBy.length > 1 && !isJsonArray(group)) return {};
  const values = decodeGroup(group, groupBy.length);
  return Object.fromEntries(groupBy.map((column, at) => [column, values[at]!]));
}

function isJsonArray(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}

/** A retraction has no value: its window's start stands in the record's key, its end follows from the view's windows. */
function windowOf(
  fixed: ReturnType<typeof fixedWindows>,
  record: FeatureRecord | null,
  startMs: number | null,
): FeatureWrite['window'] {
  if (record !== null) {
    const { start, end } = record.window;
    return start === null || end === null ? null : { startMs: start, endMs: end };
  }
  return startMs === null ? null : { startMs, endMs: fixed?.endMs(startMs) ?? null };
}
