// Rows are kept in Kafka for `retention.rows`: an aggregator that is away for longer would lose some. So new files of a
// pipeline are turned away while its oldest row that nobody has read nears that age.
import { groupIds, pipelineTopics, type Pipeline } from '#contracts';
import type { KafkaClient } from '#kafka';
import { setTimeout as sleep } from 'node:timers/promises';

export interface AggregatorLagOptions {
  client: Pick<KafkaClient, 'offsets' | 'committedOffsets' | 'readPartition'>;
  prefix: string;
  pipelines: Iterable<Pipeline>;
  now: () => number;
  stop: AbortSignal;
  log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
}

/** Of the retention: what is older is too near to its end. */
const SHARE = 0.8;
const LOOKS_PER_RETENTION = 50;
const LOOK_MIN_MS = 1_000;
const LOOK_MAX_MS = 60_000;

export class AggregatorLag {
  private readonly behind = new Set<string>();

  constructor(private readonly options: AggregatorLagOptions) {}

  /** As of the last look. */
  isBehind(pipeline: string): boolean {
    return this.behind.has(pipeline);
  }

  /** Looks from time to time until the service stops. Never rejects: while Kafka is away nothing changes. */
  async run(): Promise<void> {
    const { pipelines, stop, log } = this.options;
    const all = [...pipelines];
    const shortestMs = Math.min(...all.map(({ retention }) => retention.rowsMs));
    const everyMs = Math.min(Math.max(shortestMs / LOOKS_PER_RETENTION, LOOK_MIN_MS), LOOK_MAX_MS);
    while (!stop.aborted) {
      for (const pipeline of all) {
        await this.look(pipeline).catch((error: unknown) => {
          if (!stop.aborted)
            log.warn({ err: error, pipeline: pipeline.name }, 'looking how far its aggregator is failed');
        });
      }
      await sleep(everyMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }

  /** Looks at one pipeline. Throws a KafkaError. */
  async look({ name, retention }: Pipeline): Promise<void> {
    const ageMs = this.options.now() - (await this.oldestUnread(name));
    const isBehind = ageMs > retention.rowsMs * SHARE;
    if (isBehind === this.behind.has(name)) return;
    if (isBehind) {
      this.behind.add(name);
      this.options.log.warn({ pipeline: name, age_ms: ageMs }, 'the aggregator is behind: new files are turned away');
    } else {
      this.behind.delete(name);
      this.options.log.info({ pipeline: name }, 'the aggregator has caught up');
    }
  }

  /** Timestamp of the oldest row that the aggregator has not read, epoch ms; infinite when it has read all. */
  private async oldestUnread(pipeline: string): Promise<number> {
    const { client, prefix, stop } = this.options;
    const topic = pipelineTopics(prefix, pipeline).rows;
    const read = await client.committedOffsets(groupIds.rows(prefix, pipeline), topic);
    let oldest = Infinity;
    for (const { partition, start, end } of await client.offsets(topic)) {
      const next = read.get(partition) ?? start;
      if (next >= end) continue;
      await client.readPartition({
        topic,
        partition,
        from: next,
        signal: stop,
        onRecord: ({ timestampMs }) => {
          oldest = Math.min(oldest, timestampMs);
          return false;
        },
      });
    }
    return oldest;
  }
}
