import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeControl, pipelineTopics, type Pipeline, type UploadProgress } from '#contracts';
import { KafkaError, type KafkaRecord, type OutRecord } from '#kafka';
import { FakeKafka } from '../../../../test/harness/fake-kafka.js';
import { Batch, Publisher } from './publisher.js';
import { TypedFileWriter, type TypedFrame } from './typed-file.js';

const topics = pipelineTopics('c', 'p');
const before: UploadProgress = {
  next_row: 1,
  published: 0,
  rejected: 0,
  sequence: 7,
  order: 'any',
  stream_time: null,
  rows_in_partition: [0, 0, 0],
  ended: false,
  dead_letters: null,
};
/** A pipeline `p`, as far as a publisher looks at it. */
const pipelineOf = (order: 'any' | 'event_time'): Pipeline =>
  ({ name: 'p', order, key: ['k'], columns: [], views: [], text: '' }) as unknown as Pipeline;

const frame = (row: number, partition: number | null, time = 0): TypedFrame => ({
  row,
  partition,
  time,
  key: Buffer.from('k'),
  value: Buffer.from('value'),
});
const controlsOf = (records: readonly OutRecord[]) =>
  records.flatMap(({ key, value, headers }) => {
    const bytes = Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, Buffer.from(text)]));
    const control = decodeControl({ key: key as Buffer | null, value: Buffer.from(value!), headers: bytes });
    return control ? [control] : [];
  });

describe('Batch', () => {
  it('counts what it carries, and leaves the progress it began with alone', () => {
    const batch = new Batch(before);
    for (const one of [frame(1, 2, 50), frame(2, null), frame(3, 2, 20), frame(4, 0, 40)])
      batch.add(one, topics, 'R', 3);
    expect(batch.progressAfter([], topics.deadLetter)).toEqual({
      ...before,
      next_row: 5,
      published: 3,
      rejected: 1,
      stream_time: 50,
      rows_in_partition: [1, 0, 2],
    });
    expect(batch.records.map((record) => record.topic)).toEqual([
      topics.rows,
      topics.deadLetter,
      topics.rows,
      topics.rows,
    ]);
    expect([batch.records[1]!.key, batch.bytes]).toEqual(['R', 24]);
    expect(before.rows_in_partition).toEqual([0, 0, 0]);
  });

  it('tells every partition of the end, also those without a row', () => {
    const batch = new Batch({ ...before, rows_in_partition: [4, 0, 1], published: 5, stream_time: 9 });
    batch.end(topics, 'R', 6);
    expect(batch.records.map((record) => record.partition)).toEqual([0, 1, 2]);
    expect(controlsOf(batch.records)).toEqual(
      [4, 0, 1].map((rowsInPartition) => ({
        kind: 'end-of-upload',
        upload: 'R',
        row: 6,
        streamTime: 9,
        rowsInPartition,
        rowsTotal: 5,
        sequence: 7,
      })),
    );
    expect(batch.progressAfter([], topics.deadLetter).ended).toBe(true);
  });

  it('keeps where the dead letters stand, from the first transaction to the last', () => {
    const sent = (baseOffset: bigint, count: number, topic = topics.deadLetter) => ({
      topic,
      partition: 1,
      baseOffset,
      count,
    });
    const first = new Batch(before).progressAfter(
      [sent(3n, 9, topics.rows), sent(10n, 2), sent(12n, 1)],
      topics.deadLetter,
    );
    expect(first.dead_letters).toEqual({ partition: 1, from: '10', to: '13' });
    expect(new Batch(first).progressAfter([], topics.deadLetter).dead_letters).toEqual(first.dead_letters);
    const later = new Batch(first).progressAfter([sent(40n, 5)], topics.deadLetter);
    expect(later.dead_letters).toEqual({ partition: 1, from: '10', to: '45' });
  });
});

describe('Publisher', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-publisher-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  const PARTITIONS = 3;
  /** Row n is dated n, but for one that is dated far ahead; every seventh is rejected; few fit one transaction. */
  const typedFile = async (rows: number): Promise<string> => {
    const path = join(dir, 'typed');
    const writer = await TypedFileWriter.create(path);
    for (let row = 1; row <= rows; row++) {
      if (row % 7 === 0) writer.rejected(row, '{}');
      else
        writer.accepted(
          row % PARTITIONS,
          row,
          row === 1_200 ? 50_000 : row,
          'k',
          `{"_row":${row},"x":"${'x'.repeat(5_000)}"}`,
        );
      if (writer.pendingBytes > 1 << 20) await writer.flush();
    }
    await writer.close();
    return path;
  };

  /** Publishes; dies at each of these points and is opened again. What rows holds, per partition. */
  async function published(
    typedPath: string,
    order: 'any' | 'event_time',
    deaths: readonly ('commit' | 'committed')[],
  ) {
    const kafka = new FakeKafka();
    const left = [...deaths];
    const args = { run: 'R', typedPath, sequence: 1, read: 3_500, createdAt: '', onProgress: () => undefined };
    for (;;) {
      const client = kafka.client();
      const publisher = new Publisher({
        client,
        prefix: 'c',
        pipeline: pipelineOf(order),
        partitions: PARTITIONS,
        now: () => 1,
      });
      await publisher.open();
      kafka.onPoint = (point) => {
        if (point !== left[0]) return;
        left.shift();
        throw new KafkaError('kafka_unavailable', 'a fault', { retriable: true });
      };
      const done = await publisher.publish(args).catch(() => null);
      kafka.onPoint = () => undefined;
      if (done) break;
    }
    expect(left).toEqual([]);
    const textOf = ({ value, headers }: KafkaRecord) =>
      headers.caudal ? `${headers.caudal} ${value}` : JSON.parse(value!.toString())._row;
    return Array.from({ length: PARTITIONS }, (_, partition) => kafka.log(topics.rows, partition).map(textOf));
  }

  it('with order event_time tells every partition how far time is behind every 1,000 records, whatever crashes', async () => {
    const path = await typedFile(3_500);
    const calm = await published(path, 'event_time', []);
    for (const log of calm) {
      const controls = log.filter((text) => typeof text === 'string');
      expect(controls.map((text) => text.replace(/ \{.*"row":(\d+),"stream_time":(\d+).*/, ' $1 $2'))).toEqual([
        'watermark 1000 1000',
        'watermark 2000 50000',
        'watermark 3000 50000',
        'end-of-upload 3500 50000',
      ]);
      const first = log.indexOf(controls[0]!);
      expect(
        log.slice(0, first).every((row) => row <= 1_000) && log.slice(first + 1).every((row) => !(row <= 1_000)),
      ).toBe(true);
    }
    expect(await published(path, 'event_time', ['committed', 'commit', 'commit', 'committed', 'committed'])).toEqual(
      calm,
    );
    const any = await published(path, 'any', []);
    expect(any).toEqual(calm.map((log) => log.filter((text) => !String(text).startsWith('watermark'))));
  });
});
