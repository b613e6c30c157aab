// The same files give the same results for 1, 4 and 16 partitions, and with their rows in any order.
import { Oracle, startAudited } from '../harness/oracle.js';
import { SeededUpload } from '../harness/seeded-upload.js';
import type { Stack } from '../harness/stack.js';
import { Uploads } from '../faults/fault-case.js';

const SEED = 20_240_101;
const ROWS = 20_000;

/** All hashes of features in Redis without what depends on run ids, offsets and clocks. */
async function features(stack: Stack): Promise<Map<string, Record<string, string>>> {
  const found = new Map<string, Record<string, string>>();
  const keys = (await stack.redis.keys('*')).filter((key) => !key.startsWith('caudal:')).sort();
  const pipeline = stack.redis.pipeline();
  for (const key of keys) pipeline.hgetall(key);
  const replies = (await pipeline.exec()) ?? [];
  keys.forEach((key, at) => {
    const hash = replies[at]![1] as Record<string, string>;
    found.set(key, Object.fromEntries(Object.entries(hash).filter(([name]) => !name.startsWith('_'))));
  });
  return found;
}

/** Two files, the second one partly late, through a stack of its own; exact by themselves, too. */
async function resultsOf(partitions: number, order: (upload: SeededUpload) => SeededUpload) {
  const stack = await startAudited({ partitions });
  try {
    const oracle = new Oracle(stack);
    const uploads = new Uploads(stack, oracle);
    for (const seed of [SEED, SEED + 1]) await uploads.send(order(uploads.make({ seed, rows: ROWS })));
    await uploads.ended();
    expect(await oracle.check()).toEqual([]);
    return await features(stack);
  } finally {
    await stack.stop();
  }
}

describe('results', () => {
  let four: Map<string, Record<string, string>>;
  const asMade = (upload: SeededUpload) => upload;

  it('are exact with 4 partitions', async () => {
    four = await resultsOf(4, asMade);
    expect(four.size).toBeGreaterThan(1_000);
  }, 120_000);

  it.each([1, 16])(
    'are the same with %i',
    async (partitions) => {
      expect(await resultsOf(partitions, asMade)).toEqual(four);
    },
    120_000,
  );

  it('are the same with the rows of each file in another order', async () => {
    expect(await resultsOf(4, (upload) => upload.shuffled(7))).toEqual(four);
  }, 120_000);
});
