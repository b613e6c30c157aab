// Reports: what a partition's features of one upload came to in Redis. Ingest folds them into the run.
import { reportKey, sharedTopics, type EndOfFeatures, type Report } from '#contracts';
import type { KafkaClient, PlainProducer } from '#kafka';
import type { Marker } from '#redis';

export class Reports {
  private producer: Promise<PlainProducer> | null = null;

  constructor(
    private readonly client: KafkaClient,
    private readonly prefix: string,
  ) {}

  /** Resolves when Kafka has the report. `marker`: the counts since the last end; null where nothing was written. */
  async send(pipeline: string, end: EndOfFeatures, marker: Marker | null, aggregatedAtMs: number): Promise<void> {
    const report: Report = {
      upload: end.upload,
      pipeline,
      stage: end.stage,
      partition: end.partition,
      sequence: end.sequence,
      written: marker?.written ?? 0,
      superseded: marker?.superseded ?? 0,
      failed: marker?.failed ?? 0,
      failed_keys: [...(marker?.failedKeys ?? [])],
      late: end.late,
      late_by_view: end.late_by_view,
      aggregated_at: aggregatedAtMs,
    };
    const topic = sharedTopics(this.prefix).runs;
    const opening = this.open();
    const producer = await opening;
    try {
      await producer.send([{ topic, partition: 0, key: reportKey(report), value: JSON.stringify(report) }]);
    } catch (error) {
      // Never used again after an error; the next report opens a new one, unless another partition's has already.
      if (this.producer === opening) this.producer = null;
      await producer.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const producer = await this.producer?.catch(() => null);
    await producer?.close();
  }

  private open(): Promise<PlainProducer> {
    if (this.producer !== null) return this.producer;
    const opening = this.client.openProducer();
    this.producer = opening;
    opening.catch(() => {
      if (this.producer === opening) this.producer = null;
    });
    return opening;
  }
}
