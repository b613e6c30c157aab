import { checkRedis, REDIS_TRIES } from './check-redis.js';

const never = new AbortController().signal;
const THREE = { attempts: REDIS_TRIES, delayMs: 0 };
const away = () => Promise.reject(new Error('away'));

/** Pings that answer as `answers` say; the last one for ever. */
function pings(...answers: boolean[]) {
  let count = 0;
  return {
    ping: () => (answers[Math.min(count++, answers.length - 1)] ? Promise.resolve() : away()),
    count: () => count,
  };
}

describe('checkRedis', () => {
  it('asks once when Redis answers', async () => {
    const redis = pings(true);
    const check = checkRedis({ ping: redis.ping, retries: THREE, stop: never, onRetry: () => undefined });
    expect(await check.first).toBe(true);
    await check.done;
    expect(redis.count()).toBe(1);
  });

  it('tells at once that the first try failed, and goes on', async () => {
    const redis = pings(false, false, true);
    const retries: string[] = [];
    const check = checkRedis({
      ping: redis.ping,
      retries: THREE,
      stop: never,
      onRetry: (error) => retries.push(error.message),
    });
    expect(await check.first).toBe(false);
    await check.done;
    expect([redis.count(), retries]).toEqual([3, ['away', 'away']]);
  });

  it('rejects with the last failure after three tries', async () => {
    const redis = pings(false);
    const retries: Error[] = [];
    const check = checkRedis({
      ping: redis.ping,
      retries: THREE,
      stop: never,
      onRetry: (error) => retries.push(error),
    });
    await expect(check.done).rejects.toThrow('away');
    expect([redis.count(), retries.length]).toEqual([REDIS_TRIES, REDIS_TRIES - 1]);
  });

  it('ends its waiting when the service stops', async () => {
    const stop = new AbortController();
    const check = checkRedis({
      ping: away,
      retries: { attempts: 3, delayMs: 3_600_000 },
      stop: stop.signal,
      onRetry: () => stop.abort(),
    });
    await expect(check.done).rejects.toMatchObject({ name: 'AbortError' });
  });
});
