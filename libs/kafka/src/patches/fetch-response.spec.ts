// Patch 3 on fetch answers built of record batches: what an interleaving of producers, markers and compaction leaves.
import { kafkaJsInternal, type FetchedPartition } from '../kafkajs.js';
import { decodeFetchResponse } from './fetch-response.js';

interface Encoder {
  buffer: Buffer;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: string): Encoder;
  writeString(value: string): Encoder;
  writeBytes(value: Buffer): Encoder;
  writeBuffer(value: Buffer): Encoder;
}
interface BatchArgs {
  firstOffset: string;
  records: object[];
  lastOffsetDelta: number;
  producerId: string;
  transactional: boolean;
}
type MakeRecord = (args: { offsetDelta: number; key: Buffer | string | null; value: string | Buffer | null }) => object;

const EncoderClass = kafkaJsInternal<new () => Encoder>('protocol/encoder');
const { RecordBatch } = kafkaJsInternal<{ RecordBatch(args: BatchArgs): Promise<Encoder> }>('protocol/recordBatch/v0');
const makeRecord = kafkaJsInternal<MakeRecord>('protocol/recordBatch/record/v0');
const stockDecode = kafkaJsInternal<{ decode(data: Buffer): Promise<object> }>(
  'protocol/requests/fetch/v11/response',
).decode;
const filterAborted = kafkaJsInternal<
  (args: { messages: object[]; abortedTransactions: unknown[] }) => { key: Buffer | null; isControlRecord: boolean }[]
>('consumer/filterAbortedMessages');

const ATTRIBUTES_AT = 8 + 4 + 4 + 1 + 4;
const CONTROL_FLAG = 32;

interface BatchSpec {
  first: number;
  producer: number;
  keys: (string | Buffer | null)[];
  /** Default: as many as there are keys. More when compaction has removed records. */
  offsets?: number;
  isControl?: boolean;
  isPlain?: boolean;
}

async function batchOf({ first, producer, keys, offsets, isControl, isPlain }: BatchSpec): Promise<Buffer> {
  const records = keys.map((key, offsetDelta) => makeRecord({ offsetDelta, key, value: 'v' }));
  const batch = await RecordBatch({
    firstOffset: String(first),
    producerId: String(producer),
    records,
    lastOffsetDelta: (offsets ?? keys.length) - 1,
    transactional: isPlain !== true,
  });
  const buffer = Buffer.from(batch.buffer);
  if (isControl) buffer.writeInt16BE(buffer.readInt16BE(ATTRIBUTES_AT) | CONTROL_FLAG, ATTRIBUTES_AT);
  return buffer;
}

const rows = (first: number, producer: number, ...keys: string[]): Promise<Buffer> =>
  batchOf({ first, producer, keys });
const marker = (first: number, producer: number, type: 'abort' | 'commit'): Promise<Buffer> =>
  batchOf({ first, producer, keys: [Buffer.from([0, 0, 0, type === 'commit' ? 1 : 0])], isControl: true });

function answerOf(data: Buffer, aborted: [producer: number, first: number][]): Buffer {
  const encoder = new EncoderClass().writeInt32(0).writeInt16(0).writeInt32(0);
  encoder.writeInt32(1).writeString('t').writeInt32(1).writeInt32(0).writeInt16(0);
  encoder.writeInt64('100').writeInt64('100').writeInt64('0').writeInt32(aborted.length);
  for (const [producer, first] of aborted) encoder.writeInt64(String(producer)).writeInt64(String(first));
  return encoder.writeInt32(-1).writeBytes(data).buffer;
}

const partitionOf = (response: object): FetchedPartition => {
  const partition = (response as { responses: { partitions: FetchedPartition[] }[] }).responses[0]?.partitions[0];
  if (partition === undefined) throw new Error('no partition in the answer');
  return partition;
};
const keysOf = (records: { key: Buffer | null; isControlRecord: boolean }[]): (string | undefined)[] =>
  records.filter((record) => !record.isControlRecord).map((record) => record.key?.toString());

/** Keys that a consumer would see: stock kafkajs (its decoder and its filter), and ours (the filter has nothing to do). */
async function seenBy(decode: (data: Buffer) => Promise<object>, answer: Buffer): Promise<(string | undefined)[]> {
  const { messages, abortedTransactions } = partitionOf(await decode(answer));
  return keysOf(filterAborted({ messages, abortedTransactions }));
}

// Producers 1 and 2 interleave: both abort, 2 first, although 1 began first. 3 commits.
async function interleaved(): Promise<Buffer> {
  const batches = [
    rows(0, 1, 'a-aborted'),
    rows(1, 2, 'b-aborted'),
    rows(2, 3, 'c1'),
    rows(3, 1, 'a-aborted-2'),
    marker(4, 2, 'abort'),
    rows(5, 2, 'b-next'),
    marker(6, 1, 'abort'),
    marker(7, 2, 'commit'),
    rows(8, 3, 'c2'),
    marker(9, 3, 'commit'),
  ];
  return answerOf(Buffer.concat(await Promise.all(batches)), [
    [2, 1],
    [1, 0],
  ]);
}

describe('the fetch decoder patch', () => {
  it('is needed: stock kafkajs shows aborted rows of interleaved producers', async () => {
    expect(await seenBy(stockDecode, await interleaved())).toContain('a-aborted');
  });

  it('shows what is committed and nothing that was aborted', async () => {
    expect(await seenBy(decodeFetchResponse, await interleaved())).toEqual(['c1', 'b-next', 'c2']);
  });

  it('does not take a key of four zero bytes for an abort marker', async () => {
    const zeros = Buffer.alloc(4);
    const batches = await Promise.all([
      batchOf({ first: 0, producer: 1, keys: [zeros, 'after-the-zeros'] }),
      marker(2, 1, 'abort'),
      rows(3, 2, 'committed'),
      marker(4, 2, 'commit'),
    ]);
    const answer = answerOf(Buffer.concat(batches), [[1, 0]]);
    expect(await seenBy(stockDecode, answer)).toContain('after-the-zeros');
    expect(await seenBy(decodeFetchResponse, answer)).toEqual(['committed']);
  });

  it('keeps the rows of a producer outside of transactions', async () => {
    const plain = await batchOf({ first: 0, producer: 1, keys: ['plain'], isPlain: true });
    expect(await seenBy(decodeFetchResponse, answerOf(plain, [[1, 0]]))).toEqual(['plain']);
  });

  it('shows a position where compaction has left nothing (stock: nothing at all)', async () => {
    const emptied = await Promise.all([
      batchOf({ first: 10, producer: 1, keys: [], offsets: 5 }),
      batchOf({ first: 15, producer: 1, keys: [], offsets: 3 }),
    ]);
    const answer = answerOf(Buffer.concat(emptied), []);
    expect(partitionOf(await stockDecode(answer)).messages).toEqual([]);
    const { messages } = partitionOf(await decodeFetchResponse(answer));
    expect(messages.map(({ offset, isControlRecord }) => ({ offset, isControlRecord }))).toEqual([
      { offset: '17', isControlRecord: true },
    ]);
  });

  it('shows the position behind records that were compacted or aborted away at the end', async () => {
    const batches = await Promise.all([
      batchOf({ first: 0, producer: 2, keys: ['kept'], offsets: 4 }),
      rows(4, 1, 'aborted', 'aborted'),
    ]);
    const { messages } = partitionOf(await decodeFetchResponse(answerOf(Buffer.concat(batches), [[1, 4]])));
    expect(keysOf(messages)).toEqual(['kept']);
    expect(messages.at(-1)?.offset).toBe('5');
  });

  it('ends at a batch that is cut off, and reads it with the next fetch', async () => {
    const whole = await rows(0, 1, 'whole');
    const cut = (await rows(1, 1, 'cut', 'off', 'by the size of the fetch, which ends here')).subarray(0, 80);
    const { messages } = partitionOf(await decodeFetchResponse(answerOf(Buffer.concat([whole, cut]), [])));
    expect(messages.map(({ offset }) => offset)).toEqual(['0']);
  });

  it('gives everything else as kafkajs gives it', async () => {
    const answer = answerOf(await rows(0, 1, 'x', 'y'), []);
    expect(await decodeFetchResponse(answer)).toEqual(await stockDecode(answer));
  });
});
