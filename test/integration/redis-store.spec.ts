// Reads of libs/redis on a real Redis, and a property: whatever order versions arrive in, and however often, the newest stays.
import type { View } from '#contracts';
import { openRedis, type FeatureWrite, type RedisStore } from '#redis';
import fc from 'fast-check';
import { Redis } from '../../libs/redis/src/testing.js';
import { markerText, newMarker, SpecWriter, write } from './redis-features.js';
import { randomName, sharedRedisUrl } from './redis-server.js';

const url = sharedRedisUrl(7);
const redis = new Redis(url);
let store: RedisStore;
let key = '';

beforeAll(async () => {
  store = await openRedis({ url, name: 'spec-store' });
});
beforeEach(() => {
  key = randomName('key');
});
afterAll(async () => {
  await store.close();
  redis.disconnect();
});

describe('reading', () => {
  it('gives a hash without a prototype, or null', async () => {
    await redis.call('HSET', key, '__proto__', 'p', 'constructor', 'c', 'n', '1');
    const hash = await store.readHash(key);
    expect(Object.getPrototypeOf(hash)).toBeNull();
    expect(Object.entries(hash!)).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['n', '1'],
    ]);
    expect(await store.readHash(`${key}-none`)).toBeNull();
  });

  it('of another type is an error that says so', async () => {
    await redis.set(key, 'text');
    await expect(store.readHash(key)).rejects.toMatchObject({
      name: 'RedisError',
      code: 'redis_wrong_type',
      retriable: false,
    });
  });

  it('of many keys tells each apart, in their order', async () => {
    await redis.set(`${key}1`, 'text');
    const many = Array.from({ length: 2_100 }, (_, at) => `${key}-${at}`);
    await redis.hset(many[2_050]!, { n: '7' });
    const hashes = await store.readHashes([`${key}1`, ...many]);
    expect(hashes).toHaveLength(2_101);
    expect(hashes[0]).toBe('wrong_type');
    expect(hashes[2_051]).toEqual(new Map([['n', '7']]));
    expect(hashes.filter((hash) => hash !== null)).toHaveLength(2);
    expect(await store.readHashes([])).toEqual([]);
  });

  it('of a marker that Caudal did not write gives none', async () => {
    const marker = newMarker();
    await redis.hset(markerText(marker), { offset: 'x' });
    expect(await store.readMarker(marker)).toBeNull();
  });
});

describe('scanning a view', () => {
  const view = (name: string, template: string): View => ({
    name,
    groupBy: ['cidade'],
    window: { type: 'upload' },
    features: [],
    redis: { key: template, ttlMs: null },
  });

  async function scanned(pipeline: string, name: string, template: string): Promise<string[]> {
    const found = new Set<string>();
    for await (const keys of store.scanView({ pipeline, view: view(name, template) }))
      for (const one of keys) found.add(one);
    return [...found].sort();
  }

  it('finds the keys of that view, and none of another view, type or pattern', async () => {
    const owner = `${key}/v`;
    for (let at = 0; at < 1_500; at += 500) {
      const pipeline = redis.pipeline();
      for (let n = at; n < at + 500; n++) pipeline.hset(`${key}:[x]*:city${n}`, { _view: owner });
      await pipeline.exec();
    }
    await redis.hset(`${key}:[x]*:other`, { _view: `${key}/w` });
    await redis.hset(`${key}:[x]*:old`, { n: '1' });
    await redis.set(`${key}:[x]*:text`, 'text');
    await redis.hset(`${key}:x-:city`, { _view: owner });
    const found = await scanned(key, 'v', `${key}:[x]*:{cidade}`);
    expect(found).toHaveLength(1_500);
    expect(found).toContain(`${key}:[x]*:city1499`);
    expect(await scanned(key, 'none', `${key}:[x]*:{cidade}`)).toEqual([]);
  });

  it('fills in view and pipeline', async () => {
    await redis.hset(`${key}|v|a`, { _view: `${key}/v` });
    await redis.hset(`${key}|other|a`, { _view: `${key}/v` });
    expect(await scanned(key, 'v', '{pipeline}|{view}|{cidade}')).toEqual([`${key}|v|a`]);
  });
});

describe('any order of versions', () => {
  // Versions of one key as a log would hold them; each writer delivers some of them, in any order, any number of times.
  const version = fc.record({ offset: fc.nat(11), generation: fc.nat(1) });
  const isNewer = (a: { offset: number; generation: number }, b: { offset: number; generation: number }) =>
    a.generation === b.generation ? a.offset > b.offset : a.generation > b.generation;
  // What a version says follows from the version: a repeat says the same. Every fifth is a retraction.
  const contents = (offset: number, generation: number): Partial<FeatureWrite> => ({
    features: (offset + generation) % 5 === 4 ? null : { soma: `${generation}.${offset}`, [`only${offset % 3}`]: 1 },
  });

  it('ends in the newest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(version, { maxLength: 4 }), { minLength: 1, maxLength: 8 }),
        async (batches) => {
          const target = randomName('key');
          const writers = [0, 1].map((generation) => new SpecWriter(store, newMarker(), generation));
          let newest: { offset: number; generation: number } | null = null;
          for (const versions of batches) {
            for (const writer of writers) {
              const own = versions.filter(({ generation }) => generation === writer.generation);
              await writer.upsert(
                ...own.map(({ offset }) => write(target, offset, contents(offset, writer.generation))),
              );
              for (const one of own) if (newest === null || isNewer(one, newest)) newest = one;
            }
          }
          const hash = await redis.hgetall(target);
          const expected = newest === null ? null : contents(newest.offset, newest.generation).features;
          if (expected === null || expected === undefined) expect(hash).toEqual({});
          else {
            expect(hash).toMatchObject({ soma: expected.soma, _revision: String(newest!.offset) });
            expect(hash._generation).toBe(String(newest!.generation));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('of windows, read in order and again from any earlier place, ends as one reading does', async () => {
    const log = fc.array(fc.nat(3), { minLength: 1, maxLength: 10 });
    const readings = fc.array(fc.record({ from: fc.nat(10), length: fc.nat(10) }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(log, readings, async (windowStarts, again) => {
        const target = randomName('key');
        const records = windowStarts.map((startMs, offset) =>
          write(target, offset, { newestWindowOnly: true, window: { startMs, endMs: startMs + 1 } }),
        );
        const writer = new SpecWriter(store);
        let read = 0;
        for (const { from, length } of [...again, { from: read, length: records.length }]) {
          const start = Math.min(from, read);
          await writer.upsert(...records.slice(start, start + length));
          read = Math.max(read, Math.min(start + length, records.length));
        }
        // In order, a record gives way only to a newer window: what stays is the last record of the newest one.
        const expected = windowStarts.lastIndexOf(Math.max(...windowStarts));
        expect(await redis.hget(target, '_revision')).toBe(String(expected));
      }),
      { numRuns: 100 },
    );
  });
});
