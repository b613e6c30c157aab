// Patch 4 against kafkajs' own encoder: byte for byte the same requests.
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { kafkaJsInternal } from '../kafkajs.js';
import { encodeProduce, patchProduceRequest, type ProduceArgs } from './produce-request.js';

interface Encoded {
  buffer: Buffer;
  buf: Buffer;
  size(): number;
}
type StockRequest = (args: ProduceArgs) => { encode(): Promise<Encoded> };
const stockRequest = kafkaJsInternal<StockRequest>('protocol/requests/produce/v7/request');
const Long = kafkaJsInternal<{ fromValue(value: string): { toString(): string } }>('utils/long');

const bytes = fc.oneof(
  fc.constant(null),
  fc.string({ maxLength: 300, unit: 'grapheme' }),
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
);
const header = fc.oneof(
  fc.string(),
  fc.uint8Array({ maxLength: 90 }).map((array) => Buffer.from(array)),
);
const message = fc.record(
  {
    key: bytes,
    value: bytes,
    timestamp: fc.bigInt({ min: 1n, max: 4_000_000_000_000n }).map(String),
    headers: fc.dictionary(fc.string(), fc.oneof(header, fc.array(header, { maxLength: 3 })), {
      noNullPrototype: true,
    }),
  },
  { requiredKeys: ['value'] },
);
const partition = fc.record({
  partition: fc.nat(1000),
  firstSequence: fc.nat(2 ** 31 - 1),
  messages: fc.array(message, { minLength: 1, maxLength: 8 }),
});
const request = fc.record({
  acks: fc.constantFrom(-1, 1),
  timeout: fc.nat(100_000),
  transactionalId: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
  producerId: fc.option(
    fc.bigInt({ min: -1n, max: 2n ** 62n }).map((id) => Long.fromValue(String(id))),
    {
      nil: undefined,
    },
  ),
  producerEpoch: fc.nat(32_767),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ unit: 'grapheme' }),
      partitions: fc.array(partition, { minLength: 1, maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

describe('the produce encoder patch', () => {
  beforeAll(() => {
    // Both encoders stamp messages without a timestamp with the time of encoding: it must be the same one.
    jest.spyOn(Date, 'now').mockReturnValue(1_700_000_000_123);
  });
  afterAll(() => {
    jest.restoreAllMocks();
  });

  it('writes the bytes that kafkajs writes', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (args) => {
        const stock = await stockRequest(args).encode();
        const ours = encodeProduce(args);
        expect(ours.buffer.equals(stock.buffer)).toBe(true);
        expect(ours.size()).toBe(stock.size());
      }),
      { numRuns: 300 },
    );
  });

  it('grows its buffer for a request above 1 MiB', async () => {
    const value = Buffer.alloc(700_000, 7);
    const partitions = [0, 1, 2].map((partition) => ({ partition, messages: [{ key: 'k', value }] }));
    const args: ProduceArgs = { acks: -1, timeout: 1000, topicData: [{ topic: 'big', partitions }] };
    const stock = await stockRequest(args).encode();
    expect(encodeProduce(args).buffer.equals(stock.buffer)).toBe(true);
  });

  it('hands out a copy, not the buffer that the next request overwrites', () => {
    const args = (value: string): ProduceArgs => ({
      acks: -1,
      timeout: 1,
      topicData: [{ topic: 't', partitions: [{ partition: 0, messages: [{ value }] }] }],
    });
    const first = encodeProduce(args('first'));
    const before = Buffer.from(first.buffer);
    encodeProduce(args('other'));
    expect(first.buffer.equals(before)).toBe(true);
  });

  it('takes the place of kafkajs for version 7 without compression, and of nothing else', async () => {
    patchProduceRequest();
    patchProduceRequest();
    const { protocol } = kafkaJsInternal<{
      protocol(definition: { version: number }): (args: ProduceArgs) => { request: { encode(): Promise<Encoded> } };
    }>('protocol/requests/produce');
    const args: ProduceArgs = {
      acks: -1,
      timeout: 1,
      topicData: [{ topic: 't', partitions: [{ partition: 0, messages: [{ value: 'v' }] }] }],
    };
    const isOurs = async (version: number, compression: number): Promise<boolean> =>
      // kafkajs' Encoder keeps a larger buffer than it has written; ours is cut to size.
      (await protocol({ version })({ ...args, compression }).request.encode()).buf.length ===
      encodeProduce(args).buffer.length;
    expect(await isOurs(7, 0)).toBe(true);
    expect(await isOurs(6, 0)).toBe(false);
    expect(await isOurs(7, 1)).toBe(false);
  });
});
