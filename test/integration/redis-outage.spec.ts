// libs/redis while its Redis is away, hangs, is full, read-only or came back empty: every batch is held or repeated,
// none is half counted. Each case runs a Redis of its own.
import { openRedis, type RedisError, type RedisStore } from '#redis';
import { Redis } from '../../libs/redis/src/testing.js';
import { SpecWriter, write } from './redis-features.js';
import { OwnRedis, until } from './redis-server.js';

let server: OwnRedis;
let store: RedisStore;
const errors: RedisError[] = [];

beforeEach(async () => {
  server = await OwnRedis.prepare();
  errors.length = 0;
});
afterEach(async () => {
  server.signal('SIGCONT');
  await store.close();
  await server.remove();
});

const open = async (commandTimeoutMs?: number): Promise<void> => {
  store = await openRedis({
    url: server.url,
    onError: (error) => errors.push(error),
    ...(commandTimeoutMs === undefined ? {} : { commandTimeoutMs }),
  });
};
const answers = () =>
  store.ping().then(
    () => true,
    () => false,
  );
const away = { name: 'RedisError', code: 'redis_away', retriable: true };

/** As a person at redis-cli. */
async function ask(...command: [string, ...string[]]): Promise<unknown> {
  const client = new Redis(server.url);
  try {
    return await client.call(...command);
  } finally {
    client.disconnect();
  }
}

describe('a Redis that is away', () => {
  it('is no reason not to open: commands fail at once and work when it has come', async () => {
    await open();
    const asked = store.ping().catch(() => 'rejected');
    expect(await Promise.race([asked, new Promise((resolve) => setImmediate(resolve, 'queued'))])).toBe('rejected');
    await expect(store.ping()).rejects.toMatchObject(away);
    await expect(store.readHashes(['a'])).rejects.toMatchObject(away);
    await expect(new SpecWriter(store).upsert(write('a', 0))).rejects.toMatchObject(away);
    expect(errors[0]).toMatchObject(away);
    let ready = 0;
    const off = store.onReady(() => (ready += 1));
    await server.start();
    await until(answers);
    expect(ready).toBe(1);
    off();
    expect(await store.readHash('a')).toBeNull();
  });

  it('and comes back empty: the writer is told at the next batch, and refills from the beginning', async () => {
    await server.start();
    await open();
    const writer = new SpecWriter(store);
    await writer.upsert(write('a', 0), write('b', 1));
    let ready = 0;
    store.onReady(() => (ready += 1));
    await server.kill();
    await expect(writer.upsert(write('a', 2))).rejects.toMatchObject(away);
    await server.start();
    await until(answers);
    expect(ready).toBe(1);
    expect(await writer.upsert(write('a', 2))).toEqual({ outcome: 'moved' });
    expect(await store.readHash('a')).toBeNull();
    expect(await store.readMarker(writer.marker)).toBeNull();
    const refill = new SpecWriter(store, writer.marker);
    expect(await refill.statuses(write('a', 0), write('b', 1), write('a', 2))).toEqual([
      'written',
      'written',
      'written',
    ]);
    expect(await store.readHash('a')).toMatchObject({ soma: '2' });
  });

  it('forgets its scripts without harm', async () => {
    await server.start();
    await open();
    const writer = new SpecWriter(store);
    await writer.upsert(write('a', 0));
    await ask('SCRIPT', 'FLUSH');
    expect(await writer.statuses(write('a', 1))).toEqual(['written']);
    expect(await store.readHash('a')).toMatchObject({ soma: '1' });
  });

  it('and hangs: the command times out, may run later, and then the repeat is told so', async () => {
    await server.start();
    await open(300);
    const writer = new SpecWriter(store);
    await writer.upsert(write('a', 0));
    server.signal('SIGSTOP');
    await expect(writer.upsert(write('a', 1))).rejects.toMatchObject(away);
    expect(errors).toEqual([]);
    server.signal('SIGCONT');
    await until(answers);
    // The stopped server found the batch in its socket: nothing may be written or counted twice.
    await until(async () => (await store.readMarker(writer.marker))?.offset === 2n);
    expect(await writer.upsert(write('a', 1))).toEqual({ outcome: 'moved' });
    expect(await store.readMarker(writer.marker)).toMatchObject({ offset: 2n, written: 2 });
  });

  it('and hangs for long: the connection is given up for a new one', async () => {
    await server.start();
    await open(200);
    server.signal('SIGSTOP');
    await expect(store.ping()).rejects.toMatchObject(away);
    await until(() => errors.some(({ message }) => message.includes('Socket timeout')));
    server.signal('SIGCONT');
    await until(answers);
  });

  it('and dies with a batch under way: it is given up at once, and never sent again', async () => {
    await server.start();
    await open(60_000);
    const writer = new SpecWriter(store);
    server.signal('SIGSTOP');
    const writing = expect(writer.upsert(write('a', 0))).rejects.toMatchObject(away);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await server.kill();
    await writing;
    await server.start();
    await until(answers);
    expect(await store.readHash('a')).toBeNull();
  });

  it('rejects after close', async () => {
    await server.start();
    await open();
    await store.close();
    await expect(store.ping()).rejects.toMatchObject(away);
  });
});

describe('a Redis that refuses', () => {
  it('for lack of memory: nothing moves, the repeat fits when there is room', async () => {
    await server.start();
    await open();
    const writer = new SpecWriter(store);
    await writer.upsert(write('a', 0));
    await ask('CONFIG', 'SET', 'maxmemory', '1');
    const refused = { code: 'redis_refused', retriable: true, message: expect.stringContaining('maxmemory') };
    await expect(writer.upsert(write('a', 1), write('b', 2))).rejects.toMatchObject(refused);
    await expect(writer.upsert(write('a', 1, { features: null }), write('b', 2))).rejects.toMatchObject(refused);
    await expect(store.passEndOfUpload(writer.batch([], 5))).rejects.toMatchObject(refused);
    expect(await store.readMarker(writer.marker)).toMatchObject({ offset: 1n, written: 1 });
    expect(await store.readHash('a')).toMatchObject({ soma: '0' });
    expect(await store.readHash('b')).toBeNull();
    await ask('CONFIG', 'SET', 'maxmemory', '0');
    expect(await writer.statuses(write('a', 1), write('b', 2))).toEqual(['written', 'written']);
    expect(await store.readMarker(writer.marker)).toMatchObject({ offset: 3n, written: 3 });
  });

  it('since it is a replica', async () => {
    await server.start();
    await open();
    const writer = new SpecWriter(store);
    await writer.upsert(write('a', 0));
    await ask('REPLICAOF', '127.0.0.1', '1');
    await expect(writer.upsert(write('a', 1))).rejects.toMatchObject({
      code: 'redis_refused',
      retriable: true,
      message: expect.stringContaining('READONLY'),
    });
    await ask('REPLICAOF', 'NO', 'ONE');
    expect(await writer.statuses(write('a', 1))).toEqual(['written']);
  });

  it('for a fault of ours: the batch ends there, the marker stays', async () => {
    await server.start();
    await open();
    const writer = new SpecWriter(store);
    await writer.upsert(write('a', 0));
    const wrong = writer.upsert(write('a', 1, { remainingMs: 1e30 }), write('b', 2));
    await expect(wrong).rejects.toMatchObject({ code: 'redis_refused', retriable: false });
    expect(await store.readMarker(writer.marker)).toMatchObject({ offset: 1n, written: 1 });
    expect(await store.readHash('b')).toBeNull();
  });

  it('for a wrong password: not retriable, and the password is in no message', async () => {
    await server.start();
    await ask('CONFIG', 'SET', 'requirepass', 'right');
    const url = new URL(server.url);
    url.password = 'wr0ng-secret';
    store = await openRedis({ url: url.href, onError: (error) => errors.push(error) });
    await until(() => errors.length > 0);
    expect(errors[0]).toMatchObject({ code: 'redis_refused', retriable: false });
    expect(JSON.stringify(errors.map(({ message }) => message))).not.toContain('secret');
  });
});

describe('a batch of very many texts', () => {
  it('is written in parts that each move the marker', async () => {
    await server.start();
    await open(20_000);
    const writer = new SpecWriter(store);
    const features = Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`f${at}`, at]));
    const writes = Array.from({ length: 120 }, (_, at) => write(`wide${at}`, at, { features }));
    const outcome = await writer.upsert(...writes);
    expect(outcome).toMatchObject({ outcome: 'written', marker: { offset: 120n, written: 120 } });
    expect(outcome.outcome === 'written' && outcome.statuses.length).toBe(120);
    expect(await store.readHash('wide119')).toMatchObject({ f1999: '1999', _revision: '119' });
  });
});
