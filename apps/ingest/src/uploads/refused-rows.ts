// Dead letters of a file that is not published, refused or rehearsed: written after the verdict, the first 10,000, so that
// its sender can see why.
import { LIMITS, pipelineTopics, type StoredRun, type TopicRange } from '#contracts';
import { partitionForKey, type OutRecord } from '#kafka';
import type { KeptProducer } from '../runs/kept-producer.js';
import { readTypedFile } from './typed-file.js';

const SEND_RECORDS = 2_000;

export class RefusedRows {
  constructor(
    private readonly producer: KeptProducer,
    private readonly prefix: string,
    private readonly partitions: number,
  ) {}

  /** Where they stand in the dead-letter topic; null when the file had none (a wrong header, say). KafkaErrors. */
  async write(run: StoredRun, typedPath: string): Promise<TopicRange | null> {
    const topic = pipelineTopics(this.prefix, run.pipeline).deadLetter;
    const partition = partitionForKey(run.id, this.partitions);
    let range: TopicRange | null = null;
    for await (const records of this.batches(run.id, typedPath, topic, partition)) {
      const sent = await this.producer.send(records);
      const last = sent.at(-1)!;
      const from: string = range?.from ?? String(sent[0]!.baseOffset);
      range = { partition, from, to: String(last.baseOffset + BigInt(last.count)) };
    }
    return range;
  }

  private async *batches(
    run: string,
    typedPath: string,
    topic: string,
    partition: number,
  ): AsyncGenerator<OutRecord[]> {
    let left: number = LIMITS.deadLettersOfRefusedFile;
    let records: OutRecord[] = [];
    for await (const frames of readTypedFile(typedPath, 1)) {
      for (const frame of frames) {
        if (frame.partition !== null || left === 0) continue;
        left--;
        records.push({ topic, partition, key: run, value: frame.value });
        if (records.length < SEND_RECORDS) continue;
        yield records;
        records = [];
      }
      if (left === 0) break;
    }
    if (records.length > 0) yield records;
  }
}
