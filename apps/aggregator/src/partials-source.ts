// A rows task as a source of `partials`: what the rows of a step contribute to views that are not grouped by the key
// columns, combined per (view, group, window) so that a hot key costs what an even spread does, and every control record
// for every partition, behind the contributions that precede it. Lateness is judged here, at the row's place in the log.
import {
  encodeContribution,
  encodeSourceControl,
  viewsOfStage,
  type ControlRecord,
  type Pipeline,
  type PipelineTopics,
} from '#contracts';
import { partitionForKey, type OutRecord } from '#kafka';
import { GroupBy, type Step } from '#windowing';

export class PartialsSource {
  /** Its store stays empty: each step begins anew. */
  private readonly groupBy: GroupBy;
  private readonly sends: boolean;

  constructor(
    pipeline: Pipeline,
    private readonly options: { topics: PipelineTopics; partition: number; partitions: number; generation: number },
  ) {
    const views = viewsOfStage(pipeline, 'partials');
    this.sends = views.length > 0;
    this.groupBy = new GroupBy({ ...pipeline, views });
  }

  beginStep(): Step {
    return this.groupBy.beginStep();
  }

  advanceStreamTime(time: number | null): void {
    this.groupBy.advanceStreamTime(time);
  }

  contributions(step: Step): OutRecord[] {
    const { topics, partitions, generation } = this.options;
    const { streamTime } = this.groupBy;
    return step.contributions().map(({ key, group, entry }) => ({
      topic: topics.partials,
      partition: partitionForKey(group, partitions),
      ...encodeContribution({ key, generation, streamTime, entry }),
    }));
  }

  control(control: ControlRecord): OutRecord[] {
    if (!this.sends) return [];
    const { topics, partition, partitions, generation } = this.options;
    const record = encodeSourceControl({ ...control, source: partition, generation });
    return Array.from({ length: partitions }, (_, to) => ({ topic: topics.partials, partition: to, ...record }));
  }
}
