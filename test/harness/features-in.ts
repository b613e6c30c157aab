// What Redis holds of features, as tests compare it.
import type { Stack } from './stack.js';

/** All feature hashes without what depends on run ids, offsets and clocks. */
export async function featuresIn(stack: Stack): Promise<Map<string, Record<string, string>>> {
  const found = new Map<string, Record<string, string>>();
  for (const key of (await stack.redis.keys('*')).filter((name) => !name.startsWith('caudal:'))) {
    const fields = Object.entries(await stack.hash(key)).filter(([name]) => !name.startsWith('_'));
    found.set(key, Object.fromEntries(fields));
  }
  return found;
}
