// Pure: where a writer begins, from what Redis, the log and the group say. A Redis that was emptied, restored from an
// old copy or belongs to another Kafka is refilled from the beginning of the compacted log.
import type { MarkerPosition } from '#redis';

export interface StartPosition {
  next: bigint;
  /** The marker is to be created or replaced. */
  fromBeginning: boolean;
}

export function startPosition(args: {
  generation: number;
  marker: MarkerPosition | null;
  log: { start: bigint; end: bigint };
  committed: bigint | undefined;
}): StartPosition {
  const { generation, marker, log, committed } = args;
  const unknown = marker === null || marker.generation !== generation || marker.offset > log.end;
  if (unknown) return { next: log.start, fromBeginning: true };
  const lower = committed !== undefined && committed < marker.offset ? committed : marker.offset;
  return { next: lower < log.start ? log.start : lower, fromBeginning: false };
}
