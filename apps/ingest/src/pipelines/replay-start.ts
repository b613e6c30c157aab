// Where a replay begins. While all rows are kept: at the beginning. Once retention has deleted some: behind the end of the
// first upload whose end every partition still has, so that no upload is read in part and all partitions begin alike.
import { decodeControl } from '#contracts';
import type { KafkaClient, KafkaRecord } from '#kafka';

type Reads = Pick<KafkaClient, 'offsets' | 'readPartition'>;

export interface ReplayStart {
  /** Offsets of `rows`, by partition. */
  from: bigint[];
  /** When the first row that is left was published, epoch ms; null: none is gone. */
  firstKeptMs: number | null;
}

export async function replayStart(client: Reads, rowsTopic: string): Promise<ReplayStart> {
  const logs = await client.offsets(rowsTopic);
  if (logs.every(({ start }) => start === 0n)) return { from: logs.map(({ start }) => start), firstKeptMs: null };
  const heads = await Promise.all(logs.map(({ partition }) => firstEnd(client, rowsTopic, partition, 0)));
  const sequence = Math.max(...heads.map((head) => head?.sequence ?? 0));
  const cuts = await Promise.all(logs.map(({ partition }) => firstEnd(client, rowsTopic, partition, sequence)));
  const from = cuts.map((cut, partition) => cut?.next ?? logs[partition]!.end);
  const kept = heads.flatMap((head) => (head === null ? [] : [head.firstMs]));
  return { from, firstKeptMs: kept.length === 0 ? 0 : Math.max(...kept) };
}

/** The first end of an upload from `sequence` on; null: the partition has none. */
async function firstEnd(client: Reads, topic: string, partition: number, sequence: number) {
  const found: { end: { sequence: number; next: bigint; firstMs: number } | null; firstMs: number | null } = {
    end: null,
    firstMs: null,
  };
  const onRecord = (record: KafkaRecord): void | false => {
    found.firstMs ??= record.timestampMs;
    const control = decodeControl(record);
    const isEnd = control?.kind === 'end-of-upload' || control?.kind === 'cancel-upload';
    if (!isEnd || control.sequence < sequence) return;
    found.end = { sequence: control.sequence, next: record.offset + 1n, firstMs: found.firstMs };
    return false;
  };
  await client.readPartition({ topic, partition, onRecord });
  return found.end;
}
