// Where keys go: the vectors of Kafka's own UtilsTest, and agreement with kafkajs' (slow) port.
import fc from 'fast-check';
import { kafkaJsInternal } from './kafkajs.js';
import { murmur2, partitionForKey } from './partition-for-key.js';

const kafkaJsMurmur2 = kafkaJsInternal<(key: Buffer) => number>('producer/partitioners/default/murmur2');

describe('partitionForKey', () => {
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as Java does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it('agrees with kafkajs on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(murmur2(Buffer.from(bytes))).toBe(kafkaJsMurmur2(Buffer.from(bytes)));
      }),
    );
  });

  it('takes text as UTF-8 and stays within the partitions', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 64 }), (key, partitions) => {
        const partition = partitionForKey(key, partitions);
        expect(partition).toBe(partitionForKey(Buffer.from(key), partitions));
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(partitions);
      }),
    );
  });

  it('refuses a topic without partitions', () => {
    expect(() => partitionForKey('k', 0)).toThrow(RangeError);
  });
});
