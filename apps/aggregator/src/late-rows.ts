// What becomes of a late row: it is counted with its upload, and kept in `late`, one record per closed window. Both go out
// in the transaction of the step that dropped it.
import { countLate, encodeLateRow, type LateCounts, type LateRowWindow, type Row } from '#contracts';
import type { KafkaRecord, OutRecord } from '#kafka';

export class LateRows {
  readonly records: OutRecord[] = [];
  /** Of this step. */
  readonly counts: LateCounts = { late: 0, late_by_view: {} };

  constructor(private readonly topic: string) {}

  /** `windows`: as {@link countLate} takes them. `upload`: what is known of the row's own. */
  add(record: KafkaRecord, row: Row, windows: readonly LateRowWindow[], upload: LateCounts): void {
    countLate(this.counts, windows);
    countLate(upload, windows);
    const { topic } = this;
    const { partition, key } = record;
    for (const window of windows) this.records.push({ topic, partition, key, value: encodeLateRow(row, window) });
  }
}
