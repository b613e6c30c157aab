// A file's own contribution, from empty state, by the same code as the aggregator's: its windows close where a publisher
// would put watermarks, so with `order: event_time` rows may be late here too.
import {
  countLate,
  decodeRow,
  LIMITS,
  ROWS_PER_WATERMARK,
  type FeatureRecord,
  type LateCounts,
  type Pipeline,
} from '#contracts';
import { GroupBy, type Step } from '#windowing';
import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { readTypedFile, type TypedFrame } from '../uploads/typed-file.js';

export class TooManyGroups extends Error {
  readonly code = 'too_many_groups';
  readonly retriable = false;
  constructor() {
    super(`the file has more than ${LIMITS.rehearsalGroups} groups: too many for a rehearsal over HTTP`);
  }
}

export class FileComputation {
  readonly late: LateCounts = { late: 0, late_by_view: {} };
  private readonly groupBy: GroupBy;
  /** Windows that were closed on the way. */
  private readonly closed: FeatureRecord[] = [];
  private streamTime: number | null = null;

  constructor(private readonly pipeline: Pipeline) {
    this.groupBy = new GroupBy(pipeline);
  }

  /** Reads the whole file; `beforeTurn` is called now and then. Throws {@link TooManyGroups}, and what `beforeTurn` does. */
  async run(typedPath: string, beforeTurn: () => void = () => undefined): Promise<void> {
    for await (const frames of readTypedFile(typedPath, 1)) {
      let step = this.groupBy.beginStep();
      for (const frame of frames) {
        this.apply(step, frame);
        if (frame.row % ROWS_PER_WATERMARK !== 0) continue;
        step.commit();
        if (this.pipeline.order === 'event_time') this.passWatermark();
        this.assertFewGroups();
        await yieldToEvents();
        beforeTurn();
        step = this.groupBy.beginStep();
      }
      step.commit();
    }
    this.assertFewGroups();
  }

  /** Every group's features, of closed windows and of open ones. */
  *results(): Generator<FeatureRecord> {
    yield* this.closed;
    yield* this.groupBy.results();
  }

  private apply(step: Step, frame: TypedFrame): void {
    if (frame.partition === null) return;
    const windows = step.applyRow(decodeRow(frame.value));
    if (windows.length > 0) countLate(this.late, windows);
    this.streamTime = Math.max(this.streamTime ?? frame.time, frame.time);
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
    if (this.groupBy.size + this.closed.length > LIMITS.rehearsalGroups) throw new TooManyGroups();
  }
}
