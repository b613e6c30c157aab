// A rehearsal (`save_to_db=false`): the file's own contribution, computed from empty state by the same code as the
// aggregator's, compared with what Redis holds. Nothing is written to rows, features or Redis.
import {
  featureText,
  keyRenderer,
  LIMITS,
  type FeatureRecord,
  type FeatureValue,
  type LateCounts,
  type Pipeline,
  type StoredRun,
  type TopicRange,
  type View,
} from '#contracts';
import { viewOwner, type RedisStore } from '#redis';
import type { RunParts } from '../runs/run-parts.js';
import { computeTypedFile } from './compute-typed-file.js';

interface ResultItem {
  key: Record<string, string>;
  window: FeatureRecord['window'];
  features: Record<string, FeatureValue>;
}
/** Counts are numbers, as in all JSON; everything else is the text that Redis has. */
interface DiffItem {
  key: Record<string, string>;
  feature: string;
  old: string | number | null;
  new: string | number | null;
}
type ViewDiff =
  | { not_comparable: true }
  | { added: number; changed: number; unchanged: number; missing: number; items: DiffItem[]; truncated?: true };

export interface RehearsalDocument {
  result: Record<string, ResultItem[]>;
  diff: Record<string, ViewDiff>;
  /** Views of which not every item is listed. */
  truncated?: string[];
}

class RehearsalCancelled extends Error {
  readonly code = 'cancelled';
  readonly retriable = false;
}

const REDIS_BATCH = 500;

export class Rehearsal {
  constructor(
    private readonly redis: RedisStore,
    private readonly parts: RunParts,
  ) {}

  /**
   * Computes, compares and keeps the document. Throws {@link TooManyGroups}, {@link RehearsalCancelled}, or a RedisError.
   * `isOver` is asked between two turns.
   */
  async run(
    run: StoredRun,
    pipeline: Pipeline,
    typedPath: string,
    isOver: () => boolean,
  ): Promise<{ parts: TopicRange; late: LateCounts }> {
    const computation = await computeTypedFile(pipeline, typedPath, () => {
      if (isOver()) throw new RehearsalCancelled('the run was cancelled');
    });
    const records = byView(computation.results());
    const document: RehearsalDocument = { result: {}, diff: {} };
    for (const view of pipeline.views) {
      const found = records.get(view.name) ?? [];
      const listed = found.slice(0, LIMITS.rehearsalItemsPerView);
      document.result[view.name] = listed.map(({ key, window, features }) => ({ key, window, features }));
      if (listed.length < found.length) document.truncated = [...(document.truncated ?? []), view.name];
      document.diff[view.name] =
        view.window.type === 'upload' ? await this.compare(pipeline, view, found) : { not_comparable: true };
    }
    return { parts: await this.parts.write(run.id, document), late: computation.late };
  }

  private async compare(pipeline: Pipeline, view: View, records: FeatureRecord[]): Promise<ViewDiff> {
    const render = keyRenderer(view.redis.key, view.groupBy);
    const keyOf = (record: FeatureRecord) =>
      render({ pipeline: pipeline.name, view: view.name, key: record.key, windowStart: null, windowEnd: null });
    const owner = viewOwner(pipeline.name, view.name);
    const counts = { added: 0, changed: 0, unchanged: 0, missing: 0 };
    const items: DiffItem[] = [];
    const named = new Set<string>();
    for (let at = 0; at < records.length; at += REDIS_BATCH) {
      const batch = records.slice(at, at + REDIS_BATCH);
      const keys = batch.map(keyOf);
      const hashes = await this.redis.readHashes(keys);
      batch.forEach((record, i) => {
        named.add(keys[i]!);
        const hash = hashes[i]!;
        const old = hash === null || hash === 'wrong_type' || isForeign(hash, owner) ? null : hash;
        const differences = compareHash(record, view, old);
        if (old === null) counts.added++;
        else if (differences.length > 0) counts.changed++;
        else counts.unchanged++;
        items.push(...differences);
      });
    }
    counts.missing = await this.countMissing(pipeline, view, named);
    if (items.length <= LIMITS.rehearsalItemsPerView) return { ...counts, items };
    return { ...counts, items: items.slice(0, LIMITS.rehearsalItemsPerView), truncated: true };
  }

  /** Groups that Redis has and the file does not name: they would keep their values. */
  private async countMissing(pipeline: Pipeline, view: View, named: ReadonlySet<string>): Promise<number> {
    const seen = new Set<string>();
    for await (const keys of this.redis.scanView({ pipeline: pipeline.name, view })) {
      for (const key of keys) if (!named.has(key)) seen.add(key);
    }
    return seen.size;
  }
}

/** Map.groupBy, which Node 20 does not have yet. */
function byView(results: Iterable<FeatureRecord>): Map<string, FeatureRecord[]> {
  const records = new Map<string, FeatureRecord[]>();
  for (const record of results) {
    const found = records.get(record.view);
    if (found) found.push(record);
    else records.set(record.view, [record]);
  }
  return records;
}

/** Another view's values are nothing to compare with; a hash without an owner is from before Caudal. */
function isForeign(hash: ReadonlyMap<string, string>, owner: string): boolean {
  return (hash.get('_view') ?? owner) !== owner;
}

/** The features whose values differ; `old`: the hash in Redis, null when there is none. */
function compareHash(record: FeatureRecord, view: View, old: ReadonlyMap<string, string> | null): DiffItem[] {
  const items: DiffItem[] = [];
  for (const { name } of view.features) {
    const value = record.features[name] ?? null;
    const next = value === null ? null : featureText(value);
    const before = old?.get(name) ?? null;
    if (before === next) continue;
    const isCount = typeof value === 'number';
    const held = isCount && before !== null ? countOf(before) : before;
    items.push({ key: record.key, feature: name, old: held, new: isCount ? value : next });
  }
  return items;
}

/** The count that a text of Redis' says; another job may have left anything there. */
function countOf(text: string): number | string {
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}
