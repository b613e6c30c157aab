import { decodeControl, pipelineTopics, type UploadProgress } from '#contracts';
import type { OutRecord } from '#kafka';
import { Batch } from './publisher.js';
import type { TypedFrame } from './typed-file.js';

const topics = pipelineTopics('c', 'p');
const before: UploadProgress = {
  next_row: 1,
  published: 0,
  rejected: 0,
  sequence: 7,
  stream_time: null,
  rows_in_partition: [0, 0, 0],
  ended: false,
  dead_letters: null,
};
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
