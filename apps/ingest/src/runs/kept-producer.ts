// A producer that is opened at its first send and kept; after an error it is never used again, the next send opens anew.
import type { KafkaClient, OutRecord, PlainProducer, SentRange } from '#kafka';

export class KeptProducer {
  private producer: Promise<PlainProducer> | null = null;

  constructor(private readonly client: KafkaClient) {}

  /** Resolves when Kafka has all of it. Throws a KafkaError: what was sent before it may be there or not. */
  async send(records: readonly OutRecord[]): Promise<SentRange[]> {
    this.producer ??= this.client.openProducer();
    const opening = this.producer;
    try {
      return await (await opening).send(records);
    } catch (error) {
      if (this.producer === opening) this.producer = null;
      await closeQuietly(opening);
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.producer) await closeQuietly(this.producer);
  }
}

async function closeQuietly(opening: Promise<PlainProducer>): Promise<void> {
  const producer = await opening.catch(() => null);
  await producer?.close();
}
