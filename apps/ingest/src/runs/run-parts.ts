// What is too large for a run's own record (a rehearsal's result and diff) goes to `run-parts` in bounded pieces.
import { LIMITS, sharedTopics, type TopicRange } from '#contracts';
import type { KafkaClient, PlainProducer } from '#kafka';

export class RunParts {
  private producer: Promise<PlainProducer> | null = null;

  constructor(
    private readonly client: KafkaClient,
    private readonly prefix: string,
  ) {}

  /** Writes `document` as JSON under the run's id, in pieces; answers where they stand. */
  async write(run: string, document: object): Promise<TopicRange> {
    const bytes = Buffer.from(JSON.stringify(document));
    const topic = sharedTopics(this.prefix).runParts;
    this.producer ??= this.client.openProducer();
    const producer = await this.producer;
    let from: bigint | null = null;
    let to = 0n;
    for (let at = 0; at < bytes.length; at += LIMITS.runPartBytes) {
      const value = bytes.subarray(at, at + LIMITS.runPartBytes);
      const [sent] = await producer.send([{ topic, partition: 0, key: run, value }]);
      from ??= sent!.baseOffset;
      to = sent!.baseOffset + 1n;
    }
    return { partition: 0, from: String(from ?? 0n), to: String(to) };
  }

  /** The document again; null when its records have been deleted by retention. */
  async read(run: string, range: TopicRange): Promise<object | null> {
    const pieces: Buffer[] = [];
    await this.client.readPartition({
      topic: sharedTopics(this.prefix).runParts,
      partition: range.partition,
      from: BigInt(range.from),
      to: BigInt(range.to),
      onRecord: (record) => {
        if (record.key?.toString() === run && record.value) pieces.push(record.value);
      },
    });
    try {
      return JSON.parse(Buffer.concat(pieces).toString()) as object;
    } catch {
      return null;
    }
  }

  async close(): Promise<void> {
    await (await this.producer)?.close();
  }
}
