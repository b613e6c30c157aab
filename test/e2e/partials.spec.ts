// Group-bys by the key, by another column and by both, in one pipeline: two aggregators, one of them killed on the way.
import { featuresIn } from '../harness/features-in.js';
import { sleep, Stack } from '../harness/stack.js';
import { shopFeatures, shopSales, shopsCsv } from '../harness/shops.js';

const ROWS = 5_000;

describe('several group-bys of one pipeline', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ pipelinesDir: 'test/harness/pipelines', partitions: 3 });
    await stack.add('aggregator');
    await stack.ready();
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  it('come out as computed from the rows, whoever is killed', async () => {
    const uploads = [0, 1, 2, 3].map((place) => shopSales({ seed: 77 + place, rows: ROWS, place }));
    const runs: string[] = [];
    for (const sales of uploads) {
      const answer = await stack.upload(shopsCsv(sales), { pipeline: 'lojas', query: 'wait=0' });
      expect(answer.status).toBe(202);
      runs.push(answer.body.id!);
      if (runs.length !== 2) continue;
      await sleep(300);
      const [aggregator] = stack.services.filter(({ name }) => name === 'aggregator');
      await aggregator!.kill('SIGKILL');
      aggregator!.start();
    }
    const expected = shopFeatures(uploads);
    const ended = [];
    for (const run of runs) ended.push((await stack.ended(run)).body);
    expect(ended.map(({ state }) => state)).toEqual(['completed', 'completed', 'completed', 'completed']);
    expect(ended.map(({ rows }) => rows!.late)).toEqual(expected.late);
    expect(expected.late.some((rows) => rows > 0)).toBe(true);
    expect(await featuresIn(stack)).toEqual(expected.hashes);
  }, 240_000);

  it('say whom a partition of partials waits for', async () => {
    const port = stack.services.find(({ name }) => name === 'aggregator')!.port;
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(text).toMatch(/caudal_partials_blocked_by\{[^}]*source="2"[^}]*\} 0/);
    expect(text).toMatch(/caudal_lag_records\{[^}]*stage="partials"[^}]*\} 0/);
  });
});
