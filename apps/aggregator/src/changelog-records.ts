// What a task keeps in its changelog partition beside its windows: the offset record, the authority on progress.
// It is the last record of every transaction; group offsets are committed for lag tools only.
import type { LateCounts, PipelineChange, View } from '#contracts';
import type { fingerprint } from '#windowing';

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
  /** Of the views that count at this place of the log; the pipeline file may have others already. */
  fingerprint: ReturnType<typeof fingerprint>;
  /** As the last `pipeline-changed` record said: tells a view that has been away from what it was. */
  began: PipelineChange['began'];
  /** Those views without their features: which Redis keys they have, should they be retracted. */
  definitions: View[];
  uploads: Record<string, OpenUpload>;
  /** Whether control records are sent on to `partials`. */
  partials: boolean;
  closing: Closing | null;
}

/** Of a task of `partials`. */
export interface MergeOffsetRecord extends Pick<
  OffsetRecord,
  'version' | 'stream_time' | 'generation' | 'fingerprint' | 'definitions' | 'began' | 'closing'
> {
  /** Next offset of the partials partition. */
  next: string;
  /** Control records that each source has sent. */
  sources: number[];
}
