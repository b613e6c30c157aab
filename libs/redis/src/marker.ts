// The writer's marker: how far Redis has followed one partition of `features`, kept in Redis beside what was written,
// so that a Redis that lost its data, and a writer that lost its partition, are both noticed at the next batch.

export interface MarkerKey {
  /** `CAUDAL_TOPIC_PREFIX`. */
  readonly prefix: string;
  readonly pipeline: string;
  readonly partition: number;
}

export interface MarkerPosition {
  /** Epoch ms at which the pipeline's topics were created or reset. */
  readonly generation: number;
  /** The next offset of `features` to write. */
  readonly offset: bigint;
}

/** With counts of records since the last end-of-upload record. */
export interface MarkerCounts extends MarkerPosition {
  readonly written: number;
  readonly superseded: number;
  readonly failed: number;
}

export interface Marker extends MarkerCounts {
  /** Keys that failed since the last end-of-upload record, at most `LIMITS.failedKeysListed`. */
  readonly failedKeys: readonly string[];
}

/** `caudal:writer:<prefix>:<pipeline>:<partition>`: a hash; the list `<marker>:failed` stands beside it. */
export function markerName({ prefix, pipeline, partition }: MarkerKey): string {
  return `caudal:writer:${prefix}:${pipeline}:${partition}`;
}

export const failedListName = (marker: string): string => `${marker}:failed`;

/** The values of generation, offset, written, superseded and failed; null when Caudal did not write them. */
export function parseMarker(values: readonly (string | null)[], failedKeys: readonly string[]): Marker | null {
  const [generation, offset, ...counts] = values;
  if (!/^\d+$/.test(generation ?? '') || !/^\d+$/.test(offset ?? '')) return null;
  const [written = 0, superseded = 0, failed = 0] = counts.map(Number);
  return { generation: Number(generation), offset: BigInt(offset!), written, superseded, failed, failedKeys };
}
