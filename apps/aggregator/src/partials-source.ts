// A rows task as a source of `partials`: what the rows of a step contribute to views that are not grouped by the key
// columns, combined per (view, group, window) so that a hot key costs what an even spread does, and every control record
// for every partition, behind the contributions that precede it. Lateness is judged here, at the row's place in the log.
import {
  encodeContribution,
  encodeSourceControl,
  stagesOf,
  viewsOfStage,
  type ControlRecord,
  type Pipeline,
  type PipelineChange,
  type PipelineTopics,
} from '#contracts';
import { partitionForKey, type OutRecord } from '#kafka';
import { fingerprint, GroupBy, parseChangelogKey, type Step } from '#windowing';
import { encodeVersion, viewVersions } from './view-versions.js';

export class PartialsSource {
  /** Its store stays empty: each step begins anew. */
  private readonly groupBy: GroupBy;
  private readonly versions: ReadonlyMap<string, string>;

  /** `pipeline`: with the views that count now. */
  constructor(
    pipeline: Pipeline,
    private readonly options: {
      topics: PipelineTopics;
      partition: number;
      partitions: number;
      generation: number;
      began: PipelineChange['began'];
      /** Whether any view is kept through partials, so that control records are to be sent. */
      sends: boolean;
    },
  ) {
    this.groupBy = new GroupBy({ ...pipeline, views: viewsOfStage(pipeline, 'partials') });
    const versions = viewVersions(fingerprint(pipeline, options.partitions), options.began);
    this.versions = new Map([...versions].map(([view, version]) => [view, encodeVersion(version)]));
  }

  get sends(): boolean {
    return this.options.sends;
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
      ...encodeContribution({
        key,
        generation,
        streamTime,
        version: this.versions.get(parseChangelogKey(key).view)!,
        entry,
      }),
    }));
  }

  /** For every partition; whether it is to be sent says {@link sends}. */
  control(control: ControlRecord): OutRecord[] {
    const { topics, partition, partitions, generation } = this.options;
    const record = encodeSourceControl({ ...control, source: partition, generation });
    return Array.from({ length: partitions }, (_, to) => ({ topic: topics.partials, partition: to, ...record }));
  }
}

/** Wakes the tasks of partials after a reset: they are to begin anew too. */
export function resetRecords(
  pipeline: Pipeline,
  source: { topics: PipelineTopics; partition: number; partitions: number; generation: number },
): OutRecord[] {
  if (!stagesOf(pipeline).includes('partials')) return [];
  const nothing = { upload: '', row: 0, streamTime: null, rowsInPartition: 0, rowsTotal: 0, sequence: 0 };
  return new PartialsSource(pipeline, { ...source, began: {}, sends: true }).control({ kind: 'reset', ...nothing });
}
