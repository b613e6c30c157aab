// What a real Kafka answers is shown in test/e2e/aggregator-behind.spec.ts.
import { readFileSync } from 'node:fs';
import { parsePipelineFile } from '#contracts';
import type { KafkaRecord } from '#kafka';
import { AggregatorLag, type AggregatorLagOptions } from './aggregator-lag.js';

const pipeline = parsePipelineFile(readFileSync('pipelines/empresas.yaml', 'utf8'), 'empresas.yaml');
const { rowsMs } = pipeline.retention;

describe('AggregatorLag', () => {
  let now: number;
  /** Timestamps of the rows, by partition, and how many of them are read. */
  let rows: number[][];
  let read: Map<number, bigint>;
  let lag: AggregatorLag;
  beforeEach(() => {
    now = 1e12;
    rows = [[], []];
    read = new Map();
    const client: AggregatorLagOptions['client'] = {
      offsets: async () => rows.map((one, partition) => ({ partition, start: 0n, end: BigInt(one.length) })),
      committedOffsets: async () => read,
      readPartition: async ({ partition, from, onRecord }) => {
        onRecord({ timestampMs: rows[partition]![Number(from)] } as KafkaRecord);
        return { next: 0n, records: 1 };
      },
    };
    const log = { warn: () => undefined, info: () => undefined };
    const { signal: stop } = new AbortController();
    lag = new AggregatorLag({ client, prefix: 'p', pipelines: [pipeline], now: () => now, stop, log });
  });
  const isBehind = async () => {
    await lag.look(pipeline);
    return lag.isBehind('empresas');
  };

  it('is behind while the oldest unread row of any partition is older than four fifths of the retention', async () => {
    expect(await isBehind()).toBe(false);
    rows = [[now, now], [now - rowsMs * 0.79]];
    expect(await isBehind()).toBe(false);
    now += rowsMs * 0.02;
    expect(await isBehind()).toBe(true);
    read.set(1, 1n);
    expect(await isBehind()).toBe(false);
  });

  it('does not count rows that are read, however old', async () => {
    rows = [[now - 10 * rowsMs, now], []];
    read.set(0, 1n);
    expect(await isBehind()).toBe(false);
    read.delete(0);
    expect(await isBehind()).toBe(true);
  });
});
