import fc from 'fast-check';
import { kafkaJsInternal } from '../kafkajs.js';
import { crc32c } from './crc32c.js';

const theirs = kafkaJsInternal<(bytes: Buffer) => number>('protocol/recordBatch/crc32C');

describe('crc32c', () => {
  it('gives the values of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.alloc(0))).toBe(0);
  });

  it('gives what kafkajs gives, for every length and place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 20 }), (array, from) => {
        const bytes = Buffer.from(array).subarray(from);
        expect(crc32c(bytes)).toBe(theirs(bytes) >>> 0);
      }),
    );
  });
});
