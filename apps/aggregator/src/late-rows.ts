// What becomes of a late row: it is counted with its upload, and kept in `late`, one record per closed window. Both go out
// in the transaction of the step that dropped it.
import { encodeLateRow, type LateRowWindow, type Row } from '#contracts';
import type { KafkaRecord, OutRecord } from '#kafka';
import type { OpenUpload } from './changelog-records.js';

export class LateRows {
  readonly records: OutRecord[] = [];
  /** Rows late in this step, by view. */
  readonly byView = new Map<string, number>();

  constructor(private readonly topic: string) {}

  /** `windows`: all that were closed to the row, in the order of their views; at least one. */
  add(record: KafkaRecord, row: Row, windows: readonly LateRowWindow[], upload: OpenUpload): void {
    upload.late++;
    let previous = '';
    for (const late of windows) {
      this.records.push({
        topic: this.topic,
        partition: record.partition,
        key: record.key,
        value: encodeLateRow(row, late),
      });
      // A row counts once a view, though several hopping windows may be closed to it.
      if (late.view === previous) continue;
      previous = late.view;
      upload.late_by_view[late.view] = (upload.late_by_view[late.view] ?? 0) + 1;
      this.byView.set(late.view, (this.byView.get(late.view) ?? 0) + 1);
    }
  }
}
