// What is too large for a run's own record (a rehearsal's result and diff) goes to `run-parts` in bounded pieces.
import { LIMITS, sharedTopics, type TopicRange } from '#contracts';
import type { KafkaClient } from '#kafka';
import type { KeptProducer } from './kept-producer.js';

/** A reader waits this long for Kafka before it is told that Kafka is away. */
const READ_MS = 10_000;

export class RunParts {
  constructor(
    private readonly client: KafkaClient,
    private readonly producer: KeptProducer,
    private readonly prefix: string,
  ) {}

  /** Writes `document` as JSON under the run's id, in pieces; answers where they stand. Throws a KafkaError. */
  async write(run: string, document: object): Promise<TopicRange> {
    const bytes = Buffer.from(JSON.stringify(document));
    const topic = sharedTopics(this.prefix).runParts;
    let from: bigint | null = null;
    let to = 0n;
    for (let at = 0; at < bytes.length; at += LIMITS.runPartBytes) {
      const value = bytes.subarray(at, at + LIMITS.runPartBytes);
      const [sent] = await this.producer.send([{ topic, partition: 0, key: run, value }]);
      from ??= sent!.baseOffset;
      to = sent!.baseOffset + 1n;
    }
    return { partition: 0, from: String(from ?? 0n), to: String(to) };
  }

  /** The document again; null when its records have been deleted by retention. Throws a KafkaError. */
  async read(run: string, range: TopicRange): Promise<object | null> {
    const pieces: Buffer[] = [];
    await this.client.readPartition({
      topic: sharedTopics(this.prefix).runParts,
      partition: range.partition,
      from: BigInt(range.from),
      to: BigInt(range.to),
      signal: AbortSignal.timeout(READ_MS),
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
}
