// Fault plan, cases 17 and 18, by the real tasks: idle partitions, 1 and 16 of them, and a wall clock that jumps by an hour
// back and forth change neither results nor late rows. (Orders, cuts and crashes: properties.spec.ts. The row of the
// year 9999: test/e2e/windows.spec.ts.)
import { parsePipelineFile } from '#contracts';
import type { NaiveRow } from '../harness/naive-windows.js';
import { runWindows } from '../harness/window-tasks.js';

const HOUR_MS = 3_600_000;
const pipeline = parsePipelineFile(
  `
name: sales
source:
  columns: { city: { type: string, required: true }, at: { type: timestamp, required: true }, amount: { type: decimal } }
  event_time: at
views:
  hop: { group_by: [city], window: { type: hopping, size: 2h, advance: 1h, grace: 10m }, features: { rows: { count: '*' }, sum: { sum: amount } }, redis: { key: 'h:{city}:{window_start}' } }
  visit: { group_by: [city], window: { type: session, gap: 20m, grace: 0s }, features: { rows: { count: '*' }, sum: { sum: amount } }, redis: { key: 'v:{city}' } }
`,
  'sales.yaml',
);

/** Three files of five cities: each goes back before the end of the one before, so that some rows are late. */
const uploads = [0, 1, 2].map((file) =>
  Array.from({ length: 60 }, (_, n): NaiveRow => {
    const timeMs = Math.round((file * 2 + ((n * 37) % 60) / 15) * HOUR_MS);
    return { upload: `u${file + 1}`, row: n + 1, group: `c${n % 5}`, timeMs, amount: n };
  }),
);
const run = (partitions: number) =>
  runWindows({ pipeline, partitions, uploads, watermarkEvery: null, faults: [], batchRecords: () => 7 });

/** Each look at the clock finds it an hour off, once ahead, once behind. */
async function withJumpingClock<T>(work: () => Promise<T>): Promise<T> {
  const { now } = Date;
  let looks = 0;
  Date.now = () => now() + (looks++ % 2 === 0 ? HOUR_MS : -HOUR_MS);
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}

describe('results and late rows', () => {
  it('are the same for 1 and 16 partitions, most of them idle', async () => {
    const one = await run(1);
    expect(one.late.length).toBeGreaterThan(10);
    expect(one.features.size).toBeGreaterThan(50);
    expect(await run(16)).toEqual({ ...one, features: expect.any(Map) });
    expect(new Map([...(await run(16)).features].sort())).toEqual(new Map([...one.features].sort()));
  });

  it('do not know the wall clock', async () => {
    const calm = await run(2);
    const result = await withJumpingClock(() => run(2));
    expect(result).toEqual(calm);
  });
});
