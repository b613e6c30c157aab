// What a task keeps in its changelog partition beside its windows: the offset record, the authority on progress.
// It is the last record of every transaction; group offsets are committed for lag tools only.
import type { LateCounts } from '#contracts';
import { fingerprint } from '#windowing';

export const OFFSET_KEY = '\u0000offset';

/** What the task knows of an upload that has not ended in this partition. */
export interface OpenUpload extends LateCounts {
  rows: number;
}

export const newUpload = (): OpenUpload => ({ rows: 0, late: 0, late_by_view: {} });

export function copyUploads(uploads: ReadonlyMap<string, OpenUpload>): Map<string, OpenUpload> {
  return new Map([...uploads].map(([id, upload]) => [id, { ...upload, late_by_view: { ...upload.late_by_view } }]));
}

/** Stands while a control record's windows are being closed in several transactions. */
export interface Closing {
  kind: string;
  upload: string;
  stream_time: number | null;
}

export interface OffsetRecord {
  version: 1;
  /** Next offset of the rows partition. */
  next: string;
  stream_time: number | null;
  /** Control records applied so far: what open sessions refer to (libs/windowing/src/session-drafts.ts). */
  epoch: number;
  generation: number;
  fingerprint: ReturnType<typeof fingerprint>;
  uploads: Record<string, OpenUpload>;
  closing: Closing | null;
}

/** Of a task of `partials`. */
export interface MergeOffsetRecord extends Pick<
  OffsetRecord,
  'version' | 'stream_time' | 'generation' | 'fingerprint' | 'closing'
> {
  /** Next offset of the partials partition. */
  next: string;
  /** Control records that each source has sent. */
  sources: number[];
}

/** A pipeline file that cannot go on from the state that is there. */
export class ChangedPipelineError extends Error {
  readonly code = 'pipeline_changed';
  readonly retriable = false;
}

/** Keys, partitions and views decide where state lies: what changed them must be undone, or the state given up. */
export function assertSamePipeline(
  pipeline: string,
  stored: OffsetRecord['fingerprint'],
  now: OffsetRecord['fingerprint'],
): void {
  const changes: string[] = [];
  if (JSON.stringify(stored.key) !== JSON.stringify(now.key)) {
    changes.push(`the key columns were ${stored.key.join(', ')} and are now ${now.key.join(', ')}`);
  }
  if (stored.partitions !== now.partitions) {
    changes.push(`there were ${stored.partitions} partitions and are now ${now.partitions}`);
  }
  for (const view of new Set([...Object.keys(stored.views), ...Object.keys(now.views)])) {
    if (stored.views[view] === undefined) changes.push(`view ${view} is new`);
    else if (now.views[view] === undefined) changes.push(`view ${view} is gone`);
    else if (stored.views[view] !== now.views[view]) changes.push(`view ${view} has changed`);
  }
  if (changes.length === 0) return;
  throw new ChangedPipelineError(
    `pipeline ${pipeline} does not fit the state in Kafka: ${changes.join('; ')}. Undo the change, or give the changed ` +
      'pipeline a new name (a new pipeline starts empty).',
  );
}
