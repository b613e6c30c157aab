// The batch decoder against kafkajs' own on random batches: same records, field by field.
import fc from 'fast-check';
import { kafkaJsInternal } from '../kafkajs.js';
import { decodeRecords } from './fetch-response.js';

interface Encoder {
  buffer: Buffer;
}
type Decode = (decoder: object) => Promise<{ records: object[] }>;
const DecoderClass = kafkaJsInternal<new (data: Buffer) => object>('protocol/decoder');
const decodeBatch = kafkaJsInternal<Decode>('protocol/recordBatch/v0/decoder');
const { RecordBatch } = kafkaJsInternal<{ RecordBatch(args: object): Promise<Encoder> }>('protocol/recordBatch/v0');
const makeRecord = kafkaJsInternal<(args: object) => object>('protocol/recordBatch/record/v0');

const bytes = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
  fc.string(),
);
const header = fc.oneof(fc.string(), fc.array(fc.string(), { minLength: 1, maxLength: 3 }));
const record = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.dictionary(
    fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
    header,
    { maxKeys: 3 },
  ),
  timestampDelta: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
});

const GZIP = 1;

describe('readBatchRecords', () => {
  it('leaves a compressed batch to kafkajs and its codecs', async () => {
    const records = ['a', 'b'].map((key, offsetDelta) => makeRecord({ key, value: 'v', offsetDelta }));
    const { buffer } = await RecordBatch({ firstOffset: '5', lastOffsetDelta: 1, records, compression: GZIP });
    const found = await decodeRecords(Buffer.from(buffer), []);
    expect(found.map(({ key, offset }) => [key?.toString(), offset])).toEqual([
      ['a', '5'],
      ['b', '6'],
    ]);
  });

  it('gives what kafkajs gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 20 }),
        fc.bigInt({ min: 0n, max: 2n ** 50n }),
        fc.integer({ min: 0, max: 2 ** 41 }),
        fc.boolean(),
        async (specs, firstOffset, firstTimestamp, transactional) => {
          const records = specs.map((spec, offsetDelta) => makeRecord({ ...spec, offsetDelta }));
          const { buffer } = await RecordBatch({
            firstOffset: String(firstOffset),
            firstTimestamp,
            maxTimestamp: firstTimestamp,
            producerId: '7',
            producerEpoch: 3,
            firstSequence: 11,
            lastOffsetDelta: records.length - 1,
            records,
            transactional,
          });
          const theirs = await decodeBatch(new DecoderClass(Buffer.from(buffer)));
          expect(await decodeRecords(Buffer.from(buffer), [])).toEqual(theirs.records);
        },
      ),
      { numRuns: 300 },
    );
  });
});
