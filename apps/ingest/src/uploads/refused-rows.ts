// Dead letters of a refused file: written after the verdict, the first 10,000, so that its sender can see why.
import { LIMITS, pipelineTopics, type StoredRun, type TopicRange } from '#contracts';
import { partitionForKey, type KafkaClient, type OutRecord, type PlainProducer } from '#kafka';
import { readTypedFile } from './typed-file.js';

const SEND_RECORDS = 2_000;

export class RefusedRows {
  private producer: Promise<PlainProducer> | null = null;

  constructor(
    private readonly client: KafkaClient,
    private readonly prefix: string,
    private readonly partitions: number,
  ) {}

  /** Where they stand in the dead-letter topic; null when the file had none (a wrong header, say). */
  async write(run: StoredRun, typedPath: string): Promise<TopicRange | null> {
    const topic = pipelineTopics(this.prefix, run.pipeline).deadLetter;
    const partition = partitionForKey(run.id, this.partitions);
    let range: TopicRange | null = null;
    let left: number = LIMITS.deadLettersOfRefusedFile;
    let records: OutRecord[] = [];
    const send = async () => {
      if (records.length === 0) return;
      this.producer ??= this.client.openProducer();
      const sent = await (await this.producer).send(records);
      const last = sent.at(-1)!;
      range = {
        partition,
        from: range?.from ?? String(sent[0]!.baseOffset),
        to: String(last.baseOffset + BigInt(last.count)),
      };
      records = [];
    };
    for await (const frames of readTypedFile(typedPath, 1)) {
      for (const frame of frames) {
        if (frame.partition !== null || left === 0) continue;
        left--;
        records.push({ topic, partition, key: run.id, value: frame.value });
        if (records.length === SEND_RECORDS) await send();
      }
      if (left === 0) break;
    }
    await send();
    return range;
  }

  async close(): Promise<void> {
    await (await this.producer)?.close();
  }
}
