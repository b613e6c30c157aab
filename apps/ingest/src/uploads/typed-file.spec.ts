import fc from 'fast-check';
import { appendFile, mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTypedFile, TypedFileWriter, type TypedFrame } from './typed-file.js';

describe('typed file', () => {
  let dir: string;
  let path: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-typed-'));
    path = join(dir, 'typed');
  });
  afterAll(() => rm(dir, { recursive: true }));

  type Written = { row: number; partition: number | null; time: number; key: string; value: string };
  const write = async (frames: readonly Written[], flushEvery = 0) => {
    const writer = await TypedFileWriter.create(path);
    for (const [i, { partition, row, time, key, value }] of frames.entries()) {
      if (partition === null) writer.rejected(row, value);
      else writer.accepted(partition, row, time, key, value);
      if (flushEvery > 0 && i % flushEvery === 0) await writer.flush();
    }
    await writer.close();
  };
  const read = async (fromRow = 1): Promise<Written[]> => {
    const frames: TypedFrame[] = [];
    for await (const chunk of readTypedFile(path, fromRow)) frames.push(...chunk);
    return frames.map((frame) => ({ ...frame, key: frame.key.toString(), value: frame.value.toString() }));
  };

  it('gives back what was written, whatever the text', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 50 });
    const frame = fc.oneof(
      fc.record({
        partition: fc.nat(999),
        time: fc.integer({ min: -1e15, max: 1e15 }),
        key: text,
        value: text,
      }),
      fc.record({ partition: fc.constant(null), time: fc.constant(0), key: fc.constant(''), value: text }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 30 }), fc.nat(5), async (made, flushEvery) => {
        const frames = made.map((one, i) => ({ ...one, row: i + 1 }));
        await write(frames, flushEvery);
        expect(await read()).toEqual(frames);
      }),
      { numRuns: 50 },
    );
  });

  it('reads frames that lie across its chunks, and frames larger than one', async () => {
    const frames = [700_000, 3, 2_500_000, 900_000, 1].map((size, i) => ({
      row: i + 1,
      partition: i,
      time: i,
      key: `k${i}`,
      value: 'ã'.repeat(size),
    }));
    await write(frames);
    expect(await read()).toEqual(frames);
  });

  it('goes on at a row', async () => {
    const frames = Array.from({ length: 10 }, (_, i) => ({
      row: i + 1,
      partition: 0,
      time: 0,
      key: '',
      value: `${i}`,
    }));
    await write(frames);
    expect((await read(8)).map((frame) => frame.row)).toEqual([8, 9, 10]);
    expect(await read(11)).toEqual([]);
  });

  it('says so when the file ends within a frame', async () => {
    await write([{ row: 1, partition: 0, time: 0, key: 'k', value: 'value' }]);
    await truncate(path, 31);
    await expect(read()).rejects.toThrow('ends within a frame');
    await truncate(path, 0);
    await appendFile(path, 'x');
    await expect(read()).rejects.toThrow('ends within a frame');
  });
});
