// For tests only: a bare connection, to make the states of Redis that Caudal must cope with.
import { Redis } from 'ioredis';

export { Redis };
export type TestRedis = Redis;

export async function openTestRedis(url: string): Promise<TestRedis> {
  const client = new Redis(url, { lazyConnect: true });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
