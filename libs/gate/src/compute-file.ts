// A file's own contribution, from empty state, by the same code as the aggregator's: its windows close where a publisher
// would put watermarks, so with `order: event_time` rows may be late here too.
import {
  countLate,
  ROWS_PER_WATERMARK,
  type FeatureRecord,
  type LateCounts,
  type Pipeline,
  type Row,
} from '#contracts';
import { GroupBy, type Step } from '#windowing';

export class TooManyGroups extends Error {
  readonly code = 'too_many_groups';
  readonly retriable = false;
  constructor(maxGroups: number) {
    super(`the file has more than ${maxGroups} groups: too many for a rehearsal over HTTP`);
  }
}

export class FileComputation {
  readonly late: LateCounts = { late: 0, late_by_view: {} };
  private readonly groupBy: GroupBy;
  /** Windows that were closed on the way. */
  private readonly closed: FeatureRecord[] = [];
  private streamTime: number | null = null;
  private step: Step;

  /** `maxGroups`: of all views together, windows counted apart. */
  constructor(
    private readonly pipeline: Pipeline,
    private readonly maxGroups: number,
  ) {
    this.groupBy = new GroupBy(pipeline);
    this.step = this.groupBy.beginStep();
  }

  /** The file's records in their order, rejected ones as null; `number` is 1-based. Throws {@link TooManyGroups}. */
  add(number: number, row: Row | null): void {
    if (row !== null) {
      const windows = this.step.applyRow(row);
      if (windows.length > 0) countLate(this.late, windows);
      this.streamTime = Math.max(this.streamTime ?? row.time, row.time);
    }
    if (number % ROWS_PER_WATERMARK === 0) this.turn();
  }

  /** After the last record. Throws {@link TooManyGroups}. */
  end(): void {
    this.step.commit();
    this.assertFewGroups();
  }

  /** Every group's features, of closed windows and of open ones. */
  *results(): Generator<FeatureRecord> {
    yield* this.closed;
    yield* this.groupBy.results();
  }

  private turn(): void {
    this.step.commit();
    if (this.pipeline.order === 'event_time') this.passWatermark();
    this.assertFewGroups();
    this.step = this.groupBy.beginStep();
  }

  private passWatermark(): void {
    const { groupBy, streamTime } = this;
    const due = groupBy.due({ upload: null, streamTime, limit: Number.POSITIVE_INFINITY });
    for (const { feature } of due.changes) this.closed.push(JSON.parse(feature!.value!) as FeatureRecord);
    due.commit();
    groupBy.advanceStreamTime(streamTime);
    groupBy.beginEpoch();
  }

  private assertFewGroups(): void {
    if (this.groupBy.size + this.closed.length > this.maxGroups) throw new TooManyGroups(this.maxGroups);
  }
}
