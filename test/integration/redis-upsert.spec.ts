// The upsert script on a real Redis: what each status means, which guards hold, and how the marker counts.
import { openRedis, type RedisStore } from '#redis';
import { Redis } from '../../libs/redis/src/testing.js';
import { GENERATION, markerText, newMarker, OWNER, SpecWriter, write } from './redis-features.js';
import { randomName, sharedRedisUrl } from './redis-server.js';

const url = sharedRedisUrl(7);
const redis = new Redis(url);
let store: RedisStore;
let writer: SpecWriter;
let key = '';

beforeAll(async () => {
  store = await openRedis({ url });
});
beforeEach(() => {
  key = randomName('key');
  writer = new SpecWriter(store);
});
afterAll(async () => {
  await store.close();
  redis.disconnect();
});

const DAY_MS = 86_400_000;
const day = (n: number) => ({ startMs: n * DAY_MS, endMs: (n + 1) * DAY_MS });

describe('a written feature', () => {
  it('is a hash of texts with owner, version, time and run, for ever', async () => {
    const features = { n: 3, soma: '65000', media: '0.3' };
    expect(await writer.statuses(write(key, 0, { features }))).toEqual(['written']);
    expect(await redis.hgetall(key)).toEqual({
      n: '3',
      soma: '65000',
      media: '0.3',
      _view: OWNER,
      _generation: String(GENERATION),
      _revision: '0',
      _updated_at: '1700000000000',
      _upload: 'run-1',
    });
    expect(await redis.pttl(key)).toBe(-1);
  });

  it('of a time window holds the window, before 1970 too', async () => {
    await writer.upsert(write(key, 0, { window: day(-2) }));
    expect(await redis.hmget(key, '_window_start', '_window_end')).toEqual([String(-2 * DAY_MS), String(-DAY_MS)]);
  });

  it('loses the window fields when its view is no time window any more', async () => {
    await writer.upsert(write(key, 0, { window: day(1) }), write(key, 1));
    expect(await redis.hmget(key, '_window_start', '_window_end')).toEqual([null, null]);
  });

  it('loses a feature that has become null and keeps the others', async () => {
    await writer.upsert(write(key, 0, { features: { n: 1, media: '2' } }));
    await writer.upsert(write(key, 1, { features: { n: 0, media: null } }));
    expect(await redis.hmget(key, 'n', 'media')).toEqual(['0', null]);
  });

  it('keeps names and values exactly, however strange', async () => {
    const features = { __proto__x: 'a\r\nb', constructor: 'é\u0000ü', '': '{}' };
    await writer.upsert(write(`${key}:São Paulo \u{1F30E}`, 0, { features }));
    expect(await store.readHash(`${key}:São Paulo \u{1F30E}`)).toMatchObject(features);
  });

  it('may have more features than a Lua stack holds', async () => {
    const features = Object.fromEntries(Array.from({ length: 9_000 }, (_, at) => [`f${at}`, at]));
    const nulls = Object.fromEntries(Object.keys(features).map((name) => [name, null]));
    await writer.upsert(write(key, 0, { features }));
    expect(await redis.hlen(key)).toBe(9_005);
    await writer.upsert(write(key, 1, { features: nulls }));
    expect(await redis.hlen(key)).toBe(5);
  });
});

describe('the version guard', () => {
  it('lets newer ones pass, counts equal ones as written and leaves older ones', async () => {
    expect(await writer.statuses(write(key, 9), write(key, 10), write(key, 10), write(key, 9))).toEqual([
      'written',
      'written',
      'written',
      'superseded',
    ]);
    expect(await redis.hget(key, 'soma')).toBe('10');
  });

  it('puts the generation before the revision', async () => {
    await writer.upsert(write(key, 1_000));
    const reset = new SpecWriter(store, newMarker(), GENERATION + 1);
    expect(await reset.statuses(write(key, 0, { features: { soma: 'new' } }))).toEqual(['written']);
    expect(await writer.statuses(write(key, 2_000))).toEqual(['superseded']);
    expect(await redis.hget(key, 'soma')).toBe('new');
  });

  it('compares offsets that a double cannot tell apart', async () => {
    const big = 2n ** 53n;
    expect(await writer.statuses(write(key, 0, { offset: big + 1n }))).toEqual(['written']);
    expect(await writer.statuses(write(key, 0, { offset: big }))).toEqual(['superseded']);
    expect(await writer.statuses(write(key, 0, { offset: 999n }))).toEqual(['superseded']);
  });

  it('takes over a hash without an owner, whatever stands in it', async () => {
    await redis.hset(key, { soma: 'old', _revision: '999', extra: 'kept' });
    expect(await writer.statuses(write(key, 3))).toEqual(['written']);
    expect(await redis.hmget(key, 'soma', '_revision', 'extra')).toEqual(['3', '3', 'kept']);
  });
});

describe('a key that holds the newest window', () => {
  it('leaves an older window, however new the record', async () => {
    const newest = { newestWindowOnly: true };
    await writer.upsert(write(key, 0, { ...newest, window: day(10) }));
    expect(await writer.statuses(write(key, 1, { ...newest, window: day(9) }))).toEqual(['superseded']);
    expect(await writer.statuses(write(key, 2, { ...newest, window: day(9), features: null }))).toEqual(['superseded']);
    expect(await writer.statuses(write(key, 3, { ...newest, window: day(10) }))).toEqual(['written']);
    expect(await writer.statuses(write(key, 4, { ...newest, window: day(11) }))).toEqual(['written']);
    expect(await redis.hmget(key, '_revision', '_window_start')).toEqual(['4', String(11 * DAY_MS)]);
  });

  it('goes by the start where the ends are equal', async () => {
    const at = (startMs: number) => ({ newestWindowOnly: true, window: { startMs, endMs: 100 } });
    expect(await writer.statuses(write(key, 0, at(50)), write(key, 1, at(40)), write(key, 2, at(50)))).toEqual([
      'written',
      'superseded',
      'written',
    ]);
  });

  it('is deleted by the retraction of exactly its window: a session that was merged away, then the merged one', async () => {
    const session = (startMs: number, endMs: number | null) => ({ newestWindowOnly: true, window: { startMs, endMs } });
    const gone = (startMs: number) => ({ ...session(startMs, null), features: null });
    await writer.upsert(write(key, 0, session(10, 20)), write(key, 1, session(30, 40)));
    expect(await writer.statuses(write(key, 2, gone(10)))).toEqual(['superseded']);
    expect(await writer.statuses(write(key, 3, session(5, 20)))).toEqual(['superseded']);
    expect(await redis.hmget(key, '_window_start', '_window_end')).toEqual(['30', '40']);
    // 30 becomes part of 5: alone, the merged one would be the older of two windows with one end.
    expect(await writer.statuses(write(key, 4, gone(30)), write(key, 5, session(5, 40)))).toEqual([
      'written',
      'written',
    ]);
    expect(await redis.hmget(key, '_window_start', '_window_end', '_revision')).toEqual(['5', '40', '5']);
    expect(await writer.statuses(write(key, 1, session(30, 40)), write(key, 4, gone(30)))).toEqual([
      'superseded',
      'superseded',
    ]);
    expect(await redis.hget(key, '_revision')).toBe('5');
  });

  it('is only that when its template names no window', async () => {
    await writer.upsert(write(key, 0, { window: day(10) }));
    expect(await writer.statuses(write(key, 1, { window: day(9) }))).toEqual(['written']);
  });
});

describe('the ttl', () => {
  it('is what is left, renewed at each write', async () => {
    await writer.upsert(write(key, 0, { remainingMs: 50_000 }));
    expect(await redis.pttl(key)).toBeLessThanOrEqual(50_000);
    expect(await redis.pttl(key)).toBeGreaterThan(0);
    await writer.upsert(write(key, 1, { remainingMs: 900_000.5 }));
    expect(await redis.pttl(key)).toBeGreaterThan(50_000);
  });

  it('goes when the view has none any more', async () => {
    await writer.upsert(write(key, 0, { remainingMs: 50_000 }), write(key, 1));
    expect(await redis.pttl(key)).toBe(-1);
  });

  it('that has passed writes nothing and counts nothing, but the marker moves', async () => {
    const outcome = await writer.upsert(write(key, 0, { remainingMs: 0 }), write(key, 1, { remainingMs: -5 }));
    expect(outcome).toEqual({
      outcome: 'written',
      statuses: ['expired', 'expired'],
      marker: { generation: GENERATION, offset: 2n, written: 0, superseded: 0, failed: 0 },
    });
    expect(await redis.exists(key)).toBe(0);
  });
});

describe('a retraction', () => {
  it('deletes, and for a day is known as the newest', async () => {
    await writer.upsert(write(key, 5));
    expect(await writer.statuses(write(key, 7, { features: null }))).toEqual(['written']);
    expect(await redis.exists(key)).toBe(0);
    const ttl = await redis.pttl(`caudal:gone:{${key}}`);
    expect(ttl).toBeGreaterThan(86_000_000);
    expect(ttl).toBeLessThanOrEqual(86_400_000);
    expect(await writer.statuses(write(key, 5), write(key, 6))).toEqual(['superseded', 'superseded']);
    expect(await writer.statuses(write(key, 7, { features: null }), write(key, 8))).toEqual(['written', 'written']);
    expect(await redis.hget(key, 'soma')).toBe('8');
  });

  it('older than what stands there is superseded', async () => {
    await writer.upsert(write(key, 5));
    expect(await writer.statuses(write(key, 4, { features: null }))).toEqual(['superseded']);
    expect(await redis.hget(key, 'soma')).toBe('5');
  });

  it('does not touch what is not its own', async () => {
    await redis.set(key, 'text');
    await redis.hset(`${key}b`, { _view: 'other/view' });
    expect(await writer.statuses(write(key, 1, { features: null }), write(`${key}b`, 2, { features: null }))).toEqual([
      'wrong_type',
      'foreign_view',
    ]);
    expect(await redis.get(key)).toBe('text');
    expect(await redis.exists(`${key}b`, `caudal:gone:{${key}}`, `caudal:gone:{${key}b}`)).toBe(1);
  });
});

describe('a key that fails', () => {
  it('fails alone: the rest of the batch is written and the marker moves on', async () => {
    await redis.set(`${key}1`, 'text');
    await redis.hset(`${key}2`, { _view: 'other/view', soma: 'theirs' });
    await redis.lpush(`caudal:gone:{${key}3}`, 'x');
    const reserved = `caudal:writer:${key}`;
    const outcome = await writer.upsert(
      write(`${key}0`, 0),
      write(`${key}1`, 1),
      write(`${key}2`, 2),
      write(`${key}3`, 3),
      write(reserved, 4),
      write(`${key}5`, 5),
    );
    expect(outcome).toEqual({
      outcome: 'written',
      statuses: ['written', 'wrong_type', 'foreign_view', 'wrong_type', 'reserved', 'written'],
      marker: { generation: GENERATION, offset: 6n, written: 2, superseded: 0, failed: 4 },
    });
    expect(await redis.get(`${key}1`)).toBe('text');
    expect(await redis.hget(`${key}2`, 'soma')).toBe('theirs');
    expect(await redis.exists(reserved, `${key}3`)).toBe(0);
    expect(await redis.hget(`${key}5`, 'soma')).toBe('5');
    const marker = await store.readMarker(writer.marker);
    expect(marker?.failedKeys).toEqual([`${key}1`, `${key}2`, `${key}3`, reserved]);
  });

  it('is listed once, and at most a hundred are', async () => {
    const failing = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => write(`caudal:x${key}${from + at}`, from + at));
    await writer.upsert(...failing(0, 60), write(`caudal:x${key}0`, 60));
    await writer.upsert(...failing(61, 60));
    const marker = await store.readMarker(writer.marker);
    expect(marker?.failed).toBe(121);
    expect(marker?.failedKeys).toHaveLength(100);
    expect(new Set(marker?.failedKeys).size).toBe(100);
  });
});

describe('the marker', () => {
  it('stands in its hash, and only a writer at the beginning creates it', async () => {
    expect(await store.readMarker(writer.marker)).toBeNull();
    await writer.upsert(write(key, 0));
    expect(await redis.hgetall(markerText(writer.marker))).toEqual({
      generation: String(GENERATION),
      offset: '1',
      written: '1',
      superseded: '0',
      failed: '0',
    });
  });

  it('stops a zombie: it writes nothing', async () => {
    await writer.upsert(write(key, 0));
    const zombie = new SpecWriter(store, writer.marker);
    zombie.expected = writer.expected;
    zombie.fromBeginning = false;
    await writer.upsert(write(key, 1));
    expect(await zombie.upsert(write(`${key}z`, 1), write(key, 2))).toEqual({ outcome: 'moved' });
    expect(await redis.exists(`${key}z`)).toBe(0);
    expect(await redis.hget(key, 'soma')).toBe('1');
    expect((await store.readMarker(writer.marker))?.offset).toBe(2n);
  });

  it('that is missing stops a writer in the middle of the log: Redis was emptied', async () => {
    await writer.upsert(write(key, 0));
    await redis.del(markerText(writer.marker));
    expect(await writer.upsert(write(key, 1))).toEqual({ outcome: 'moved' });
    expect(await redis.hget(key, 'soma')).toBe('0');
    expect(await redis.exists(markerText(writer.marker))).toBe(0);
  });

  it('that fell back to an older copy stops the writer', async () => {
    await writer.upsert(write(key, 0));
    await writer.upsert(write(key, 1));
    await redis.hset(markerText(writer.marker), 'offset', '1');
    expect(await writer.upsert(write(key, 2))).toEqual({ outcome: 'moved' });
  });

  it('is created by one of two writers at the beginning', async () => {
    const other = new SpecWriter(store, writer.marker);
    const outcomes = await Promise.all([writer.upsert(write(key, 0)), other.upsert(write(key, 0))]);
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['moved', 'written']);
  });

  it('of another generation is replaced from the beginning, with its counts and its list', async () => {
    await writer.upsert(write(`caudal:x${key}`, 5), write(key, 6));
    const reset = new SpecWriter(store, writer.marker, GENERATION + 9);
    reset.expected = writer.expected;
    await reset.upsert(write(key, 0));
    expect(await store.readMarker(writer.marker)).toEqual({
      generation: GENERATION + 9,
      offset: 1n,
      written: 1,
      superseded: 0,
      failed: 0,
      failedKeys: [],
    });
    expect(await writer.upsert(write(key, 7))).toEqual({ outcome: 'moved' });
  });

  it('counts records below it no second time, and never moves back', async () => {
    await writer.upsert(write(key, 0), write(`${key}b`, 1), write(`caudal:x${key}`, 2));
    const again = await writer.upsert(write(key, 0), write(`${key}b`, 1));
    expect(again).toMatchObject({ statuses: ['written', 'written'], marker: { offset: 3n, written: 2, failed: 1 } });
    const over = await writer.upsert(write(`caudal:x${key}`, 2), write(key, 3), write(key, 1));
    expect(over).toMatchObject({
      statuses: ['reserved', 'written', 'superseded'],
      marker: { offset: 3n, written: 3, superseded: 0, failed: 1 },
    });
  });
});

describe('an end of upload', () => {
  it('is passed with counts at zero and no list', async () => {
    await writer.upsert(write(key, 0), write(`caudal:x${key}`, 1));
    const passed = await store.passEndOfUpload(writer.batch([], 3));
    const counts = { generation: GENERATION, offset: 3n, written: 0, superseded: 0, failed: 0 };
    expect(passed).toEqual({ outcome: 'passed', marker: counts });
    expect(await store.readMarker(writer.marker)).toEqual({ ...counts, failedKeys: [] });
    expect(await redis.exists(`${markerText(writer.marker)}:failed`)).toBe(0);
  });

  it('may be the first record of a log', async () => {
    expect(await store.passEndOfUpload(writer.batch([], 1))).toMatchObject({ outcome: 'passed' });
    expect((await store.readMarker(writer.marker))?.offset).toBe(1n);
  });

  it('is not passed by a zombie or over an emptied Redis', async () => {
    await writer.upsert(write(key, 0));
    const zombie = { ...writer.batch([], 5), expected: { generation: GENERATION, offset: 0n } };
    expect(await store.passEndOfUpload(zombie)).toEqual({ outcome: 'moved' });
    expect((await store.readMarker(writer.marker))?.written).toBe(1);
    await redis.del(markerText(writer.marker));
    expect(await store.passEndOfUpload(writer.batch([], 5))).toEqual({ outcome: 'moved' });
  });

  it('below the marker leaves the counts of what follows alone', async () => {
    await writer.upsert(write(key, 0), write(key, 4));
    expect(await store.passEndOfUpload(writer.batch([], 3))).toEqual({ outcome: 'already_passed' });
    expect(await store.readMarker(writer.marker)).toMatchObject({ offset: 5n, written: 2 });
  });
});
