// Cutting sends into requests: nothing lost, nothing reordered, no batch too large.
import fc from 'fast-check';
import type { OutRecord } from './records.js';
import { BATCH_BYTES_MAX, recordBytes, REQUEST_RECORDS_MAX, splitRecords } from './split-records.js';

const record = (partition: number, bytes: number): OutRecord => ({
  topic: 't',
  partition,
  key: null,
  value: Buffer.alloc(bytes),
});

describe('splitRecords', () => {
  it('keeps all records in order, within both limits', () => {
    const records = fc.array(
      fc.record({ partition: fc.nat(2), bytes: fc.oneof(fc.nat(10), fc.nat(400_000), fc.constant(900_000)) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(records, (specs) => {
        const all = specs.map(({ partition, bytes }) => record(partition, bytes));
        const pieces = [...splitRecords(all)];
        expect(pieces.flat()).toEqual(all);
        for (const piece of pieces) {
          expect(piece.length).toBeGreaterThan(0);
          for (const partition of [0, 1, 2]) {
            const batch = piece.filter((one) => one.partition === partition);
            const bytes = batch.reduce((sum, one) => sum + recordBytes(one), 0);
            expect(batch.length <= 1 || bytes <= BATCH_BYTES_MAX).toBe(true);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('ends a piece after 4000 records', () => {
    const all = Array.from({ length: 2 * REQUEST_RECORDS_MAX + 1 }, () => record(0, 1));
    expect([...splitRecords(all)].map(({ length }) => length)).toEqual([4000, 4000, 1]);
  });

  it('counts topics apart, and headers in', () => {
    const large = { ...record(0, 300_000), headers: { h: 'x'.repeat(300_000) } };
    expect([...splitRecords([large, { ...large, topic: 'u' }])]).toHaveLength(1);
    expect([...splitRecords([large, large])]).toHaveLength(2);
  });

  it('sends a record above the limit alone', () => {
    const pieces = [...splitRecords([record(0, 1), record(0, 900_000), record(0, 1)])];
    expect(pieces.map(({ length }) => length)).toEqual([1, 1, 1]);
  });

  it('makes no request of nothing', () => {
    expect([...splitRecords([])]).toEqual([]);
  });
});
